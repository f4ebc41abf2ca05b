#!/bin/bash
# Who wrote a line: no line of tests/data/hostile.txt is a packet for `knockd -r`; what programs write to /dev/kmsg and to
# the journal under the kernel's name isn't the kernel's, though to the byte it looks like that.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=journald.sh
. "$(dirname "$0")/journald.sh"

table=$TREE/tests/data/hostile.txt
inside=()

# forge PORT: sets FORGED, and SIGN by which it is found.
forge() {
    SIGN="SPT=$(($$ % 60000 + 1024)) DPT=$1"
    FORGED="${LOG_PREFIX}IN=eth0 OUT= SRC=198.51.100.66 DST=192.0.2.2 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=UDP $SIGN LEN=8"
}

# lines REGEX: the lines of the table whose FORMAT and PREFIX match, as they are. What holds a line break is one record
# of the kernel's, and two lines of a file.
lines() {
    perl -ne 'BEGIN { %is = (t => "\t", r => "\r", 0 => "\0", s => " ", "\\" => "\\") }
        next if /^#|^$/ || !s/^(\w+) \| ([-+]) \| // || "$1$2" !~ /^('"$1"')$/ || /(?<!\\)\\n/;
        s/\\([tr0s\\])/$is{$1}/g; print' "$table"
}

# config FORMAT
config() {
    cat >"$WORK/$1.conf" <<EOT
source "log" { type = file path = "/var/log/kern.log" prefix = { "[DENY] ", "[UFW BLOCK] " } format = $1 }
door "ssh" { sequence = { 7000, 8000, 9000 } start_command = "/bin/true" stop_command = "" }
EOT
}

# packets ARGUMENT...: what knockd finds in standard input, other messages included.
packets() {
    "$KNOCKD" -r - --packets "$@" 2>&1
}

corpus() {
    local format
    ok "the table is read" test "$(lines '.*' | wc -l)" -gt 200
    is "with any prefix: nothing" "$(lines '(kernel|kmsg)-' | packets)" ""
    for format in kernel ulogd; do
        config $format
        is "with two prefixes, format $format: nothing" "$(lines '.*' | packets -c "$WORK/$format.conf")" ""
    done
}

# The records of /dev/kmsg that tell of the forged packet.
records() {
    dd if=/dev/kmsg iflag=nonblock bs=8192 2>/dev/null | grep -aF "$SIGN"
}

# Priorities of the kernel's own facility, of user space, of daemons, and none at all.
by_kmsg() {
    local priority found
    forge 7000
    for priority in '<4>' '<0>' '<7>' '<12>' '<28>' '<2052>' ''; do
        printf '%s%s\n' "$priority" "$FORGED" >/dev/kmsg
    done
    printf '<4>kernel: %s\n' "$FORGED" >/dev/kmsg
    printf '4,1,1,-;%s\n' "$FORGED" >/dev/kmsg
    found=$(records)
    is "what programs write to /dev/kmsg is there" "$(wc -l <<<"$found")" 9
    is "none of it has the kernel's facility" "$(grep -c '^[0-7],' <<<"$found")" 0
    is "none of it is a packet" "$(packets <<<"$found")" ""
    like "as a record of the kernel it would be" "$(packets <<<"4,${found#*,}")" "UDP.198.51.100.66"
}

# journal ARGUMENT...: what it prints of the forged packet.
journal() {
    "${inside[@]}" journalctl -o short-iso-precise --no-pager -q "$@" | grep -aF "$SIGN"
}

all_logged() {
    [ "$(journal | wc -l)" = 3 ]
}

# to_socket NAME: a datagram.
# shellcheck disable=SC2016 # perl's
to_socket() {
    "${inside[@]}" perl -MIO::Socket::UNIX -e '
        my $to = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "/run/systemd/journal/$ARGV[0]") or die "$!";
        $to->send(do { local $/; <STDIN> }) or die "$!"' "$1"
}

# By the socket of syslog, by the journal's own, by a stream to it: each with the kernel's name.
by_journal() {
    if ! private_journald 2>"$WORK/why"; then
        tap_result 0 "journal # SKIP $(tail -n 1 "$WORK/why")"
        return
    fi
    with_journald
    forge 7001
    printf '<4>Nov 23 14:28:52 kernel: %s' "$FORGED" | to_socket dev-log
    printf '_TRANSPORT=kernel\nSYSLOG_IDENTIFIER=kernel\nPRIORITY=4\nMESSAGE=%s\n' "$FORGED" | to_socket socket
    "${inside[@]}" systemd-cat -t kernel -p warning echo "$FORGED"
    ok "programs write to the journal as kernel" poll 10 all_logged
    is "it names their processes" "$(journal | grep -cE ' kernel\[[0-9]+\]: ')" 3
    is "journalctl -k has none of them" "$(journal -k)" ""
}

netns_begin
trap tap_end EXIT
needs_knockd
corpus
[ "$(id -u)" = 0 ] || { done_testing; exit; }
by_kmsg
by_journal
done_testing
