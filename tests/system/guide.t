#!/bin/bash
# README.md's guide "A first door", as far as it can be followed without systemd: its configuration, its commands, and
# what it says that the log says. A command or a text that changes there fails here.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=guide.sh
. "$(dirname "$0")/guide.sh"

OPEN_FOR=4

needs_gate
[ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
read_guide "A first door"

# The guide's, with the sequence that was drawn.
write_config() {
    {
        printf 'user = nobody\nstate_dir = "%s"\ncontrol = "%s"\n' "$WORK/state" "$WORK/control"
        sed -n '/^source /,/^}/p; /^door /,/^}/p' "$GUIDE" |
            sed "s/^    sequence .*/    $sequence/; s/\[KNOCK\] /$LOG_PREFIX/; s/cmd_timeout = 30/cmd_timeout = $OPEN_FOR/"
    } >"$CONFIG"
}

serve 22 || bail "no service"
serve 80 || bail "no service"
like "the guide's sequence looks as knockctl prints it" "$(grep '^sequence' "$GUIDE" | tr 0-9 N | tr -s N)" \
    '^sequence = \{ ("N:(tcp|udp)",? ){5}\}$'
sequence=$(on_gate "$KNOCKCTL" sequence)
like "knockctl sequence draws one" "$sequence" '^sequence = \{ ("[0-9]+:(tcp|udp)",? ){5}\}$'
read -r -a knock <<<"$(tr -dc '0-9a-z: ' <<<"${sequence#*=}")"
is "one knock for each port" ${#knock[@]} 5

write_config
is "knockd -t" "$(verdict on_gate "$KNOCKD" -t -c "$CONFIG")" "configuration OK"
ok "as the guide shows" guide_shows "configuration OK"
starts "knockd starts before the firewall's rules do"
# A sanitizer build has a sandbox of its own, and says so.
is "and says what the guide shows" "$(said_lines ready | sed 's/sandbox sanitizer/sandbox strict/')" \
    "$(grep ready: "$GUIDE")"

hold_connection "$GATE4" 22
try_rules
ok "new connections to port 22 are denied" not can_connect -w 0.2 "$GATE4" 22
ok "by IPv6 as well" not can_connect -w 0.2 "$GATE6" 22
ok "what is named stays open" can_connect "$GATE4" 80
ok "a session lives on" still_talks

read -r -a shown <<<"$(prompted '\$' knock | sed 's/ &&.*//; s/yourhost //')"
is "the guide knocks at the ports of its configuration" \
    "$(printf '%s ' "${shown[@]}" | sed 's/:tcp//g')" \
    "$(grep -m 1 '^sequence' "$GUIDE" | tr -dc '0-9a-z: ' | sed 's/sequence//; s/:tcp//g' | xargs) "
ok "the knock" on_client "$KNOCK" "$GATE4" "${knock[@]}"
ok "opens" says "opened for $CLIENT4"
ok "and lets in" hold_connection "$GATE4" 22
is "the log says so, as the guide shows" "$(like_the_guide 'opened for')" "$(grep 'opened for' "$GUIDE")"
ok "the door closes" says "closed for $CLIENT4"
is "the log says that, too" "$(like_the_guide 'closed for')" "$(grep 'closed for' "$GUIDE")"
ok "closed" not can_connect -w 0.2 "$GATE4" 22
ok "the login goes on" still_talks

like "the guide replays the log" "$(prompted '#' dmesg)" '\| knockd -r -$'
like "which tells of the knock" "$(dmesg | "$KNOCKD" -c "$CONFIG" -r -)" "open ssh $CLIENT4"
ok "dmesg shows its packets" test -n "$(kernel_lines "SRC=$CLIENT4 ")"

keep_rules
ok "and the port stays closed" not can_connect -w 0.2 "$GATE4" 22
stop_knockd
is "knockd's end" $? 0
done_testing
