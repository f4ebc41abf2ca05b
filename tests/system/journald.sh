# Sourced: a systemd-journald of our own, in a mount namespace where the journal's folders are private. The machine's
# journal, if it has one, neither hears nor shows anything of it.
# shellcheck shell=bash

JOURNALD_PID=''

# journald_lacks: why there can't be one; nothing when it can be tried. A folder that is missing can't be made private.
journald_lacks() {
    local command folder
    [ -n "$(journald_program)" ] || { echo "no systemd-journald here"; return; }
    for command in journalctl unshare nsenter; do
        command -v "$command" >/dev/null || { echo "no $command here"; return; }
    done
    for folder in /run/log /run/systemd; do
        [ -d "$folder" ] || { echo "no $folder here"; return; }
    done
    [ -s /etc/machine-id ] || echo "no /etc/machine-id, which names the journal's folder"
}

journald_program() {
    local program
    for program in /lib/systemd/systemd-journald /usr/lib/systemd/systemd-journald; do
        [ ! -x "$program" ] || { echo "$program"; return; }
    done
}

# Runs in the new namespace. Audit= empty leaves the kernel's auditing as it is. The journal's group may read it, as
# on a machine that systemd-tmpfiles has set up.
journald_places() {
    local folder journal
    for folder in /run/log /run/systemd /var/log/journal; do
        [ ! -d "$folder" ] || mount -t tmpfs -o mode=755 tmpfs "$folder" || return 1
    done
    journal=/run/log/journal/$(cat /etc/machine-id)
    mkdir -p /run/systemd/journald.conf.d /run/systemd/journal "$journal" || return 1
    ! getent group systemd-journal >/dev/null || {
        chgrp -R systemd-journal /run/log/journal && chmod -R 2755 /run/log/journal
    } || return 1
    cat >/run/systemd/journald.conf.d/private.conf <<'EOF'
[Journal]
Storage=volatile
RuntimeMaxUse=32M
RateLimitIntervalSec=0
ReadKMsg=yes
Audit=
ForwardToSyslog=no
ForwardToWall=no
EOF
}

journald_up() {
    [ -S "/proc/$JOURNALD_PID/root/run/systemd/journal/socket" ] || ended "$JOURNALD_PID"
}

# private_journald: starts it; it reads the kernel's log. Sets JOURNALD_PID. A network namespace, because the first one
# has the kernel's audit.
private_journald() {
    local lacks log=$WORK/journald.log
    lacks=$(journald_lacks)
    [ -z "$lacks" ] || { echo "journald: $lacks" >&2; return 1; }
    # shellcheck disable=SC2016 # for that shell
    unshare --mount --net --propagation slave bash -c '. "$1" && journald_places && exec "$(journald_program)"' \
        journald "${BASH_SOURCE[0]}" </dev/null >"$log" 2>&1 &
    JOURNALD_PID=$!
    started "$JOURNALD_PID"
    poll 5 journald_up && ! ended "$JOURNALD_PID" && return
    echo "journald: it did not start: $(cat "$log")$(dmesg | grep -F "journald[$JOURNALD_PID]" | tail -n 1)" >&2
    return 1
}

# The words before a command that shall see its journal.
# shellcheck disable=SC2034 # for those who source this
with_journald() {
    inside=(nsenter "--mount=/proc/$JOURNALD_PID/ns/mnt")
}
