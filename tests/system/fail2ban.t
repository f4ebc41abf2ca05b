#!/bin/bash
# The filter of etc/examples for fail2ban, by fail2ban-regex, against what a running knockd says: knocks that stay
# behind and refused ones are found with their address, all else isn't. FAIL2BAN_REGEX= names another command,
# FAIL2BAN_CONF= another folder with fail2ban's own filters.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

regex=${FAIL2BAN_REGEX:-fail2ban-regex}
filters=${FAIL2BAN_CONF:-/etc/fail2ban}/filter.d
command -v "${regex%% *}" >/dev/null || skip_all "no fail2ban-regex"
[ -e "$filters/common.conf" ] || skip_all "no fail2ban-regex"

# found LINE...: the addresses that the filter finds, in a log as rsyslog writes it.
found() {
    printf '%s\n' "$@" | sed 's/^knockd: /Nov 23 15:00:00 gate knockd[4711]: /' >"$WORK/auth.log"
    $regex -o ip "$WORK/auth.log" "$WORK/filter.d/knockd.conf" 2>&1 | paste -sd ' '
}

needs_gate
mkdir "$WORK/filter.d"
cp "$filters/common.conf" "$WORK/filter.d/"
cp "$TREE/etc/examples/fail2ban.conf" "$WORK/filter.d/knockd.conf"
: >"$KERN_LOG"
configure_file <<EOF
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    seq_timeout   = 1
    start_command = /bin/true
    stop_command  = /bin/true
}
door "inner" {
    sequence      = { 40112, 17001, 33200:udp }
    allow         = 198.51.100.0/24
    start_command = /bin/true
    stop_command  = /bin/true
}
EOF
starts "starts"
log_packets 192.0.2.9 7412 28733:udp
ok "a knock that stays behind" says "192.0.2.9 reached step 2 of 3"
log_packets 2001:db8::9 40112 17001 33200:udp
ok "a refused one" says "refused 2001:db8::9"
log_packets 192.0.2.10 7412 28733:udp 51990
ok "a right one" says "opened for 192.0.2.10"
mapfile -t lines < <(said_lines '^knockd: ')
is "the filter finds the first two" "$(found "${lines[@]}")" "192.0.2.9 2001:db8::9"
is "sealed ones, but not a clock that is wrong" "$(found \
    'knockd: sealed knock from 192.0.2.1 refused: unknown: no key in force made it' \
    'knockd: sealed knock from 192.0.2.2 refused: stale: 200 s behind; set the clocks of both' \
    'knockd: sealed knock of alice from 192.0.2.3 refused: expired: the last day of the key is over' \
    'knockd: door ssh: refused 192.0.2.4: not this door: the key names other doors (alice)')" "192.0.2.1 192.0.2.3 192.0.2.4"
is "what isn't knockd's own" "$(found 'Nov 23 15:00:00 gate sshd[1]: door ssh: refused 192.0.2.5: x' \
    'knockd: door ssh: output: door ssh: refused 192.0.2.6: x')" ""
stop_knockd
is "ends well" $? 0
done_testing
