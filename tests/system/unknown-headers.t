#!/bin/bash
# Lines about packets that don't count, or should not: knockd, knockctl and a replay show one, and say what to do.
# shellcheck disable=SC2016 # $j is perl's
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

doors() {
    cat <<'EOF2'
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    start_command = "/bin/true"
    stop_command  = "/bin/true"
}
EOF2
}

# lines NUMBER HEADER [CHANGE]: so many of the kernel's lines, with another header, changed by sed.
lines() {
    local i
    for ((i = 0; i < $1; i++)); do
        packet_line 198.51.100.7 7412
        sed "${3:-}" <<<"$2$LOG_PREFIX${LINE#*"$LOG_PREFIX"}"
    done
}

# told WHAT HEADER ADVICE [CHANGE]: ten lines with that header are told of, with what to do.
told() {
    local example
    example=$(printf '%s' "$2$LOG_PREFIX" | sed 's/[[+{]/\\&/g')
    mark_log
    ctl reload
    lines 10 "$2" "${4:-}" >>"$KERN_LOG"
    ok "$1: the log tells of them" says "source firewall: 10 lines look like the firewall's, but for their header, so they don't count; .*$3.*; the first: \"$example"
    ctl sources
    like "$1: knockctl sources" "$OUT" "WARNING: 10 lines look like the firewall's, .*$3"
    ctl status --json
    is "$1: as JSON" "$(json '$j->{sources}[0]{unknown_headers}[0]{lines}')" 10
    lines 10 "$2" "${4:-}" >"$WORK/foreign.log"
    like "$1: a replay" "$("$KNOCKD" -r "$WORK/foreign.log" -c "$CONFIG" 2>&1 >/dev/null)" \
        "^knockd: 10 lines look like the firewall's, but for their header, so they don't count; .*$3"
}

needs_gate
: >"$KERN_LOG"
configure_file < <(doors)
starts "starts"
told "another program's tag" "Nov 23 15:00:00 gate fw[7]: " 'expected the header of the kernel'
told "ulogd's" "Nov 23 15:00:00 gate " 'set format = ulogd' 's/TOS=0x00/TOS=00/'
told "Proxmox's" "0 6 PVEFW-HOST-IN 24/Nov/2026:10:31:12 +0100 " 'see pve-firewall.conf'
told "JSON" '{"log":"' 'they are JSON' 's/$/"}/'
mark_log
ctl reload
lines 9 "Nov 23 15:00:00 gate fw[7]: " >>"$KERN_LOG"
log_packets 198.51.100.8 7412
lines 9 "Nov 23 15:00:00 gate sshd[7]: Invalid user " >>"$KERN_LOG"
log_packets 198.51.100.9 7412 28733:udp 51990
ok "where lines are read, a few others are nothing to tell of" says "opened for 198.51.100.9,"
ok "as is so" not said "look like the firewall's"

mark_log
ctl reload
(LOG_PREFIX='[UFW AUDIT] ' && for _ in {1..50}; do log_packets 198.51.100.8 7412; done)
ok "accepted packets are no candidates for the prefix" says "none with prefix .*; all of them were accepted"
ctl sources
like "knockctl says so" "$OUT" 'seen: "\[UFW AUDIT\] ?" \(50\), of accepted packets'
stop_knockd

sed -i '/^    prefix/d' "$CONFIG"
like "without a prefix: knockd -t warns" "$("$KNOCKD" -t -c "$CONFIG" 2>&1)" \
    "^$CONFIG:3: warning: source \"firewall\" has no prefix"
starts "starts"
ok "and so does the start" said "$CONFIG:3: warning: source \"firewall\" has no prefix"
log_packets 198.51.100.8 7412
(LOG_PREFIX='[UFW ALLOW] ' && log_packets 198.51.100.9 7412 28733:udp 51990)
ok "an accepted packet is told of" says 'packets with "\[UFW ALLOW\] " count as knocks'
ok "with reason" says "opened for 198.51.100.9,"
(LOG_PREFIX='[UFW ALLOW] ' && log_packets 198.51.100.10 7412 28733:udp 51990)
ok "they open again" says "opened for 198.51.100.10,"
is "but that is said once" "$(said_lines 'count as knocks' | wc -l)" 1
stop_knockd
is "ends" $? 0
done_testing
