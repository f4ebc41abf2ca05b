#!/bin/bash
# The old and the new get on: Debian's knock opens our doors, our knock those of Debian's knockd, which listens beside
# ours for the same sequence. And whoever gives our knockd an option of the other is told what does its work here.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

open_for=1 # second

debian_lacks() {
    if [ -x "$1/usr/sbin/knockd" ] && [ -x "$1/usr/bin/knock" ]; then
        unpack_lacking "$1/usr/sbin/knockd" "$(debian_libs "$1")"
    else
        echo "knockd or knock"
    fi
}

debian_libs() {
    local folders=("$1"/usr/lib/*-linux-*)
    echo "${folders[0]}"
}

ours_config() {
    configure "type = kmsg" <<EOF
door "mixed" {
    sequence    = { 7412, 28733:udp, 51990 }
    port        = 2222
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    cmd_timeout = $open_for
}
door "udp" {
    sequence    = { 17001:udp, 33200:udp, 40112:udp }
    port        = 2223
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    cmd_timeout = $open_for
}
EOF
}

# theirs_door NAME SEQUENCE PORT
theirs_door() {
    local opening="INPUT -s %IP% -p tcp --dport $3 -j ACCEPT"
    cat <<EOF
[$1]
    sequence = $2
    seq_timeout = 15
    tcpflags = syn
    start_command = iptables -w 5 -I $opening
    stop_command = iptables -w 5 -D $opening
    start_command_6 = ip6tables -w 5 -I $opening
    stop_command_6 = ip6tables -w 5 -D $opening
    cmd_timeout = $open_for
EOF
}

theirs_config() {
    echo "[options]"
    echo "    logfile = $WORK/theirs.log"
    theirs_door mixed 7412,28733:udp,51990 3222
    theirs_door udp 17001:udp,33200:udp,40112:udp 3223
}

theirs_listens() {
    grep -q "starting up, listening on eth0" "$WORK/theirs.log" 2>/dev/null || ended "$theirs_pid"
}

start_theirs() {
    theirs_config >"$WORK/theirs.conf"
    LD_LIBRARY_PATH=$libs ip netns exec "$GATE" "$debian/usr/sbin/knockd" -c "$WORK/theirs.conf" -i eth0 \
        -p "$WORK/theirs.pid" </dev/null >"$WORK/theirs.out" 2>&1 &
    theirs_pid=$!
    started "$theirs_pid"
    poll 5 theirs_listens && ! ended "$theirs_pid" && return
    cat "$WORK/theirs.out" "$WORK/theirs.log" >&2
    return 1
}

their_knock() {
    LD_LIBRARY_PATH=$libs on_client "$debian/usr/bin/knock" "$@"
}

our_knock() {
    on_client "$KNOCK" "$@"
}

has_rule() {
    rules "$1" "$2" >/dev/null
}

all_closed() {
    not has_rule "$iptables" "$ours" && not has_rule "$iptables" "$theirs"
}

# opens CLIENT DOOR ARGUMENT...: by one call of the client, the doors of both daemons; and each closes again.
opens() {
    local client=$1 ours=2222 theirs=3222 name=$iptables
    [ "$2" = mixed ] || ours=2223 theirs=3223
    shift 2
    name="$name, ${client/_/ } $*"
    all_closed || bail "$name: something is open that should not be"
    ok "$name" "$client" "$@"
    ok "$name: opens the door of our knockd" poll 5 has_rule "$iptables" $ours
    ok "$name: opens that of Debian's" poll 5 has_rule "$iptables" $theirs
    is "$name: and no other" "$(rules "$iptables" $((ours ^ 1)))$(rules "$iptables" $((theirs ^ 1)))" ""
    ok "$name: both close again" poll 10 all_closed
}

family() {
    local client iptables=$1 gate=$2 option=$3
    for client in their_knock our_knock; do
        opens $client mixed "$option" "$gate" 7412 28733:udp 51990
        opens $client mixed "$option" -d 50 "$gate" 7412:tcp 28733:udp 51990:tcp
        # Wrong order. Both daemons read in order: the door that opens behind it shows that it has been judged.
        $client "$option" "$gate" 28733:udp 7412 51990
        opens $client udp "$option" -u "$gate" 17001 33200 40112
        opens $client udp "$option" "$gate" 17001:udp 33200:udp 40112:udp
    done
}

# --- the options ---

# An option's line names it and what to use, on standard error, and it is the only one.
replaced() {
    local output status
    output=$("$KNOCKD" "$@" 2>&1 >/dev/null)
    status=$?
    is "knockd $*: refused" $status 2
    is "knockd $*: in one line" "$(wc -l <<<"$output")" 1
    like "knockd $*: that says what instead" "$output" "^knockd: -[ilpg4], --[a-z0-9-]+: .{30}"
}

taken() {
    like "knockd -t $*: taken" "$(verdict "$KNOCKD" -c "$CONFIG" -t "$@")" '^(configuration OK$|knockd [0-9]|usage: )'
}

# Each option that the help of Debian's knockd lists, short and long.
options() {
    local help short long
    help=$(LD_LIBRARY_PATH=$libs "$debian/usr/sbin/knockd" --help)
    is "Debian's knockd lists its options" "$(grep -c '^  -., --' <<<"$help")" 11
    while read -r short long _; do
        short=${short%,}
        case $short in
        -i | -p | -g) replaced "$short" x; replaced "$long" x; replaced "$long=x" ;;
        -l | -4) replaced "$short"; replaced "$long" ;;
        -c) taken "$short" "$CONFIG"; taken "$long" "$CONFIG" ;;
        *) taken "$short"; taken "$long" ;;
        esac
    done < <(grep '^  -., --' <<<"$help")
}

needs_gate
[ -x "$KNOCK" ] || bail "no knock at $KNOCK; run make first, or say KNOCK=PATH"
unpack knockd debian_lacks 2>"$WORK/why" || skip_all "Debian's knockd is not to be had: $(tail -n 1 "$WORK/why")"
# shellcheck disable=SC2154 # unpack sets it
debian=$unpack_root
libs=$(debian_libs "$debian")
{ firewall4 && firewall6; } || bail "no firewall"
ours_config
options
starts "our knockd starts"
ok "Debian's knockd starts" start_theirs || bail "it did not"
family iptables "$GATE4" -4
family ip6tables "$GATE6" -6
stop_knockd
is "ours ends" $? 0
stop "$theirs_pid"
is "no rule left" "$(rules iptables)$(rules ip6tables)$(rules iptables 3222)$(rules ip6tables 3222)" ""
done_testing
