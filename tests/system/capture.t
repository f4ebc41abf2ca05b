#!/bin/bash
# knockd -r with captures: pcap and pcapng of each kind of link, damaged ones, and what opens nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

data=''


# capture OPTION... KIND [PACKETS]: a capture made by captures.pl.
capture() {
    perl "$TREE/tests/system/captures.pl" "$@"
}

# replay ARGUMENT...: what it prints, and the status if it isn't 0.
replay() {
    "$KNOCKD" "$@" 2>&1 || echo "status $?"
}

# seen ARGUMENT...: the doors, and the counters that aren't 0, in a line, of a capture in standard input.
seen() {
    replay -r - -c "${1:-$data/replay.conf}" | grep -v ' 0$' | xargs
}

# log_of CAPTURE: the same packets as lines of the firewall, a second apart.
log_of() {
    "$KNOCKD" -r "$1" --packets | awk -F'\t' '{
        printf "2026-11-23T14:00:%02d.123456Z gate kernel: [DENY] IN=eth0 OUT= MAC= SRC=%s DST=%s ", NR - 1, $2, $4
        printf $2 ~ /:/ ? "LEN=72 TC=0 HOPLIMIT=64 FLOWLBL=0 " : "LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 "
        if ($1 == "TCP") printf "PROTO=TCP SPT=%s DPT=%s WINDOW=64240 RES=0x00 SYN URGP=0 \n", $3, $5
        else printf "PROTO=UDP SPT=%s DPT=%s LEN=%s \n", $3, $5, $7 }'
}
# opens: a capture in standard input opens something, or the replay fails.
opens() {
    replay -r - -c "$data/replay.conf" | grep -E ' open |status'
}

# copy_data: the tree may be another user's, whose configuration is refused.
copy_data() {
    data=$WORK/data
    cp -R "$TREE/tests/data/replay" "$data" || bail "no copy of the data"
}

netns_begin
trap tap_end EXIT
needs_knockd
copy_data

time=2026-11-23T14:00:02.123456
opened="${time}Z open ssh 203.0.113.9 lines 3 packets 3 opened 1"
opened6=${opened/203.0.113.9/2001:db8::9}

# --- links ---

for link in ethernet vlan qinq pppoe raw sll sll2 null null-swapped loop ppp ppp-hdlc ppp-short ppp-serial cisco ppp-in; do
    is "$link" "$(capture $link | seen)" "$opened"
    is "$link, IPv6" "$(capture $link knock6 | seen)" "$opened6"
    is "$link, of a big-endian host" "$(capture -b $link | seen)" "$opened"
done
is "IPv4 alone" "$(capture ip4 | seen)" "$opened"
is "IPv6 alone" "$(capture ip6 knock6 | seen)" "$opened6"
for link in sll-out sll2-out ppp-out; do
    is "$link: this host's own" "$(capture $link | seen)" "lines 3 packets 3 ignored_outgoing 3"
done
for link in sll2-group multicast; do
    is "$link: sent to a group" "$(capture $link | seen)" "lines 3 packets 3 ignored_group 3"
done
is "sent to another host" "$(capture sll2-other | seen)" "lines 3 packets 3 ignored_filter 3"

# --- kinds of files ---

for order in '' -b; do
    # shellcheck disable=SC2086 # no option, or one
    {
        is "nanoseconds $order" "$(capture $order -n ethernet | seen)" "${opened/456Z/456789Z}"
        is "pcapng $order" "$(capture $order -g ethernet | seen)" "$opened"
        is "pcapng, nanoseconds $order" "$(capture $order -g -n ethernet | seen)" "${opened/456Z/456789Z}"
    }
done
capture ethernet >"$WORK/knock.pcap"
capture sll2 arp >"$WORK/arp.pcap"
mkfifo "$WORK/endless"
env --default-signal=INT "$KNOCKD" -r - -c "$data/replay.conf" <"$WORK/endless" >"$WORK/live" &
replay_pid=$!
started $replay_pid
exec 9>"$WORK/endless"
cat "$WORK/knock.pcap" >&9
ok "^C: a capture is being read" poll 5 grep -q "open ssh 203.0.113.9" "$WORK/live"
kill -INT $replay_pid
wait $replay_pid
is "^C: ends as at the end of the capture" $? 0
is "^C: with its counters" "$(grep -c '^opened 1$' "$WORK/live")" 1
exec 9>&-
is "a file" "$(replay -r "$WORK/knock.pcap" -c "$data/replay.conf" | head -1)" "${time}Z open ssh 203.0.113.9"
is "packets of any kind, without configuration" "$(capture vlan | replay -r - --packets | tr '\t' ' ')" \
    "TCP 203.0.113.9 4711 192.0.2.2 7000 SYN 40
UDP 203.0.113.9 4712 192.0.2.2 8000 - 40
TCP 203.0.113.9 4711 192.0.2.2 9000 SYN 40"
is "packets that no source would get, too" "$(capture sll2-other | replay -r - --packets | wc -l)" 3
is "no IP" "$(seen <"$WORK/arp.pcap")" "lines 1 ignored_foreign 1"

# --- like a source that captures ---

is "what concerns no door" "$(capture ethernet others | seen)" "lines 3 packets 3 ignored_filter 3"
is "strays are forgiven" "$(capture ethernet strays | seen | grep -o 'open ssh 203.0.113.9')" "open ssh 203.0.113.9"
for packets in strays3 decoy; do
    is "$packets opens nothing" "$(capture ethernet $packets | opens)" ""
done
is "in a log none is" "$(capture ethernet strays >"$WORK/one.pcap"; log_of "$WORK/one.pcap" | opens)" ""

# --- like its log ---

for packets in knock knock6 padded options headers6 atomic6; do
    capture ethernet $packets >"$WORK/one.pcap"
    log_of "$WORK/one.pcap" >"$WORK/one.log"
    is "$packets: the same as its log" "$(replay -r "$WORK/one.pcap" -c "$data/replay.conf")" \
        "$(replay -r "$WORK/one.log" -c "$data/replay.conf")"
    is "$packets: opens" "$(grep -c open <<<"$(replay -r "$WORK/one.pcap" -c "$data/replay.conf" | grep ' open ')")" 1
done
sed 's/^door "ssh" {/&\n    interface = "eth7"/' "$data/replay.conf" >"$WORK/interface.conf"
is "no capture names interfaces: any may be the door's" "$(capture ethernet | seen "$WORK/interface.conf")" "$opened"

# --- what opens nothing ---

for packets in later later6 tunnel tunnel6 gre ihl ihl15 total total0 payload6 version header nothing ack endless6; do
    is "$packets opens nothing" "$(capture raw $packets | opens)" ""
    like "$packets is counted" "$(capture raw $packets | seen)" "^lines [13] "
done
for packets in sum beyond beyond6 route strict option offset4 offset15 offset6 length7 length41 length6 route6 option6 jumbo6 hop6; do
    is "$packets opens nothing" "$(capture raw $packets | opens)" ""
    like "$packets is counted" "$(capture raw $packets | seen)" " ignored_damaged [123]"
done
for packets in first first6; do
    is "$packets: no fragment opens" "$(capture raw $packets | seen)" "lines 3 packets 3 ignored_protocol 3"
done
for packets in synfin synrst; do
    like "$packets: flags of no door" "$(capture raw $packets | seen)" "^lines 3 packets 3 ignored_flags 2"
done
for packets in nobody fromgroup fromall fromgroup6; do
    is "$packets: for no host" "$(capture raw $packets | seen)" "lines 3 packets 3 ignored_group 3"
done
for packets in ttl0 hops0 routed6; do
    like "$packets: a host takes that" "$(capture raw $packets | seen)" " open ssh "
done
for packets in from127 fromlo6 mapped6; do
    is "$packets: no host elsewhere has it" "$(capture raw $packets | seen)" "lines 3 packets 3 ignored_martian 3"
done
is "from 127.0.0.1 by loopback: a host takes that" "$(capture null from127 | seen)" "lines 3 packets 3 refused_allow 1"
for link in wrong tags short; do
    is "$link opens nothing" "$(capture $link | opens)" ""
done
is "to a group" "$(capture raw group | seen)" "lines 3 packets 3 ignored_group 3"

# --- sealed ---

is "messages in one packet" "$(capture ethernet whole | seen "$data/sealed.conf")" \
    "lines 3 packets 3 ignored_sealed 3 sealed_messages 2"
is "one that isn't all there" "$(capture -c60 ethernet cut | seen "$data/sealed.conf")" "lines 1 packets 1 ignored_sealed 1"

# --- damaged ---

size=$(stat -c %s "$WORK/knock.pcap")
head -c $((size - 1)) "$WORK/knock.pcap" >"$WORK/cut.pcap"
output=$(replay -r "$WORK/cut.pcap" -c "$data/replay.conf")
like "a capture that is cut" "$output" $'knockd: can\'t read [^\n]*/cut.pcap: [^\n]*truncated[^\n]*\n'
like "what comes before counts" "$output" $'\nlines 2\npackets 2\n'
like "and its status is 1" "$output" $'status 1$'
torn=0
for ((n = 1; n < size; n++)); do
    head -c $n "$WORK/knock.pcap" >"$WORK/cut.pcap"
    "$KNOCKD" -r "$WORK/cut.pcap" --packets >"$WORK/cut.out" 2>"$WORK/cut.err"
    status=$?
    # The end of a packet is that of a capture.
    [ $((status == 1 ? $(wc -l <"$WORK/cut.err") == 1 : status == 0)) = 1 ] || torn=$n
done
is "cut anywhere, it says one line, or nothing is missing" "$torn" 0
for n in 1 3; do
    output=$(head -c $n "$WORK/knock.pcap" | replay -r - -c "$data/replay.conf")
    like "its first bytes alone, from a pipe ($n)" "$output" $'^knockd: can\'t read standard input: [^\n]*truncated[^\n]*\nstatus 1$'
done
is "no byte at all is a log" "$(replay -r - -c "$data/replay.conf" </dev/null | head -1)" "lines 0"
printf '\xd4\xc3\xb2\xa1junk, junk, junk, junk' >"$WORK/junk"
like "no capture but by its first bytes" "$(replay -r "$WORK/junk" --packets)" $'^knockd: can\'t read [^\n]*/junk: [^\n]+\nstatus 1$'
like "nor by its name" "$(replay -r "$TREE/tests/data/replay/time.log" --packets | head -1)" "^(TCP|UDP)"
cp "$data/time.log" "$WORK/log.pcap"
like "a log that is named like a capture" "$(replay -r "$WORK/log.pcap" --packets)" \
    $'^knockd: can\'t read [^\n]*/log.pcap: it is no capture [^\n]*\nstatus 1$'
gzip -c "$WORK/knock.pcap" >"$WORK/knock.pcap.gz"
is "a compressed one" "$(replay -r "$WORK/knock.pcap.gz" --packets)" \
    "knockd: can't read $WORK/knock.pcap.gz: it is compressed; try: zcat $WORK/knock.pcap.gz | knockd -r -"$'\nstatus 1'
is "the same from a pipe" "$(replay -r - --packets < <(cat "$WORK/knock.pcap.gz"))" \
    "knockd: can't read standard input: it is compressed; try: zcat FILE | knockd -r -"$'\nstatus 1'
like "a link that nobody reads" "$(capture wifi | replay -r - -c "$data/replay.conf")" \
    $'^knockd: can\'t read standard input: its packets are of a link that knockd can\'t read \\(802.11\\);[^\n]*\nstatus 1$'
{
    capture -g ethernet
    capture -g raw | tail -c +29
} >"$WORK/two.pcapng"
output=$(replay -r "$WORK/two.pcapng" -c "$data/replay.conf")
like "two kinds of links in one: the first counts" "$output" $'open ssh 203.0.113.9\n'
like "and that is told" "$output" $'knockd: can\'t read [^\n]*/two.pcapng: [^\n]*different[^\n]*\n'

# --- time ---

is "packets that are late by less than a minute" "$(capture -s-20 ethernet | seen)" "${opened/00:02/00:00}"
is "a step back by more starts knocks over" "$(capture -s-61 ethernet | seen)" "lines 3 packets 3 ignored_idle 2 knockd: door ssh: 203.0.113.9 reached step 1 of 3"
is "too slow a knock" "$(capture -s8 ethernet | seen | grep -c open)" 0
is "one that is just in time" "$(capture -s7 ethernet | seen)" "${opened/00:02/00:14}"

# --- a capture that grows ---

mkfifo "$WORK/pipe"
"$KNOCKD" -r - -c "$data/replay.conf" <"$WORK/pipe" >"$WORK/live" &
started $!
exec 9>"$WORK/pipe"
cat "$WORK/knock.pcap" >&9
ok "a door is told of as soon as it opens" poll 5 grep -q "open ssh 203.0.113.9" "$WORK/live"
exec 9>&-
ok "and the counters at the end" poll 5 grep -q "^opened 1$" "$WORK/live"
done_testing
