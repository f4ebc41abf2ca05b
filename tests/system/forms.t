#!/bin/bash
# What dmesg and journalctl print in all their forms, in other languages and colours, of packets that the kernel logged:
# `knockd -r` finds the same packets in each, and the same knocks; or it says why it doesn't.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=journald.sh
. "$(dirname "$0")/journald.sh"

inside=() language=() reference='' opened=''
no_header='^knockd: [0-9]+ lines look like the firewall.s, but for their header'

logged() {
    [ "$(kernel_lines "" | wc -l)" = 6 ]
}

packets() {
    "$KNOCKD" -r - --packets -c "$CONFIG"
}

# replay: the doors that standard input would have opened.
replay() {
    "$KNOCKD" -r - -c "$CONFIG" | grep " open "
}

# A knock of each family; whatever time a form may have lost is short of its timeout.
knocks() {
    configure_file <<EOF
door "ssh" {
    sequence    = { 7412, 28733:udp, 51990 }
    seq_timeout = 300
    port        = 2222
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
}
EOF
    send_knock "$CLIENT4" "$GATE4" 7412 28733:udp 51990
    send_knock "$CLIENT6" "$GATE6" 7412 28733:udp 51990
    ok "the kernel logs the packets" poll 5 logged
    # What others log meanwhile may push ours out of the kernel's memory.
    dmesg -P -r | grep -F -- "$LOG_PREFIX" >"$WORK/raw"
    reference=$(packets <"$WORK/raw")
    opened="$CLIENT4 $CLIENT6"
    is "six of them" "$(wc -l <<<"$reference")" 6
}

# kernel_log OPTION...: dmesg of the six packets, in the language.
kernel_log() {
    env "${language[@]}" dmesg -P -F "$WORK/raw" "$@"
}

# form NAME COMMAND...: what the command prints.
form() {
    local name=$1
    shift
    "$@" >"$WORK/form"
    is "$name: the same packets" "$(packets <"$WORK/form")" "$reference"
    is "$name: the same knocks" "$(replay <"$WORK/form" | sed 's/.* //' | xargs)" "$opened"
}

# silent NAME COMMAND...: it tells of no packet, and knockd says why.
silent() {
    local name=$1
    shift
    "$@" >"$WORK/form"
    is "$name: nothing" "$(packets <"$WORK/form")" ""
    like "$name: says why" "$("$KNOCKD" -r - -c "$CONFIG" <"$WORK/form" 2>&1 >/dev/null)" "$no_header"
}

by_dmesg() {
    local options
    for options in "" -k -x -r -T -e -H -d "-x -T" "-x -d" "-x -e" "-x -t" "-d -T" "-d -t" --time-format=iso \
        --time-format=ctime --time-format=reltime --time-format=delta "-x --time-format=iso" -L=always \
        "-x -L=always" "-T -L=always" "-H -L=always" "-x --time-format=iso -L=always"; do
        # shellcheck disable=SC2086 # several options
        if kernel_log $options >/dev/null 2>"$WORK/lacks"; then
            # shellcheck disable=SC2086 # several options
            form "dmesg $options" kernel_log $options
        else
            skip "dmesg $options" "$(head -n 1 "$WORK/lacks")"
        fi
    done
    silent "dmesg -t" kernel_log -t
    silent "dmesg --time-format=notime" kernel_log --time-format=notime
    like "dmesg -T: this year's times" "$(kernel_log -T | replay)" "^$(date +%Y)-[0-9:T-]+ open ssh $CLIENT4"
}

# The languages that differ most: marks, other letters, numbers, blanks in names, right to left.
by_language() {
    local name expected
    expected=$(kernel_log -T | replay)
    mkdir "$WORK/locales"
    for name in de_DE fr_FR ru_RU ja_JP ar_SY fa_IR; do
        if ! localedef -i $name -f UTF-8 "$WORK/locales/$name.UTF-8" >/dev/null 2>&1; then
            skip "dmesg -T in $name" "no locales can be made here"
            continue
        fi
        language=(LOCPATH="$WORK/locales" LC_ALL="$name.UTF-8")
        form "dmesg -T in $name" kernel_log -T
        is "dmesg -T in $name: the same times" \
            "$(env "${language[@]}" "$KNOCKD" -r - -c "$CONFIG" <"$WORK/form" | grep " open ")" "$expected"
        like "dmesg -T in $name, read in another: times" "$(replay <"$WORK/form")" \
            "^$(date +%Y)-[0-9:T-]+ open ssh $CLIENT4"
        form "dmesg -d -T in $name" kernel_log -d -T
        form "dmesg -e in $name" kernel_log -e
        form "dmesg -x -H -L=always in $name" kernel_log -x -H -L=always
    done
    language=()
}

journal() {
    "${inside[@]}" env SYSTEMD_COLORS="${colours:-0}" journalctl --no-pager -q "$@"
}

journal_logged() {
    [ "$(journal -k -o cat | grep -cF -- "$LOG_PREFIX")" = 6 ]
}

# As knockd(8) has it.
from_json() {
    journal -k -o json | jq -r 'select(._TRANSPORT == "kernel" and .SYSLOG_FACILITY == "0")
        | "\(.__REALTIME_TIMESTAMP[:-6]).\(.__REALTIME_TIMESTAMP[-6:]) kernel: "
        + (.MESSAGE | strings | split("\n")[0])'
}

by_journalctl() {
    local form colours=0
    if [ -z "$JOURNALD_PID" ]; then
        skip "journalctl" "$(tail -n 1 "$WORK/no-journald")"
        return
    fi
    with_journald
    ok "the journal has the packets" poll 20 journal_logged
    for form in short short-full short-iso short-iso-precise short-precise short-unix short-monotonic short-delta \
        with-unit; do
        if ! journal -n 1 -o $form >/dev/null 2>"$WORK/lacks"; then
            skip "journalctl -o $form" "$(head -n 1 "$WORK/lacks")"
            continue
        fi
        form "journalctl -o $form" journal -k -o $form
        form "journalctl -o $form --no-hostname" journal -k -o $form --no-hostname
        form "journalctl -o $form --utc" journal -k -o $form --utc
        colours=1
        form "journalctl -o $form, coloured" journal -k -o $form
        colours=0
    done
    TZ=America/Sao_Paulo form "journalctl -o short-full, a zone without a name" journal -k -o short-full
    for form in cat verbose export json json-pretty; do
        silent "journalctl -o $form" journal -k -o $form
    done
    if command -v jq >/dev/null; then
        form "journalctl -o json, by jq" from_json
    else
        skip "journalctl -o json, by jq" "no jq here"
    fi
}

needs_gate
{ firewall4 && firewall6; } || bail "no firewall"
private_journald 2>"$WORK/no-journald" || JOURNALD_PID=''
knocks
by_dmesg
by_language
by_journalctl
done_testing
