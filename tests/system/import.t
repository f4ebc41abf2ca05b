#!/bin/bash
# What `knockctl import` makes of the file of Debian's knockd does the same as that did: both daemons listen at one gate,
# each with its form of one file, and what each door's commands write and insert is compared, knock by knock.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

debian_lacks() {
    if [ -x "$1/usr/sbin/knockd" ]; then
        unpack_lacking "$1/usr/sbin/knockd" "$(debian_libs "$1")"
    else
        echo "knockd"
    fi
}

debian_libs() {
    local folders=("$1"/usr/lib/*-linux-*)
    echo "${folders[0]}"
}

# --- one file, twice ---

# The forms that administrators have. @ is theirs or ours. PORT and QUOTE differ: two rules for one port could not be
# told apart, and Debian's knockd doesn't start with the quotes that our reader forgives.
old_file() {
    local opening="INPUT -s %IP% -p tcp --dport PORT -j ACCEPT"
    cat <<EOF
[pair]
	sequence      = 7412,28733:udp,51990
	seq_timeout   = 15
	start_command = iptables -w 5 -A $opening
	cmd_timeout   = 2
	stop_command  = iptables -w 5 -D $opening
	tcpflags      = syn
[both families]
	sequence        = 9412,18733:UDP,41990:tcp
	start_command   = iptables -w 5 -I INPUT 1 -s %IP% -p udp --dport PORT -j ACCEPT
	start_command_6 = ip6tables -w 5 -I INPUT 1 -s %IP% -p udp --dport PORT -j ACCEPT
	stop_command    = iptables -w 5 -D INPUT -s %IP% -p udp --dport PORT -j ACCEPT
	stop_command_6  = ip6tables -w 5 -D INPUT -s %IP% -p udp --dport PORT -j ACCEPT
	cmd_timeout     = 2
	tcpflags        = QUOTEsyn,!ackQUOTE
# a comment
[ufw]
	sequence      = 60412,30733:udp,21990
	start_command = $WORK/ufw $WORK/@ allow from %IP% to any port 22
	cmd_timeout   = 1
	stop_command  = $WORK/ufw $WORK/@ delete allow from %IP% to any port 22
	tcpflags      = syn
[chain]
	sequence      = 3412,58733,11990
	start_command = $WORK/ufw $WORK/@ 'a  b' "100% of %IP%" && echo "and '%IP%'" \`echo x\` >>$WORK/@
	cmd_timeout   = 1
	stop_command  = X='stop %IP%'; echo \$X "\$(echo '%IP%')" >>$WORK/@ # done
	tcpflags      = syn
[wake]
	sequence      = 4412:udp,38733:udp,62990:udp
	command       = $WORK/ufw $WORK/@ wake %IP%
[once]
	one_time_sequences = $WORK/@.once
	command       = $WORK/ufw $WORK/@ once %IP%
	tcpflags      = syn
[six]
	sequence        = 5412,48733:udp,31990
	start_command   = $WORK/ufw $WORK/@ four %IP%
	start_command_6 = $WORK/ufw $WORK/@ six %IP%
	stop_command    = $WORK/ufw $WORK/@ stop four %IP%
	stop_command_6  =
	cmd_timeout     = 1
	tcpflags        = syn
[open]
	sequence    = 6412,55733:udp,13990
	command     = iptables -w 5 -A INPUT -s %IP% -p sctp --dport PORT -j ACCEPT
	tcpflags    = syn
[close]
	sequence    = 10412,25733:udp,7990
	command     = iptables -w 5 -D INPUT -s %IP% -p sctp --dport PORT -j ACCEPT
	tcpflags    = syn
EOF
}

# What writes its arguments to a file, each in <>.
write_program() {
    # shellcheck disable=SC2016 # for the program
    printf '%s\n' '#!/bin/sh' 'to=$1' 'shift' 'line=' 'for word; do line="$line<$word> "; done' \
        'echo "$line" >>"$to"' >"$WORK/ufw"
    chmod 755 "$WORK/ufw"
}

# theirs.conf, and old.conf, with lines as Windows ends them, which is imported. The last one-time sequence isn't knocked:
# without any Debian's knockd aborts.
write_files() {
    old_file | sed "s|@|theirs|g; s/PORT/3222/g; s/QUOTE//g" >"$WORK/theirs.conf"
    old_file | sed "s|@|ours|g; s/PORT/2222/g; s/QUOTE/\"/g; s/\$/\r/" >"$WORK/old.conf"
    printf '\r\n# lines\r\n 17412:udp,8733,43990\r\n 64412,20733,15990:udp\r\n 9,8,7\r\n' >"$WORK/ours.once"
    cp "$WORK/ours.once" "$WORK/theirs.once"
    chmod 600 "$WORK/ours.once" "$WORK/theirs.once"
    write_program
}

imports() {
    "$KNOCKCTL" import "$WORK/old.conf" >"$WORK/imported" 2>"$WORK/err"
}

# The keys that a test needs come first.
write_config() {
    {
        echo "user = \"nobody\" state_dir = \"$WORK/state\" control = \"$WORK/control\""
        cat "$WORK/imported"
    } >"$CONFIG"
}

# --- the other daemon ---

theirs_listens() {
    grep -q "starting up, listening on eth0" "$WORK/theirs.log" 2>/dev/null || ended "$theirs_pid"
}

start_theirs() {
    LD_LIBRARY_PATH=$libs ip netns exec "$GATE" "$debian/usr/sbin/knockd" -c "$WORK/theirs.conf" -i eth0 \
        -p "$WORK/theirs.pid" -g "$WORK/theirs.log" </dev/null >"$WORK/theirs.out" 2>&1 &
    theirs_pid=$!
    started "$theirs_pid"
    poll 5 theirs_listens && ! ended "$theirs_pid" && return
    cat "$WORK/theirs.out" "$WORK/theirs.log" >&2
    return 1
}

# --- what both did ---

clients=20
next_client() {
    clients=$((clients + 1))
    FROM4=192.0.2.$clients FROM6=2001:db8::$clients
    client_address "$FROM4" "$FROM6"
}

knock_from() {
    local from=$1 to=$GATE4
    shift
    [[ $from != *:* ]] || to=$GATE6
    send_knock "$from" "$to" "$@"
}

# wrote COUNT: so many lines each, and the same ones.
wrote() {
    [ "$(wc -l <"$WORK/ours")" = "$1" ] && [ "$(wc -l <"$WORK/theirs")" = "$1" ] &&
        [ "$(sort "$WORK/ours")" = "$(sort "$WORK/theirs")" ]
}

# writes DESCRIPTION COUNT FROM STEP...: a knock by which both write so many lines.
writes() {
    local description=$1 count=$2
    shift 2
    : >"$WORK/ours"
    : >"$WORK/theirs"
    knock_from "$@"
    ok "$description: both run the same" poll 8 wrote "$count" ||
        diag "theirs:"$'\n'"$(cat "$WORK/theirs")"$'\n'"ours:"$'\n'"$(cat "$WORK/ours")"
}

# has IPTABLES PROTO COUNT: so many rules each for the client.
has() {
    local port
    for port in 2222 3222; do
        [ "$(on_gate "$1" -S INPUT | grep -E -- "-p $2 .*--dport $port " | grep -cE -- "-s ($FROM4|$FROM6)/")" = "$3" ] ||
            return 1
    done
}

# inserts DESCRIPTION IPTABLES PROTO FROM STEP...: a knock by which both insert a rule.
inserts() {
    local description=$1 iptables=$2 proto=$3
    shift 3
    knock_from "$@"
    ok "$description: both open" poll 5 has "$iptables" "$proto" 1 || diag "$(on_gate "$iptables" -S INPUT)"
}

pairs() {
    next_client
    inserts "a pair of commands" iptables tcp "$FROM4" 7412 28733:udp 51990
    ok "a pair of commands: both close" poll 8 has iptables tcp 0
    next_client
    inserts "both families: IPv4" iptables udp "$FROM4" 9412 18733:udp 41990
    inserts "both families: IPv6" ip6tables udp "$FROM6" 9412 18733:udp 41990
    ok "both families: both close IPv4" poll 8 has iptables udp 0
    ok "both families: both close IPv6" poll 8 has ip6tables udp 0
}

open_close() {
    next_client
    inserts "open and close by two knocks" iptables sctp "$FROM4" 6412 55733:udp 13990
    knock_from "$FROM4" 10412 25733:udp 7990
    ok "open and close by two knocks: both close" poll 5 has iptables sctp 0
}

commands() {
    next_client
    writes "ufw" 2 "$FROM4" 60412 30733:udp 21990
    writes "ufw by IPv6" 2 "$FROM6" 60412 30733:udp 21990
    writes "a chain of a shell" 3 "$FROM4" 3412 58733 11990
    writes "a chain of a shell by IPv6" 3 "$FROM6" 3412 58733 11990
    writes "a trigger" 1 "$FROM4" 4412:udp 38733:udp 62990:udp
    writes "a trigger once more" 1 "$FROM4" 4412:udp 38733:udp 62990:udp
    writes "a command of IPv4" 2 "$FROM4" 5412 48733:udp 31990
    writes "a command of IPv6, without a stop" 1 "$FROM6" 5412 48733:udp 31990
}

one_time() {
    next_client
    writes "a one-time sequence" 1 "$FROM4" 17412:udp 8733 43990
    writes "the next one" 1 "$FROM4" 64412 20733 15990:udp
    knock_from "$FROM4" 17412:udp 8733 43990
    writes "a used one runs nothing; a trigger behind it" 1 "$FROM4" 4412:udp 38733:udp 62990:udp
}

wrong_order() {
    next_client
    knock_from "$FROM4" 28733:udp 7412 51990
    writes "a wrong order runs nothing; a trigger behind it" 1 "$FROM4" 4412:udp 38733:udp 62990:udp
    ok "a wrong order: no rule" has iptables tcp 0
}

# --- the command itself ---

names_importer() {
    local output status
    output=$("$KNOCKD" -t -c "$WORK/theirs.conf" 2>&1)
    status=$?
    is "knockd -t with the old file: refused" $status 1
    like "and it names the importer" "$output" \
        "theirs.conf:1: this is the configuration of another knockd: .knockctl import $WORK/theirs.conf >NEW. converts it"
}

# import_is STATUS ARGUMENT...: its output goes to the file half, its errors to err.
import_is() {
    local expected=$1
    shift
    "$KNOCKCTL" import "$@" >"$WORK/half" 2>"$WORK/err"
    is "import $*: exit status" $? "$expected"
}

statuses() {
    printf '[x]\nsequence = 7000,,8000\ncommand = true\n[y]\nsequence = 7,9,8\ncommand = true\n' >"$WORK/half.conf"
    import_is 1 - <"$WORK/half.conf"
    like "what was left out is on standard error" "$(cat "$WORK/err")" 'standard input:2: \[x\] is left out: '
    like "and the rest is converted" "$(cat "$WORK/half")" 'door "y"'
    import_is 2 a b
    import_is 1 "$WORK/nowhere"
    import_is 1 "$WORK/imported"
    like "what was converted before isn't converted" "$(cat "$WORK/err")" "there is no \[section\] in it"
    echo 'KNOCKD_OPTS="-i wan0"' >"$WORK/defaults"
    import_is 0 --defaults "$WORK/defaults" "$WORK/old.conf"
    like "the interface comes of --defaults" "$(cat "$WORK/half")" 'interface = "wan0"'
}

needs_gate
[ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
unpack knockd debian_lacks 2>"$WORK/why" || skip_all "Debian's knockd is not to be had: $(tail -n 1 "$WORK/why")"
# shellcheck disable=SC2154 # unpack sets it
debian=$unpack_root
libs=$(debian_libs "$debian")
write_files
ok "the old file is converted" imports || diag "$(cat "$WORK/err")"
is "pairs become rules" "$(grep -c '^    rule ' "$WORK/imported")" 2
write_config
like "knockd -t takes it" "$("$KNOCKD" -t -c "$CONFIG" 2>&1)" 'configuration OK'
names_importer
statuses
starts "our knockd starts with it"
ok "Debian's knockd starts" start_theirs || bail "it did not"
pairs
open_close
commands
one_time
wrong_order
stop_knockd
is "ours ends" $? 0
stop "$theirs_pid"
done_testing
