#!/bin/bash
# The listener as it runs: what it is, what it holds, and what happens when it dies.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

right=(7412 28733:udp 51990)

good_file() {
    {
        cat <<EOF
source "kernel" {
    type = kmsg
    prefix = "$LOG_PREFIX"
}
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    start_command = "/bin/true"
    stop_command  = "/bin/true"
    cmd_timeout   = 2
}
EOF
    } | configure_file
}

# field NAME: what the kernel says of the listener.
field() {
    sed -n "s/^$1:[[:blank:]]*//p" "/proc/$listener/status" | tr -s '\t ' ' '
}

limit() {
    sed -n "s/^$1  *\([0-9a-z]*\) *\([0-9a-z]*\).*/\1 \2/p" "/proc/$listener/limits"
}

identity() {
    local uid gid name
    uid=$(id -u nobody) gid=$(id -g nobody)
    is "uid: real, effective, saved, of files" "$(field Uid)" "$uid $uid $uid $uid"
    is "gid: real, effective, saved, of files" "$(field Gid)" "$gid $gid $gid $gid"
    is "no group" "$(field Groups | tr -d ' ')" ""
    for name in CapInh CapPrm CapEff CapAmb CapBnd; do
        is "no capability: $name" "$(field $name)" 0000000000000000
    done
    is "no_new_privs" "$(field NoNewPrivs)" 1
    is "a system call filter" "$(field Seccomp)" 2
    is "its root is an empty folder" "$(readlink "/proc/$listener/root")" /run/knockd/empty
    is "which is empty" "$(ls -A /run/knockd/empty)" ""
    is "and not its own to write to" "$(stat -c '%u %a' /run/knockd/empty)" "0 555"
    is "its folder is there" "$(readlink "/proc/$listener/cwd")" /run/knockd/empty
    is "no environment" "$(tr '\0' '\n' <"/proc/$listener/environ")" ""
    is "limit of descriptors" "$(limit 'Max open files')" "288 288"
    is "limit of file size" "$(limit 'Max file size')" "0 0"
    is "limit of processes" "$(limit 'Max processes')" "0 0"
    like "limit of its memory" "$(limit 'Max address space')" '^([0-9]{9}) \1$'
    is "no core" "$(limit 'Max core file size')" "0 0"
    # What can't be dumped is root's.
    is "not dumpable" "$(stat -c %u "/proc/$listener/mem")" 0
    is "the keeper: another process, root's" "$(stat -c %u "/proc/$KNOCKD_PID/mem")" 0
    is "the keeper: not confined itself" "$(readlink "/proc/$KNOCKD_PID/root")" /
}

holdings() {
    local held
    held=$(readlink "/proc/$listener/fd"/* | sed 's/\[[0-9]*\]//' | sort | uniq -c | sed 's/^ *//')
    is "its descriptors" "$held" "$(printf '%s\n' "1 $KERN_LOG" "3 /dev/null" "1 /dev/kmsg" \
        "1 anon_inode:[eventpoll]" "1 anon_inode:[timerfd]" "1 anon_inode:inotify" "1 socket:" | LC_ALL=C sort -k2)"
    is "reading only: the log" "$(opened_for "$KERN_LOG")" 0
    is "reading only: /dev/kmsg" "$(opened_for /dev/kmsg)" 0
}

# opened_for PATH: the access mode that the listener has it open with.
opened_for() {
    local fd
    for fd in "/proc/$listener/fd"/*; do
        [ "$(readlink "$fd")" = "$1" ] || continue
        sed -n 's/^flags:.*\([0-7]\)$/\1/p' "/proc/$listener/fdinfo/${fd##*/}"
    done
}

another_listener() {
    local now
    now=$(listener_pids)
    [ -n "$now" ] && [ "$now" != "$listener" ]
}

# dies SIGNAL WORDS PAUSE: with a door open.
dies() {
    local who=192.0.2.$1 begun
    mark_log
    begun=$(now_ms)
    listener=$(listener_pids)
    log_packets "$who" "${right[@]}"
    ok "SIG$2: a door is open" says "opened for $who"
    kill -"$2" "$listener"
    ok "SIG$2: said" says "error: listener $listener was killed by signal [0-9]+ \($3\)"
    ok "SIG$2: and that another comes" says "no listener: starting another in $4 s; open doors still close in time"
    ok "SIG$2: the door closes" says "closed for $who"
    begun=$(($(now_ms) - begun))
    ok "SIG$2: in time ($begun ms)" within $begun 2000
    ok "SIG$2: another listener is there" says "listening again" 6
    ok "SIG$2: another process" another_listener
    log_packets "192.0.3.$1" "${right[@]}"
    ok "SIG$2: a knock works again" says "opened for 192.0.3.$1"
    is "SIG$2: the same keeper" "$(ended "$KNOCKD_PID"; echo $?)" 1
}

# score PID: how likely the OOM killer takes it.
score() {
    cat "/proc/$1/oom_score_adj"
}

# Without protection, and with what the unit gives the keeper: keeper | listener
protection() {
    local keeper expected
    while IFS='|' read -r keeper expected; do
        if ! (echo "$keeper" >/proc/self/oom_score_adj) 2>/dev/null; then
            skip "OOM score: a keeper of $keeper" "the OOM score can't be lowered here"
            continue
        fi
        KNOCKD_OOM=$keeper
        starts_by set_score
        is "OOM score: the keeper's stays $keeper" "$(score "$KNOCKD_PID")" "$keeper"
        is "OOM score: the listener's is $expected" "$(score "$(listener_pids)")" "$expected"
        stop_knockd
    done <<'TABLE'
0|100
-500|0
-1000|0
950|1000
TABLE
}

set_score() {
    echo "$KNOCKD_OOM" >/proc/self/oom_score_adj
    exec "$@"
}

# starts_by CMD: knockd, run by that function or program, with its arguments behind.
starts_by() {
    printf '#!/bin/bash\n%s\n%s %q "$@"\n' "$(declare -f set_score; declare -p KNOCKD_OOM)" "$*" "$KNOCKD" >"$WORK/by"
    chmod +x "$WORK/by"
    KNOCKD=$WORK/by starts "starts by $*"
}

# Where the bounding set can't be changed, the rest is done all the same.
without_setpcap() {
    starts_by exec setpriv --bounding-set=-setpcap
    listener=$(listener_pids)
    is "without CAP_SETPCAP: the bounding set stays" "$(field CapBnd)" "$(sed -n 's/^CapBnd:\t//p' "/proc/$KNOCKD_PID/status")"
    is "without CAP_SETPCAP: no capability is left" "$(field CapPrm) $(field CapEff) $(field CapInh) $(field CapAmb)" \
        "0000000000000000 0000000000000000 0000000000000000 0000000000000000"
    is "without CAP_SETPCAP: nor new privileges" "$(field NoNewPrivs) $(field Seccomp)" "1 2"
    stop_knockd
}

# Capabilities that others left to be inherited, or kept over a change of user, are dropped as well.
with_more() {
    local some=+net_admin,+setuid,+setgid,+setpcap,+sys_chroot,+kill,+net_raw
    starts_by exec setpriv --inh-caps=$some --ambient-caps=$some --securebits=+no_setuid_fixup
    listener=$(listener_pids)
    is "with ambient capabilities: no capability is left" \
        "$(for name in CapInh CapPrm CapEff CapAmb CapBnd; do field $name; done | sort -u)" 0000000000000000
    stop_knockd
}

# As root of a user namespace, in which the listener's user exists. The maps are written from outside, as soon as it has
# begun.
in_user_namespace() {
    if ! unshare -U true 2>/dev/null; then
        skip "in a user namespace" "no user namespaces here"
        return
    fi
    cat >"$WORK/mapped" <<'SCRIPT'
#!/bin/bash
before=$(readlink /proc/$$/ns/user)
(
    until [ "$(readlink /proc/$$/ns/user)" != "$before" ]; do sleep 0.02; done
    for map in uid_map gid_map; do echo "0 0 65536" >/proc/$$/$map; done
) &
exec unshare -U sh -c 'until [ "$(id -u)" = 0 ]; do sleep 0.02; done; exec "$@"' sh "$@"
SCRIPT
    chmod +x "$WORK/mapped"
    sed -i '/^source "kernel"/,/^}/d' "$CONFIG" # a user namespace may not read it
    starts_by exec "$WORK/mapped"
    listener=$(listener_pids)
    is "in a user namespace: no capability is left" \
        "$(for name in CapInh CapPrm CapEff CapAmb CapBnd; do field $name; done | sort -u)" 0000000000000000
    is "in a user namespace: nor new privileges" "$(field NoNewPrivs) $(field Seccomp)" "1 2"
    log_packets 192.0.2.9 "${right[@]}"
    ok "in a user namespace: a knock opens" says "opened for 192.0.2.9"
    stop_knockd
    is "in a user namespace: ends well" $? 0
}

# What must be dropped and can't be ends the start, and the message says which part it was.
cannot_drop() {
    starts_by_fails exec setpriv --bounding-set=-setuid
    ok "without CAP_SETUID: refused" said "the listener can't be confined \(changing to the listener's user: "
    starts_by_fails exec setpriv --bounding-set=-sys_chroot
    ok "without CAP_SYS_CHROOT: refused" said "the listener can't be confined \(chroot to .*allow .* CAP_SYS_CHROOT in the unit"
}

starts_by_fails() {
    printf '#!/bin/bash\n%s %q "$@"\n' "$*" "$KNOCKD" >"$WORK/by"
    chmod +x "$WORK/by"
    KNOCKD=$WORK/by ok "doesn't start by $*" not run_knockd
}

needs_gate
: >"$KERN_LOG"
good_file
starts "starts"
listener=$(listener_pids)
if grep -q 'sandbox strict' "$KNOCKD_LOG"; then
    identity
    holdings
else
    skip "what the listener is and holds" "a build with sanitizers confines its listener less"
fi
dies 1 KILL Killed 1
dies 2 SYS "Bad system call" 2
ok "SIGSYS is explained" said "it tried what its sandbox forbids"
stop_knockd
is "ends well" $? 0
: >"$KERN_LOG"
KNOCKD_OOM=0
protection
if grep -q 'sandbox strict' "$KNOCKD_LOG"; then
    without_setpcap
    with_more
    in_user_namespace
else
    skip "what it gives up where little is permitted" "a build with sanitizers confines its listener less"
fi
cannot_drop
done_testing
