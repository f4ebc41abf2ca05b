#!/bin/bash
# way.sh [-c FILE]: for root: the way of a packet through the code, as it really is: knockd is built so that it writes down
# each function that it enters, and is knocked at through its log, plainly and sealed. Prints the files between the line
# of the last packet and the command that opens, in the order in which each is met first. With -c, exits 1 if FILE, in its
# section "The way of a packet", names a file of src that is on neither way.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
[ "$(id -u)" = 0 ] || { echo "way: must be run as root, as knockd is" >&2; exit 2; }

check='' traced=build/traced
[ "${1:-}" != -c ] || check=${2:?way: -c needs a file}

build() {
    scripts/as-owner.sh mkdir -p "$traced" && rm -f "$traced/knockd/knockd" &&
        scripts/as-owner.sh "${CC:-cc}" -O1 -DTRACE_CALLS="\"$PWD/$traced/calls\"" -c -o "$traced/trace_calls.o" scripts/trace_calls.c &&
        scripts/as-owner.sh make --no-print-directory -j"$(nproc)" BUILD="$traced" LDFLAGS="$traced/trace_calls.o" \
            OPTIMISE="-O1 -g -fno-inline -finstrument-functions" \
            "$traced/knockd/knockd" "$traced/tools/seal" "$traced/tools/old_state"
}

build >/dev/null || { echo "way: can't build $traced" >&2; exit 1; }
export BUILD=$traced
# shellcheck source-path=SCRIPTDIR source=../tests/system/knockd.sh
. tests/system/knockd.sh
needs_gate
calls_file=$TREE/$traced/calls
rm -f "$calls_file"
truncate -s 16M "$calls_file"
mkdir -m 700 "$WORK/keys"
(umask 077; printf 'key = "%064d"\nserver = "gate.example"\n' 7 >"$WORK/keys/alice.key")
cat >"$CONFIG" <<EOF
user = "nobody" state_dir = "$WORK/state" control = "$WORK/control" key_dir = "$WORK/keys"
sealed { server = "gate.example" }
source "firewall" {
    type = file path = "$KERN_LOG" prefix = "$LOG_PREFIX"
}
door "ssh" {
    sequence = { 7412, 8733:udp, 51990 }  key = { "alice" }
    start_command = "/bin/true %IP%"  stop_command = "/bin/true"  cmd_timeout = 60
}
EOF
: >"$KERN_LOG"

calls() {
    od -An -t u8 -N 8 "$calls_file" | tr -d ' '
}

# trace NAME FROM: what was entered since there were FROM calls, up to the start of the command, as lines NAME<tab>FILE.
# Left out are headers of the system and what runs all the time: the event loop, the log, the clock.
trace() {
    od -An -v -t x8 -w8 -j $((8 * ($2 + 1))) -N $((8 * ($(calls) - $2))) "$calls_file" |
        addr2line -f -e "$KNOCKD" | paste - - | sed -nE 's#\t.*/(src|include)/([a-z]+/[a-z_0-9]+\.[ch]):.*#\t\2#p' |
        grep -vE $'\t''(lib/(log|loop|timers|clock)|knockd/(notify|signals|own_files))\.' |
        sed -E '/^(program|process)_start'$'\t''/q' >"$WORK/$1"
}

# show NAME TITLE: each file where it is met first, with the function by which.
show() {
    awk -F'\t' -v title="$2" '
        $2 != last { changes++; last = $2 }
        !($2 in number) { number[$2] = ++files; file[files] = $2; name[files] = $1 }
        END {
            printf "%s: %d files, %d changes of file\n", title, files, changes
            for (i = 1; i <= files; i++) printf "  %-32s %s\n", file[i], name[i]
        }' "$WORK/$1"
}

# opened ADDRESS NAME FROM: waits for the door, then traces.
opened() {
    says "door ssh: opened for $1," || { echo "way: nothing opened; knockd said:" >&2; cat "$KNOCKD_LOG" >&2; exit 1; }
    trace "$2" "$3"
}

plain_knock() {
    local from
    log_packets 192.0.2.7 7412 8733:udp
    says "192.0.2.7 reached step 2 of 3"
    from=$(calls)
    # From another host of the log, so that its header is new as well.
    packet_line 192.0.2.7 51990
    echo "${LINE/ gate kernel:/ door kernel:}" >>"$KERN_LOG"
    opened 192.0.2.7 plain "$from"
}

sealed_knock() {
    local from proto port now=$((${EPOCHREALTIME%.*} + 2)) packets=() # later than the state began
    while read -r proto port _; do
        [ "$proto" != tcp ] || packets+=("$port")
    done < <("$BUILT/tools/seal" "$WORK/keys/alice.key" 20000 tcp 192.0.2.8 $((now << 16)) 1 ssh 0 0 -)
    from=$(calls)
    log_packets 192.0.2.8 "${packets[@]}"
    opened 192.0.2.8 sealed "$from"
}

old_state
run_knockd -v || { echo "way: knockd doesn't start:" >&2; cat "$KNOCKD_LOG" >&2; exit 1; }
plain_knock
sealed_knock
stop_knockd
show plain "a plain knock, from its last packet to the command"
show sealed "a sealed knock, from its packets to the command"

# What the map names has to be on the way.
[ -n "$check" ] || exit 0
lost=0
while read -r file; do
    grep -qP "\t$file\$" "$WORK/plain" "$WORK/sealed" && continue
    echo "way: $check names $file, where no packet comes by"
    lost=1
done < <(sed -n '/^#* *The way of a packet/,/^#/p' "$check" | grep -oE '\b(lib|listener|keeper|knockd)/[a-z_]+\.[ch]' | sort -u)
exit $lost
