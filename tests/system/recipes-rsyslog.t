#!/bin/bash
# The recipe of etc/examples for rsyslog, with the rsyslogd of the distribution's package: of the kernel's lines a knock
# is made, of lines that somebody sends to the syslog socket none, though the usual selectors take both.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

steps=(51990 28733:udp 40112)
forger=192.0.2.66
snippet=$TREE/etc/examples/rsyslog-knockd.conf

# Inputs as in the distribution's rsyslog.conf, apart from the socket's place, and imkmsg for imklog, since that would
# take the kernel's lines away from this machine's own syslog.
write_rsyslog_conf() {
    cat <<EOF
global(workDirectory="$WORK/rsyslog")
module(load="imkmsg")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="$WORK/rsyslog/socket")
EOF
    sed "s/\[KNOCK\] /$LOG_PREFIX/; s|/var/log/knock.log|$KERN_LOG|" "$snippet"
    cat <<EOF
:syslogtag, isequal, "kernel:" action(type="omfile" file="$WORK/by-tag.log" template="RSYSLOG_FileFormat")
kern.* action(type="omfile" file="$WORK/by-facility.log" template="RSYSLOG_FileFormat")
EOF
}

# shellcheck disable=SC2154 # rsyslog_unpack says where all is
run_rsyslogd() {
    local dir=$WORK/rsyslog
    rsyslog_unpack && mkdir "$dir" && write_rsyslog_conf >"$dir/conf" || return 1
    LD_LIBRARY_PATH=$rsyslog_libs "$rsyslog_bin" -n -f "$dir/conf" -i "$dir/pid" -M "$rsyslog_modules" \
        </dev/null >"$dir/log" 2>&1 &
    started $!
    poll 5 test -s "$dir/pid" && poll 5 test -S "$dir/socket" && return
    echo "rsyslogd did not start: $(tail -n 1 "$dir/log")" >&2
    return 1
}

# forge STEP...: to the socket, as any local user may, lines that begin as the kernel's do.
# shellcheck disable=SC2016 # perl's
forge() {
    local step
    for step; do
        packet_line "$forger" "$step"
        printf '<4>%s' "${LINE/ gate / }" |
            setpriv --reuid nobody --clear-groups perl -MIO::Socket::UNIX -e '
                my $to = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ARGV[0]) or die "$ARGV[0]: $!";
                $to->send(do { local $/; <STDIN> }) or die $!' "$WORK/rsyslog/socket" || return 1
    done
}

# By root, since nobody else may.
forge_as_kernel() {
    local step
    for step; do
        packet_line "$forger" "$step"
        printf '<4>%s%s' "$LOG_PREFIX" "${LINE##*"$LOG_PREFIX"}" >/dev/kmsg || return 1
    done
}

forged_in() {
    grep -F "$LOG_PREFIX" "$1" | grep -c -F "SRC=$forger " # imkmsg also writes what was logged before us
}

forged_all() {
    [ "$(forged_in "$1")" = "${#steps[@]}" ]
}

needs_gate
run_rsyslogd 2>"$WORK/why" || skip_all "rsyslogd does not run here: $(tail -n 1 "$WORK/why")"
serve 22 || bail "no service"
firewall iptables || bail "no firewall"
configure_file <<EOF
door "ssh" {
    sequence = { ${steps[0]}, ${steps[1]}, ${steps[2]} }
    port     = 22
    rule     = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
}
EOF
starts "starts"
ok "a local user sends lines of his own" forge "${steps[@]}"
ok "they pass by the tag" poll 5 forged_all "$WORK/by-tag.log"
ok "they pass by the facility" poll 5 forged_all "$WORK/by-facility.log"
ok "root writes to the kernel's log" forge_as_kernel "${steps[@]}"
send_knock - "$GATE4" "${steps[@]}"
ok "a knock opens" says "door ssh: opened for $CLIENT4,"
ok "and lets in" can_connect "$GATE4" 22
is "no line of others is in the file" "$(forged_in "$KERN_LOG")" 0
ok "nor did they open a door" not said "for $forger"
is "nobody else can read the file" "$(stat -c '%a %U' "$KERN_LOG")" "600 root"
done_testing
