# Sourced by the tests of sealed knocks in numbers, after control.sh and client.sh: users, each with a key and a home
# of its own, who knock at once, and a door for all of them.
# shellcheck shell=bash

# shellcheck disable=SC2034 # for those who source this
SPAN=20000:32287 # what knockd and the client take without being told
outcomes=''

# needs_crowd USERS [DOORS]: hosts, a gate that is shut, a service behind it, knockd with a door for users 1 to USERS, and
# with more doors.
needs_crowd() {
    needs_gate
    needs_knockctl
    [ -x "$KNOCK" ] || bail "no $KNOCK; run make first"
    if ! firewall4 || ! serve "$SERVICE"; then
        bail "the gate could not be made"
    fi
    configure "type = kmsg" <<TABLE
key_dir = "$WORK/keys"
sealed { server = "gate.example" }
door "ssh" {
    key         = { $(seq -s, -f u%g "$1") }
    port        = $SERVICE
    cmd_timeout = 60
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
}
${2:-}
TABLE
    for user in $(seq "$1"); do
        make_user "$user" || bail "no key for user $user"
    done
    chown -R "$NOBODY:$NOBODY" "$WORK/crowd"
    starts "knockd starts with $1 keys"
}

# A key on both sides.
make_user() {
    local conf=$WORK/crowd/$1/.config/knock
    mkdir -p "$conf"
    "$KNOCKCTL" key new "u$1" -c "$CONFIG" >"$WORK/out" 2>&1 && cp "$WORK/keys/u$1.key" "$conf/key" || return 1
    cat >"$conf/knock.conf" <<TABLE
profile "gate"  { host = $GATE4  door = "ssh"  key = "key"  port = $SERVICE }
profile "blind" { host = $GATE4  door = "ssh"  key = "key" }
TABLE
    chmod 600 "$conf/knock.conf" "$conf/key"
}

# knock_as USER HOST ARGUMENT...: as the client's user, on that host. Doesn't return.
knock_as() {
    local home=$WORK/crowd/$1 host=$2
    shift 2
    exec ip netns exec "$host" "${UNPRIVILEGED[@]}" env -u XDG_CONFIG_HOME -u XDG_STATE_HOME HOME="$home" \
        "$KNOCK" "$@" </dev/null
}

# at_once COUNT COMMAND ARGUMENT...: runs COMMAND I ARGUMENT... for I from 1 to COUNT, all at the same time; sets
# outcomes to all exit statuses, like "0 0 2".
at_once() {
    local count=$1 command=$2 pids=() pid i
    shift 2
    for i in $(seq "$count"); do
        ("$command" "$i" "$@") >"$WORK/said.$i" 2>&1 &
        pids+=($!)
    done
    outcomes=''
    for pid in "${pids[@]}"; do
        wait "$pid"
        outcomes+="${outcomes:+ }$?"
    done
}

# How many of the outcomes are 0.
went_well() {
    tr ' ' '\n' <<<"$outcomes" | grep -cx 0
}

# shut_all: what is open is closed, and the firewall has no rule of it any more.
shut_all() {
    ctl close ssh
    poll 10 is_shut || bail "the door does not close"
}

is_shut() {
    ! rules iptables "$SERVICE" >"$WORK/rules"
}

# The time of the last line in the kernel's log, which is short: numbers of lines don't stay what they are.
kernel_time() {
    dmesg | sed -n '$s/^\[ *\([0-9.]*\)\].*/\1/p'
}

# span_lines TIME ADDRESS: lines of the kernel's log, later than that, about packets from there to the span.
span_lines() {
    kernel_lines "SRC=$2 " | awk -F '[][]' -v time="$1" '$2 + 0 > time + 0' | grep -E ' DPT=(2[0-9]|3[01])[0-9]{3} '
}
