#!/bin/bash
# Built without the libraries of the sources nflog and pcap, both or one: nothing asks for what isn't there, a
# configuration that wants one is told what to do, by knockd -t and at a start, and a knock in the log opens as ever.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

door='door "ssh" {
    sequence = { 7412, 28733:udp, 51990 }  port = 2222  cmd_timeout = 20
    rule     = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
}'

# build VARIABLE=...: the daemon and its tools; nothing of the make that runs the tests counts.
build() {
    env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES -u CFLAGS -u CPPFLAGS -u LDFLAGS -u BUILD \
        make -s -j2 -C "$TREE" all BUILD="$none" SANITIZE= STATIC= WERROR=-Werror OPTIMISE=-O1 "$@" >"$WORK/make.log" 2>&1 ||
        { diag "$(tail -n 20 "$WORK/make.log")"; return 1; }
    for program in knockd knock knockctl; do
        install -m 755 "$none/$program/$program" "$WORK/bin/" || return 1
    done
}

# needed LIBRARY...: which of them the daemon and its tools ask for.
needed() {
    local all
    all=$(readelf -d "$none"/knock*/knock{d,,ctl} 2>/dev/null | sed -n 's/.*NEEDED.*\[\(.*\)\.so\..*/\1/p')
    for library; do
        grep -oxF "$library" <<<"$all"
    done | sort -u | paste -sd' '
}

# told SOURCE: what knockd -t says of that source, and with which status.
told() {
    printf 'user = "nobody"\nstate_dir = "%s" control = "%s"\nsource "heard" {\n    %s\n}\n%s\n' \
        "$WORK/state" "$WORK/control" "$1" "$door" >"$WORK/told.conf"
    "$KNOCKD" -t -c "$WORK/told.conf" >"$WORK/told" 2>&1
    echo "$?: $(grep 'left out' "$WORK/told")"
}

refuses() {
    local text="1: $WORK/told.conf:3: source \"heard\": type = $1 was left out of this knockd, which was built without "
    is "type = $1: knockd -t says what was left out, where, and what to install" \
        "$(told "type = $1${2:+ prefix = \"$2\"}")" "$text$3; install $4, and build it again"
    on_gate timeout 20 "$KNOCKD" -c "$WORK/told.conf" >"$WORK/told" 2>&1
    is "type = $1: a start fails" $? 1
    like "type = $1: and says the same" "$(cat "$WORK/told")" "type = $1 was left out .*build it again"
}

refuses_nflog() {
    refuses nflog "$LOG_PREFIX" "libnetfilter_log and libmnl" "libnetfilter-log-dev and libmnl-dev"
}

refuses_pcap() {
    refuses pcap '' libpcap libpcap-dev
}

opens() {
    configure "type = kmsg" <<<"$door"
    starts "without both: starts"
    send_knock - "$GATE4" 7412 28733:udp 51990
    ok "without both: a knock opens" says "door ssh: opened for $CLIENT4,"
    is "without both: by its rule" "$(rules iptables | grep -c -- "-s $CLIENT4/")" 1
    stop_knockd
    is "without both: ends well" $? 0
    is "without both: no rule is left" "$(rules iptables)" ''
}

none=''
needs_gate
ok "the firewall" firewall4
none=$WORK/none KNOCKD=$WORK/bin/knockd KNOCK=$WORK/bin/knock KNOCKCTL=$WORK/bin/knockctl

ok "without both: builds without a warning" build NFLOG= PCAP= || bail "not built"
is "without both: asks for neither" "$(needed libnetfilter_log libmnl libpcap)" ''
refuses_nflog
refuses_pcap
opens
perl "$TREE/tests/system/captures.pl" ethernet >"$WORK/knock.pcap"
is "without both: knockd -r says that it reads no capture" "$("$KNOCKD" -r "$WORK/knock.pcap" --packets 2>&1)" \
    "knockd: can't read $WORK/knock.pcap: it is a capture, and their reading was left out of this knockd, which was built without libpcap; install libpcap-dev, and build it again"
"$KNOCKCTL" rules -c "$CONFIG" >"$WORK/rules"
is "without both: knockctl prints rules" "$?:$(grep -c 'LOG --log-prefix' "$WORK/rules")" 0:1

if pkg-config --exists libpcap; then
    ok "without libnetfilter_log alone: builds" build NFLOG=
    is "without libnetfilter_log alone: asks for libpcap" "$(needed libnetfilter_log libmnl libpcap)" libpcap
    refuses_nflog
else
    skip "without libnetfilter_log alone" "no libpcap"
fi
if pkg-config --exists libnetfilter_log libmnl; then
    ok "without libpcap alone: builds" build PCAP=
    is "without libpcap alone: asks for the others" "$(needed libnetfilter_log libmnl libpcap)" "libmnl libnetfilter_log"
    refuses_pcap
    is "without libpcap alone: the other source is right" "$(told "type = nflog prefix = \"$LOG_PREFIX\"")" "0: "
else
    skip "without libpcap alone" "no libnetfilter_log"
fi
done_testing
