#!/bin/bash
# A command that fails by the sandbox of knockd.service: the log says so, and which setting it is. The sandbox is
# imitated: a read-only /etc, a right that is dropped, and what systemd tells a service. Without that nothing is said.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

steps=(7412 28733:udp 51990)
hint='that is probably the sandbox of the unit knockd.service:'
real=$KNOCKD

# door NAME PORT COMMAND
door() {
    cat <<EOF2
door "$1" {
    sequence      = { $2, 28733:udp, 51990 }
    start_command = "$3"
    stop_command  = "/bin/true"
    cmd_timeout   = 1
}
EOF2
}

# confined [NAME=VALUE]...: knockd as the unit has it, with that in its environment.
confined() {
    cat >"$WORK/confined" <<EOF2
#!/bin/sh
exec env -u INVOCATION_ID -u SYSTEMD_EXEC_PID $* unshare -m sh -c 'mount --bind /etc /etc && mount -o remount,ro,bind /etc &&
    exec setpriv --bounding-set -net_admin "\$@"' sh "$real" "\$@"
EOF2
    chmod +x "$WORK/confined"
    KNOCKD=$WORK/confined
}

# fails DESCRIPTION PORT ADDRESS: a knock whose command fails.
fails() {
    mark_log
    log_packets "$3" "$2" "${steps[@]:1}"
    ok "$1: a command fails" says "failed for $3: its start command failed"
}

needs_gate
: >"$KERN_LOG"
{
    door writes 7412 "/usr/bin/touch /etc/knockd-denied-$$"
    door rule 7413 "iptables -I INPUT -s %IP% -j ACCEPT"
    door hidden 7414 "/bin/cat /root/no-such-folder/file"
    door other 7415 "/bin/cat /opt/no-such-folder/file"
} | configure_file

confined INVOCATION_ID=1
starts "as the unit's"
fails "a read-only folder" 7412 192.0.2.1
ok "the log names the settings" says "door writes: .* $hint ProtectSystem= .*ReadWritePaths= by .systemctl edit knockd."
fails "a right that is missing" 7413 192.0.2.2
ok "the log names the setting" says "door rule: .* $hint CapabilityBoundingSet= .*systemctl edit knockd"
fails "a hidden file" 7414 192.0.2.3
ok "the log names the settings" says "door hidden: .* $hint ProtectHome= and PrivateTmp= "
fails "a file that is nowhere" 7415 192.0.2.4
ok "the log blames nobody" not said "$hint"
stop_knockd

confined
starts "run by a shell"
fails "a read-only folder" 7412 192.0.2.5
ok "no unit is blamed" not said "$hint"
stop_knockd

confined INVOCATION_ID=1 SYSTEMD_EXEC_PID=1
starts "run by the shell of another service"
fails "a read-only folder" 7412 192.0.2.6
ok "no unit is blamed" not said "$hint"
stop_knockd
# again NAME PORT STOP-COMMAND [SETTING...]: a door whose stop command, or check, will fail again and again.
again() {
    door "$1" "$2" /bin/true | sed "s|stop_command .*|stop_command = \"$3\" ${*:4}|"
}

{
    again stop 7412 "/usr/bin/touch /etc/knockd-denied-$$"
    again check 7413 /bin/true 'check_command = "/bin/sh -c \x27exit 2\x27" check_interval = 1' |
        sed 's|cmd_timeout .*|cmd_timeout = 600|'
} | configure_file
confined INVOCATION_ID=1
starts "with commands that fail again and again"
mark_log
log_packets 192.0.2.7 "${steps[@]}"
log_packets 192.0.2.8 7413 "${steps[@]:1}"
ok "it can't be closed" says "door stop: NOT CLOSED for 192.0.2.7: its stop command failed, attempt 3" 30
is "each attempt is said" "$(said_lines 'NOT CLOSED' | wc -l)" 3
for line in 'output: .*Read-only file system' 'command exited with status 1' "$hint"; do
    is "once: $line" "$(said_lines "door stop: .* ?$line" | wc -l)" 1
done
is "a check that can't tell says so once" "$(said_lines 'door check: .*command exited with status 2' | wc -l)" 1
stop_knockd

done_testing
