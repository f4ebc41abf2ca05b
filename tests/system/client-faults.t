#!/bin/bash
# What goes wrong for the client: each time one line that says what to do, and nothing is sent; times and one-time
# sequences that are never used twice.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "$0")/client.sh"

begin_client

# refused DESCRIPTION REGEX: the last knock sent nothing, and said one line.
refused() {
    is "$1: not sent" "$STATUS:$(count):$OUT" 1:0:
    like "$1: what to do" "$ERR" "^knock: $2"
    is "$1: one line" "$(wc -l <"$WORK/err")" 1
}

# --- options | what is said ------------------------------------------------------------------------------------------
while IFS='|' read -r options said; do
    # shellcheck disable=SC2086 # words are meant
    knock $options
    refused "$options" "$said"
done <<TABLE
-k $KEY 203.0.113.1 ssh|cannot send to 203.0.113.1: Network is unreachable; check this machine's IPv4 routes, or try -6
-k $KEY nosuchhost.invalid ssh|cannot resolve "nosuchhost.invalid": .*; check the name or give an address
-k $KEY -6 $GATE4 ssh|cannot resolve "$GATE4" to an IPv6 address: .*; try by IPv4
-k $HOME/none $GATE4 ssh|$HOME/none: .*No such file
-k $KEY 0.0.0.0 ssh|0.0.0.0 is no host's address: give the server's
-k $KEY -6 :: ssh|:: is no host's address: give the server's
--interface eth9 blind|this machine has no interface "eth9": give one that "ip link" shows
--bind 192.0.2.77 plain|192.0.2.77 is not an address of this machine
--bind 0.0.0.0 blind|command line: bind: "0.0.0.0" won't do: no host has this address
--bind 224.0.0.1 blind|command line: bind: "224.0.0.1" won't do: no host has this address
-k $KEY ::ffff:203.0.113.2 ssh|::ffff:203.0.113.2 is an IPv4 address written as one of IPv6: give 203.0.113.2
--bind stun $GATE4 7000|only sealed knocks are bound to what stun or address_command tells
--bind command $GATE4 7000 -p 22|only sealed knocks are bound to what stun or address_command tells
--bind stun plain|$CONF/knock.conf: profile plain: only sealed knocks are bound
--proxy --for 203.0.113.7 ssh $GATE4 22|--proxy can't connect to a port that opens for another address: leave out --for
nowhere|there is no profile "nowhere" in $CONF/knock.conf: add it, see knock.conf\(5\); or .*ports are missing: knock nowhere PORT
bilnd|there is no profile "bilnd" in $CONF/knock.conf; did you mean blind\?
--bind $CLIENT6 blind|a knock to $GATE4 can't come from $CLIENT6: bind it to an IPv4 address, or knock by IPv6
--for 203.0.113.7 --carrier tcp blind|$CONF/knock.conf: profile blind: a knock for another address doesn't fit the carrier tcp
--bind nonsense blind|command line: bind: "nonsense" won't do: expected auto, any, stun, command or the address
--span 60000 blind|command line: span: "60000" won't do: expected a number from 1 to 20480
--proxy ssh $GATE4 0|--proxy needs a PORT to connect to
--proxy ssh $GATE4 x|command line: port: "x" won't do: expected a number
--close plain|--close needs a sealed knock
--carrier udp plain|$CONF/knock.conf: profile plain: carrier is about sealed knocks
once|can't read the one-time sequences in $CONF/once: No such file
TABLE

# A filter of names answers so for those that it blocks.
echo "0.0.0.0 blocked.example" >"$WORK/hosts"
# shellcheck disable=SC2016 # the inner shell's
ip netns exec "$CLIENT" sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$WORK/hosts" \
    "${UNPRIVILEGED[@]}" "$KNOCK" blocked.example 7000 >"$WORK/out" 2>"$WORK/err"
is "a blocked name: not sent" $? 1
like "a blocked name: says so" "$(cat "$WORK/err")" \
    '^knock: "blocked.example" resolves to 0.0.0.0, .*: a DNS filter may block the name; give the server'

# --- files -----------------------------------------------------------------------------------------------------------
chmod 640 "$KEY"
knock blind
refused "a key that others may read" ".*gate.key: .*chmod 600|.*gate.key: .*mode"
chmod 600 "$KEY"
chmod 644 "$CONF/knock.conf"
knock blind
refused "profiles that others may read" "$CONF/knock.conf: others than its owner may use the profiles \(mode 0644\): chmod 600 the file"
chmod 600 "$CONF/knock.conf"
echo '7000' >"$CONF/once" && chown $NOBODY "$CONF/once" && chmod 620 "$CONF/once"
knock once
refused "one-time sequences that others may write" "$CONF/once: others may read or write it \(mode 0620\): chmod 600 it"
is "none is used up" "$(cat "$CONF/once")" 7000
mv "$CONF/knock.conf" "$CONF/away"
knock blind
refused "no profiles at all" "there is no profile \"blind\" in $CONF/knock.conf: there is no such file"
mv "$CONF/away" "$CONF/knock.conf"
mkdir -p "$HOME/.local/state" && chmod 555 "$HOME/.local/state"
knock blind
refused "a state directory that can't be made" "can't make the directory of $STATE/.*: Permission denied; nothing was sent"
chmod 700 "$HOME/.local/state" && chown $NOBODY "$HOME/.local/state"
knock blind
is "with it all is well" "$STATUS:$(count)" 0:24
LAST=$(echo "$STATE"/*.last)
chown 0 "$LAST"
knock blind
refused "a last time that can't be written" "can't open $LAST: Permission denied; nothing was sent"
chown $NOBODY "$LAST"
as_user env -u HOME "$KNOCK" -c "$CONF/knock.conf" blind 2>"$WORK/err"
is "no HOME: exits 1" $? 1
like "no HOME: says what to do" "$(cat "$WORK/err")" "^knock: HOME isn't set: set it, or XDG_STATE_HOME"

# A file system without room: nothing can be promised there.
mkdir "$WORK/full"
if mount -t tmpfs -o size=4k,nr_inodes=8 tmpfs "$WORK/full" 2>/dev/null; then
    chmod 777 "$WORK/full"
    head -c 4096 /dev/zero >"$WORK/full/filler"
    XDG_STATE_HOME=$WORK/full knock blind
    umount "$WORK/full"
    refused "a full disk" "can't write $WORK/full/knock/.*: No space left on device; nothing was sent"
else
    skip "a full disk" "no tmpfs can be mounted"
fi

# --- the clock -------------------------------------------------------------------------------------------------------
ahead() {
    printf '%010d 00000\n' $((EPOCHSECONDS + $1)) >"$LAST"
}
ahead 300
knock blind
refused "the clock is behind" "the clock is (2[6-9][0-9]|300) s behind the last knock with this key: set the clock, or .* remove $LAST"
ahead 30
before=$(cat "$LAST")
knock blind
is "a little behind: the time after the last" "$STATUS:$(cat "$LAST")" "0:${before% *} 00001"
ahead 30
knock --timeout 1 ssh
like "a little behind, and nothing opened: the clock may be why" "$STATUS:$ERR" \
    "2:.*this machine's clock was (2[5-9]|30) s behind the last knock with this key"

# --- another knock with the same key ---------------------------------------------------------------------------------
flock -F "$LAST" sleep 60 & # without -F the lock outlives it, by its child
holder=$!
started $holder
poll 5 not flock -n "$LAST" true
began=$(now_ms)
knock --timeout 1 ssh
refused "a held lock" "another knock with this key was still under way when the time was over; nothing was sent"
is "a held lock: no longer than --timeout" $(($(now_ms) - began < 1000 + HELD_UP)) 1
stop $holder
echo damaged >"$LAST"
knock blind
refused "a damaged last time" "$LAST is damaged: if this machine's clock is right .* remove the file"
rm "$LAST"

# --- a translator in between -----------------------------------------------------------------------------------------
client_address 10.9.9.2
ip -n "$CLIENT" route add 203.0.113.0/24 dev eth0 src 10.9.9.2
on_gate ip address add 203.0.113.1/24 dev eth0
on_gate ip route add 10.9.9.0/24 dev eth0
knock -k "$KEY" 203.0.113.1 ssh
refused "behind NAT" "203.0.113.1 will not see this machine's address 10.9.9.2 .*--stun HOST, .*--bind ADDRESS; or say unbound = true"
knock -k "$KEY" --bind 198.51.100.7 203.0.113.1 ssh
is "--bind ADDRESS is a way out" "$STATUS:$(message 198.51.100.7)" "0:udp bound 1 b72be2 0 0 -"
knock -k "$KEY" --bind any 203.0.113.1 ssh
is "--bind any is another" "$STATUS:$(message)" "0:udp any 1 b72be2 0 0 -"

# --- packets that don't leave ----------------------------------------------------------------------------------------
on_client iptables -I OUTPUT -p udp --dport 20000:32287 -j DROP
knock blind
refused "a firewall of one's own" "cannot send to udp $GATE4:[0-9]*: Operation not permitted; a firewall rule of this machine"
on_client iptables -D OUTPUT -p udp --dport 20000:32287 -j DROP

# --- dry run ---------------------------------------------------------------------------------------------------------
knock blind
before=$(cat "$LAST")
printf '7000,7001\n7002:udp\n' >"$CONF/once" && chmod 600 "$CONF/once"
knock --dry-run blind
is "--dry-run: sends nothing" "$STATUS:$(count)" 0:0
is "--dry-run: names each packet" "$(grep -c '^hitting udp' <<<"$OUT")" 24
is "--dry-run: uses no time up" "$(cat "$LAST")" "$before"
is "--dry-run: what it names is no knock for others" \
    "$(sed -n 's/^hitting udp .*:\([0-9]*\) with \([0-9]*\) bytes/udp - - \1 \2/p' <<<"$OUT" | unseal "$CLIENT4")" ""
for way in "blind|" "ssh|, until the port answers" "ssh --close|" "ssh --for 203.0.113.9|"; do
    # shellcheck disable=SC2086 # words are meant
    knock --dry-run --carrier packet ${way%|*}
    is "--dry-run ${way%|*}, one packet" "$STATUS:$(count):$(grep -c '^hitting udp .*:32287 with' <<<"$OUT")" 0:0:1
    like "--dry-run ${way%|*}, one packet: how often" "$OUT" \
        "the same again, from another source port${way#*|}"$'\n'"the content changes with each knock"
done
knock --dry-run once
is "--dry-run: the next one-time sequence" "$OUT" "hitting tcp $GATE4:7000"$'\n'"hitting tcp $GATE4:7001"
is "--dry-run: which stays the next" "$(head -1 "$CONF/once")" 7000,7001

# --- one-time sequences ----------------------------------------------------------------------------------------------
knock once
is "once: the first" "$STATUS:$(arrived | cut -d' ' -f1,4 | xargs)" "0:tcp 7000 tcp 7001"
is "once: is marked" "$(cat "$CONF/once")" $'#7000,7001\n7002:udp'
knock --once "$CONF/once" ssh --timeout 1
is "--once FILE: the second, in a sealed profile's place" "$STATUS:$(arrived | cut -d' ' -f1,4 | sort -u)" "2:udp 7002"
knock once
refused "once: none is left" "no one-time sequence is left in $CONF/once: add new ones, there and on the server"

# --- no time is ever used twice: both families, bound and not, by two profiles and two copies of one key, at once, and
# some of them killed --------------------------------------------------------------------------------------------------
cp "$KEY" "$CONF/copy.key"
own_home
FROM=$(wc -l <"$TAP")
clients=()
{
    for _ in 1 2 3 4; do
        for options in blind blind6 "--bind any blind" "--bind any blind6" "--close blind" \
            "-k $CONF/copy.key $GATE4 ssh"; do
            # shellcheck disable=SC2086 # words are meant
            ip netns exec "$CLIENT" "${UNPRIVILEGED[@]}" "$KNOCK" -d 1 $options </dev/null >/dev/null 2>&1 &
            clients+=($!)
            started $!
        done
        sleep "0.0$((RANDOM % 9))"
        kill -KILL "${clients[-1]}" "${clients[-4]}"
    done
    wait "${clients[@]}"
} 2>/dev/null
sentinel
# The hint and the time stand in the first four slots, and are told without the key.
arrived | perl -ane '
    my ($slot, $value) = (int(($F[3] - 20000) / 64), (($F[3] - 20000) % 64) << 10 | $F[4]);
    $time{"@F[1, 2]"}[$slot] = $value if $slot < 4;
    END { for (sort keys %time) { print join("-", map { $_ // "?" } @{$time{$_}}[1 .. 3]), "\n" } }
' | grep -v '?' >"$WORK/times"
diag "$(wc -l <"$WORK/times") messages"
ok "many messages arrived" [ "$(wc -l <"$WORK/times")" -ge 16 ]
is "each has a time of its own" "$(sort -u "$WORK/times" | wc -l)" "$(wc -l <"$WORK/times")"
knock blind
is "and the next one gets its turn" "$STATUS" 0

done_testing
