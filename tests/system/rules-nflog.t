#!/bin/bash
# knockctl rules for a source of NFLOG, on a host of its own: the rules load, --check finds nothing wrong with them and
# tells what is wrong with others, and knocks reach the group through them: a sequence, and one sealed packet by the
# very profile that knockctl key new prints.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=device.sh
. "$(dirname "$0")/device.sh"

SERVICE=2222
knock_ports=(7412 8733:udp 5199)

needs_gate
[ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
[ -x "$KNOCK" ] || bail "no knock at $KNOCK; run make first, or say KNOCK=PATH"
command -v nft >/dev/null || skip_all "needs the command nft; see scripts/deps.sh"

with_rule='rule = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"'
with_set='start_command = "nft add element inet knockd knock%FAMILY% { %IP% . %PROTO% . %PORT% timeout %TIMEOUT%s }"
    stop_command  = "nft delete element inet knockd knock%FAMILY% { %IP% . %PROTO% . %PORT% }"
    stop_ok       = { 0, 1 }'

# make_config SOURCE HOW: a door that opens so, by a sequence and by sealed knocks.
make_config() {
    configure "$1" <<EOF
key_dir = "$WORK/keys"
door "ssh" {
    sequence    = { 7412, 8733:udp, 5199 }
    key         = "alice"
    port        = "$SERVICE:tcp"
    cmd_timeout = 2
    $2
}
sealed { server = "gate.example"  packet_port = 443 }
EOF
}

rules() {
    on_gate "$KNOCKCTL" rules -c "$CONFIG" "$@" 2>"$WORK/said"
}

# apply KIND [OPTION...]
apply() {
    local kind=$1
    shift
    on_gate nft flush ruleset
    if [ "$kind" = nft ]; then
        rules --nft "$@" | on_gate nft -f -
    else
        rules -4 "$@" | on_gate iptables-restore --noflush && rules -6 "$@" | on_gate ip6tables-restore --noflush
    fi
}

finds_nothing() {
    is "$1: nothing is found" "$(rules --check)$(cat "$WORK/said")" ""
}

# finds DESCRIPTION TEXT: each line says that.
finds() {
    rules --check >"$WORK/found"
    is "$1: status" $? 1
    ok "$1: says so" grep -q -- "$2" "$WORK/found"
    is "$1: and nothing else" "$(grep -v -- "$2" "$WORK/found")" ""
}

door_closed() {
    ! can_connect -w 0.2 "$1" $SERVICE
}

knocks() {
    local kind=$1 family gate
    for family in 4 6; do
        gate=GATE$family gate=${!gate}
        ok "$kind, IPv$family: closed" poll 5 door_closed "$gate"
        mark_log
        send_knock - "$gate" "${knock_ports[@]}"
        ok "$kind, IPv$family: a knock is heard" says "door ssh: opened for "
        ok "$kind, IPv$family: and opens" can_connect "$gate" $SERVICE
        ok "$kind, IPv$family: closes" poll 5 door_closed "$gate"
        mark_log
        sed -i "s/^\( *host *= \).*/\1\"$gate\"/" "$HOME/.config/knock/knock.conf"
        as_user "$KNOCK" ssh-alice-gate.example >"$WORK/out" 2>&1
        is "$kind, IPv$family: one packet opens" "$?:$(grep -v 'is open$' "$WORK/out")" 0:
        ok "$kind, IPv$family: says whose" says "door ssh: opened for .*alice"
    done
}

make_home
mkdir -m 700 "$WORK/keys"
serve $SERVICE || bail "no service"
make_config 'type = nflog group = 5' "$with_rule"
on_gate "$KNOCKCTL" key new alice -c "$CONFIG" 2>"$WORK/said" >"$WORK/printed"
device alice knock.conf <"$WORK/printed"
ok "the profile's knock is one packet" grep -q '^ *carrier *= packet$' "$HOME/.config/knock/knock.conf"
ok "to the port of the configuration" grep -q '^ *packet_port *= 443$' "$HOME/.config/knock/knock.conf"
chmod 600 "$HOME/.config/knock/knock.conf" "$device_key"

run_knockd -v >/dev/null 2>&1
if grep -q "built without" "$KNOCKD_LOG"; then
    skip "knocks reach the group" "knockd was built without libnetfilter_log"
    heard=''
else
    stop_knockd
    heard=yes
fi

for kind in iptables nft; do
    if [ $kind = nft ]; then how=$with_set; else how=$with_rule; fi
    make_config 'type = kmsg' "$how"
    ok "$kind: rules that log for the kernel's log are taken" apply $kind
    finds_nothing "$kind: they suit the source kmsg"
    rules --nflog >/dev/null
    is "$kind: --nflog without a source of it: status" $? 1
    like "$kind: --nflog without a source of it: said" "$(cat "$WORK/said")" "no source reads a group of NFLOG"
    make_config 'type = nflog group = 5' "$how"
    finds "$kind: no rule hands anything to NFLOG" "to the kernel's log, which no source reads; hand them to group 5 of NFLOG$"
    ok "$kind: rules for NFLOG are taken" apply $kind
    finds_nothing "$kind: they suit the source"
    make_config 'type = nflog group = 7' "$how"
    finds "$kind: another group" "to a group of NFLOG that no source reads; use group 7, or give the source this one$"
    make_config 'type = nflog group = 5' "$how"
    sed -i "s/prefix = .*/prefix = \"[OTHER]\"/" "$CONFIG"
    finds "$kind: another prefix" "to NFLOG with a prefix that no source of group 5 has; "
    make_config "type = nflog group = 5 prefix = \"$LOG_PREFIX\" } source \"log\" { type = kmsg" "$how"
    finds "$kind: no rule for the other source" "without a line in the log; log them before it$"
    ok "$kind: rules for both are taken" apply $kind
    finds_nothing "$kind: they suit both sources"
    ok "$kind: rules for NFLOG alone are taken" apply $kind --nflog
    finds "$kind: NFLOG alone, of two sources" "without a line in the log; log them before it$"
    make_config 'type = nflog group = 5' "$how"
    if [ -n "$heard" ]; then
        apply $kind
        starts "$kind: starts"
        knocks $kind
        like "$kind: knockctl tells what the source reads" "$(on_gate "$KNOCKCTL" sources -c "$CONFIG")" \
            "^source firewall \\(nflog, NFLOG group 5\\): last packet .* ago, last match "
        like "$kind: and so for programs" "$(on_gate "$KNOCKCTL" sources --json -c "$CONFIG")" '"reads": *"NFLOG group 5"'
        stop_knockd
    fi
done

# A capture needs no rule: what is printed closes the door, and lets the port of a knock be open for all.
configure 'type = pcap' <<<"door ssh { sequence = { 7412, 8733:udp, 5199 } port = $SERVICE:tcp $with_rule }"
sed -i '/^ *prefix/d' "$CONFIG"
ok "capture: rules are taken, with a knock's port open for all" apply iptables --accept 5199
finds_nothing "capture: they suit"
ok "capture: the door is closed" door_closed "$GATE4"
on_gate iptables -I INPUT -p tcp --dport $SERVICE -j ACCEPT
finds "capture: the door's port is open for all" "^IPv4: .*accepts $SERVICE:tcp for everyone, which a door is to open; drop them before it$"
done_testing
