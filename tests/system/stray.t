#!/bin/bash
# The rules of doors are known by their comments, so that what a saved firewall brought back is found and removed: and
# nothing else is, with both kinds of iptables.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

needs_gate
[ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
for kind in legacy nft; do
    [ -x "/usr/sbin/iptables-$kind" ] || skip_all "no iptables-$kind"
done

KIND=nft PREPARE=''
one=192.0.2.1 two=2001:db8::1
template="INPUT -s %IP% -p tcp --dport %PORT% -j ACCEPT"

# make_config [KEYS [GLOBAL-KEYS]]: a door that closes when it is told to.
make_config() {
    configure_file <<EOF2
${2:-}
door "ssh" {
    sequence    = { "7412, 28733:udp, 51990" }
    port        = 2222
    cmd_timeout = 1h
    rule        = "$template"
    ${1:-}
}
EOF2
}

# In a mount namespace where iptables is of that kind; PREPARE runs there before.
cat >"$WORK/as-kind" <<'SH'
#!/bin/bash
exec unshare -m bash -c '
    mount --make-rprivate /
    mount --bind "${0%/*}/alternatives-$KIND" /etc/alternatives
    eval "${PREPARE:-:}"
    exec "$@"' "$0" "$@"
SH
make_alternatives
printf '#!/bin/bash\nexec %q %q "$@"\n' "$WORK/as-kind" "$KNOCKD" >"$WORK/knockd-as-kind"
chmod 755 "$WORK/as-kind" "$WORK/knockd-as-kind"
KNOCKD=$WORK/knockd-as-kind
export KIND PREPARE

as_kind() {
    on_gate "$WORK/as-kind" "$@"
}

ctl() {
    "$KNOCKCTL" "$1" -s "$WORK/control" "${@:2}" 2>&1
}

# One line for each rule that has a comment of ours, without its chain.
ours() {
    on_gate "$1-$KIND-save" | grep -E -- '--comment "?knockd' | sed 's/^-A [^ ]* //'
}

empty() {
    local program
    for program in iptables ip6tables; do
        on_gate "$program-$KIND" -F
        on_gate "$program-$KIND" -X
    done
}

# --- comments ---

comment_of() {
    on_gate "$1-$KIND" -S INPUT | sed -n "s/^-A .*--dport 2222 \(-m comment --comment \(.*\) \)*-j ACCEPT$/<\2>/p"
}

with_comments() {
    local what=$KIND
    empty
    make_config
    starts "$what: starts"
    ctl open ssh $one >/dev/null
    ctl open ssh $two >/dev/null
    is "$what: an IPv4 rule has its door's comment" "$(comment_of iptables)" '<"knockd ssh">'
    is "$what: an IPv6 rule, too" "$(comment_of ip6tables)" '<"knockd ssh">'
    ok "$what: the listing of a closed door is as it was" ctl close --all
    is "$what: closed" "$(comment_of iptables)$(comment_of ip6tables)" ""

    make_config 'comment = false'
    ctl reload >/dev/null
    ctl open ssh $one >/dev/null
    is "$what: comment = false, and a reload" "$(comment_of iptables)" "<>"
    # As one of an earlier version leaves it.
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    make_config
    starts "$what: starts again, with comments"
    is "$what: what was opened without is still known" "$(ctl doors | grep -c ssh)" 1
    ok "$what: and closed" ctl close ssh
    is "$what: by its own words" "$(comment_of iptables)" ""
    stop_knockd

    template="INPUT -s %IP% -p tcp --dport %PORT% -m comment --comment 'my own' -j ACCEPT" make_config
    starts "$what: starts with a comment of the administrator's"
    ctl open ssh $one >/dev/null
    is "$what: that one stays, alone" "$(comment_of iptables)" '<"my own">'
    stop_knockd
    is "$what: and is closed" "$(comment_of iptables)" ""
}

without_the_match() {
    local match PREPARE
    match=$(find /usr/lib* -name libxt_comment.so | head -n 1)
    if [ -z "$match" ]; then
        skip "$KIND: no match for comments" "no libxt_comment.so here"
        return
    fi
    PREPARE="mount --bind /dev/null $match"
    make_config
    starts "$KIND: starts where iptables knows no comments"
    ok "$KIND: which is said" said "iptables can't put a comment on a rule here .*comment.*, so doors open without"
    is "$KIND: once a family" "$(said_lines "can't put a comment" | wc -l)" 2
    ctl reload >/dev/null
    is "$KIND: and not again" "$(said_lines "can't put a comment" | wc -l)" 2
    ctl open ssh $one >/dev/null
    is "$KIND: it opens without" "$(comment_of iptables)" "<>"
    stop_knockd
    make_config '' 'comment = no'
    starts "$KIND: starts without comments, as told"
    ok "$KIND: then nothing is said" not said "comment"
    stop_knockd
}

# --- rules that nobody closes ---

# How many rules have our comment, of both families.
count_ours() {
    { on_gate "iptables-$KIND-save"; on_gate "ip6tables-$KIND-save"; } | grep -c -- '--comment "knockd '
}

save() {
    on_gate "iptables-$KIND-save" >"$WORK/saved4"
    on_gate "ip6tables-$KIND-save" >"$WORK/saved6"
}

restore() {
    on_gate "iptables-$KIND-restore" "$@" <"$WORK/saved4" && on_gate "ip6tables-$KIND-restore" "$@" <"$WORK/saved6"
}

check_rules() {
    as_kind "$KNOCKCTL" rules --check -c "$CONFIG" "$@" 2>&1
}

# What is told of rules that nobody closes.
told() {
    check_rules "$@" | grep 'so nobody closes it'
}

saved_while_open() {
    local command
    empty
    make_config
    starts "$KIND: starts"
    ok "$KIND: with nothing to tell" not said "nobody closes it"
    ctl open ssh $one >/dev/null
    ctl open ssh $two >/dev/null
    save
    is "$KIND: nothing is told of what is open" "$(told)" ""
    is "$KIND: nor removed" "$(ctl close --stray)" "removed: 0"
    is "$KIND: nor gone" "$(count_ours)" 2

    # What is restored after a crash is an opening's.
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    like "$KIND: without knockd: said" "$(check_rules)" \
        "IPv4: 1 rule of doors in the firewall while knockd isn't running, so nobody closes it; start it"
    ctl close --stray >/dev/null
    is "$KIND: without knockd: close --stray" $? 3
    restore
    starts "$KIND: starts after a crash and a restored firewall"
    is "$KIND: what it took up is no stray" "$(ctl close --stray)" "removed: 0"
    ok "$KIND: nor told" not said "nobody closes it"
    ctl close --all >/dev/null
    is "$KIND: all is closed" "$(count_ours)" 0

    restore
    is "$KIND: what the saved firewall brought back is told" "$(told | wc -l)" 2
    like "$KIND: with the door and a way out" "$(told -4)" \
        "^IPv4, table filter: a rule of door ssh that no opening owns, .*netfilter-persistent save.*: iptables -w 5 -D INPUT -s $one/32 .*--comment 'knockd ssh' -j ACCEPT$"
    check_rules >/dev/null
    is "$KIND: as a finding" $? 1
    like "$KIND: as JSON" "$(check_rules --json)" \
        '"kind":"stray","families":\["IPv6"\],"table":"filter","chain":null,"rule":"ip6tables -w 5 -D INPUT -s '"$two"'/128 '
    stop_knockd
    starts "$KIND: starts with it"
    ok "$KIND: says so" says "door ssh: a rule of it is in the firewall that no opening owns, .*: ip6tables -w 5 -D INPUT -s $two/128 "
    command=$(said_lines "door ssh: a rule of it .*: iptables " | sed 's/.* as does: //')
    ok "$KIND: the command that it tells" as_kind sh -c "$command"
    is "$KIND: removes one" "$(count_ours)" 1
    like "$KIND: close --stray removes the other" "$(ctl close --stray)" \
        "^removed: ip6tables -w 5 -D INPUT -s $two/128 .*"$'\n'"removed: 1$"
    is "$KIND: which is gone" "$(count_ours)" 0
    ok "$KIND: and logged" says "door ssh: removed by knockctl close --stray, as no opening owned it: ip6tables -w"
    stop_knockd
}

# A door of two tables, beside rules of the administrator's own.
many_places() {
    local own
    empty
    configure_file <<EOF2
door "ssh" {
    sequence = { "7412, 28733:udp, 51990" }
    port     = 2222
    cmd_timeout = 1h
    rule     = { "INPUT -s %IP% -p tcp --dport %PORT% -j ACCEPT",
                 "-t mangle PREROUTING -s %IP% -p tcp --dport %PORT% -j MARK --set-mark 22" }
}
door "web" {
    sequence = { "8412, 38733:udp, 41990" }
    port     = 80
    rule     = "GUESTS -s %IP% -p tcp --dport %PORT% -j ACCEPT"
}
EOF2
    on_gate "iptables-$KIND" -N GUESTS
    on_gate "ip6tables-$KIND" -N GUESTS
    own="INPUT -s 192.0.2.9/32 -p tcp -m tcp --dport 2222 -j ACCEPT"
    # shellcheck disable=SC2086 # words
    on_gate "iptables-$KIND" -A $own
    # What the host accepts at another port than the door's is none of its rules: the port of a fleet's engine, say.
    on_gate "iptables-$KIND" -A INPUT -s 192.0.2.9 -p tcp --dport 2514 -j ACCEPT
    on_gate "iptables-$KIND" -A INPUT -s 192.0.2.9 -p tcp --dport 2223 -m comment --comment "knockd's friend" -j ACCEPT
    on_gate "iptables-$KIND" -A INPUT -s 192.0.2.9 -p tcp --dport 2224 -m comment --comment "knockd other" -j ACCEPT
    starts "$KIND: starts with rules of others"
    ok "$KIND: one that says what a door's says is told" \
        says "door ssh: a rule in the firewall says what its own say, .*: iptables -w 5 -D ${own% -m tcp*} "
    ok "$KIND: and one of a door that isn't configured, which may be another knockd's" \
        says "door other: .*this configuration has no such door, .* unless it is another knockd's; .*: iptables -w 5 -D INPUT "
    is "$KIND: and no other" "$(said_lines "nobody closes it" | wc -l)" 2
    ctl open ssh $one >/dev/null
    ctl open ssh 192.0.2.3 >/dev/null
    ctl open web $one >/dev/null
    ctl open ssh $two >/dev/null
    save
    ctl close web >/dev/null
    ctl close ssh $two >/dev/null
    ctl close ssh $one >/dev/null
    # Each rule is there twice now, but for what was closed.
    restore --noflush
    is "$KIND: several tables, chains, families, copies: found" "$(told | grep -c 'a rule of door [sw].*close --stray')" 7
    is "$KIND: the one of the administrator's, too" "$(told | grep -c "a rule like those of door ssh")" 2
    is "$KIND: removed" "$(ctl close --stray | tail -n 1)" "removed: 7"
    is "$KIND: but for what is open" "$(on_gate "iptables-$KIND-save" | grep -c -- "-s 192.0.2.3/32 .*knockd ssh")" 2
    ok "$KIND: and what is the administrator's" on_gate "iptables-$KIND" -C INPUT -s 192.0.2.9 -p tcp --dport 2222 -j ACCEPT
    ctl close --all >/dev/null
    is "$KIND: what was open closes; what another knockd may have is there" "$(count_ours)" 2
    stop_knockd
}

# Commands and rules whose options are written in ways that iptables takes, too: what is open stays.
other_spellings() {
    local i=0 how words before
    empty
    while read -r how; do
        i=$((i + 1))
        words="INPUT -s %IP% -p tcp --dport $((3000 + i)) ${how#rule } -j ACCEPT"
        echo "door d$i {
    sequence = { \"$((7000 + i)), 28733:udp, 51990\" }
    port = 2222
    cmd_timeout = 1h"
        if [ "${how%% *}" = rule ]; then
            echo "rule = \"$words\""
        else
            echo "start_command = \"%IPTABLES% -w 5 -A $words\""
            echo "stop_command = \"%IPTABLES% -w 5 -D $words\""
        fi
        echo '}'
    done <<'HOW' >"$WORK/spellings"
-m comment --comment='knockd %DOOR%'
rule -m comment --comment='knockd d2'
--table=mangle -m comment --comment 'knockd %DOOR%'
-tmangle -m comment --comment 'knockd %DOOR%'
--tab mangle -m comment --comm 'knockd %DOOR%'
-m comment --comm='knockd d1'
-m comment --comment 'knockd %DOOR%' -m comment --comment other
HOW
    configure_file <"$WORK/spellings"
    starts "$KIND: starts with options in other spellings"
    for ((how = 1; how <= i; how++)); do
        ctl open d$how $one >/dev/null
    done
    before=$(count_ours)
    is "$KIND: all of them open" "$before" $i
    is "$KIND: close --stray removes none" "$(ctl close --stray | tail -n 1)" "removed: 0"
    is "$KIND: and all rules are there" "$(count_ours)" "$before"
    ctl close --all >/dev/null
    is "$KIND: all close" "$(count_ours)" 0
    stop_knockd
}

# What a script deletes isn't known: it may be any rule of its door, and of no other.
closed_by_a_script() {
    local door
    empty
    make_config
    cat >>"$CONFIG" <<'EOF2'
door "by-script" {
    sequence      = { "8412, 38733:udp, 41990" }
    port          = 2223
    cmd_timeout   = 1h
    start_command = "/bin/true"
    stop_command  = "/bin/true"
}
EOF2
    starts "$KIND: starts with a door that a script closes"
    ctl open by-script $one >/dev/null
    for door in by-script ssh; do
        on_gate "iptables-$KIND" -A INPUT -s 192.0.2.77 -p tcp --dport 22 -m comment --comment "knockd $door" -j ACCEPT
    done
    like "$KIND: close --stray removes the other door's" "$(ctl close --stray)" "knockd ssh.*"$'\n'"removed: 1$"
    is "$KIND: the script's door keeps a rule for any address" "$(count_ours)" 1
    ctl close by-script >/dev/null
    is "$KIND: until it is closed" "$(ctl close --stray | tail -n 1)" "removed: 1"
    stop_knockd
}

# A stray, and an opening of the same words, in whichever order.
at_that_moment() {
    local i missing=0 left=0
    empty
    make_config
    starts "$KIND: starts for a race"
    for i in {1..12}; do
        on_gate "iptables-$KIND" -A INPUT -s $one -p tcp --dport 2222 -m comment --comment "knockd ssh" -j ACCEPT
        ctl open ssh $one >/dev/null &
        started $!
        ctl close --stray >/dev/null
        wait $!
        [ "$(count_ours)" -ge 1 ] || missing=$((missing + 1))
        ctl close ssh >/dev/null &
        started $!
        ctl close --stray >/dev/null
        wait $!
        ctl close --stray >/dev/null
        left=$((left + $(count_ours)))
    done
    is "$KIND: what opens at that moment keeps its rule, 12 times" $missing 0
    is "$KIND: and nothing is left in the end" $left 0
    stop_knockd
}

a_thousand() {
    local i
    empty
    make_config
    starts "$KIND: starts for many"
    ctl open ssh $one >/dev/null
    {
        echo '*filter'
        for i in {1..1000}; do
            echo "-A INPUT -s 10.0.$((i / 250)).$((i % 250))/32 -p tcp -m tcp --dport 2222 -m comment --comment \"knockd ssh\" -j ACCEPT"
        done
        echo COMMIT
    } | on_gate "iptables-$KIND-restore" --noflush
    is "$KIND: a thousand are told" "$(told | wc -l)" 1000
    is "$KIND: and removed" "$(ctl close --stray | tail -n 1)" "removed: 1000"
    is "$KIND: but for the one that is open" "$(count_ours)" 1
    stop_knockd
}

# Where not all can be removed at once, as when another program was quicker with one of them.
one_by_one() {
    local PREPARE="mount --bind $WORK/alternatives /etc/alternatives" i
    mkdir "$WORK/alternatives"
    cp -a /etc/alternatives/. "$WORK/alternatives/"
    cat >"$WORK/restore" <<'SH'
#!/bin/bash
input=$(cat)
[ "$(grep -c '^-D' <<<"$input")" = 1 ] && ! grep -q ' -s 192.0.2.2/' <<<"$input" || { echo "line 7 failed"; exit 1; }
exec /usr/sbin/iptables-nft-restore "$@" <<<"$input"
SH
    chmod 755 "$WORK/restore"
    ln -sf "$WORK/restore" "$WORK/alternatives/iptables-restore"
    empty
    make_config
    starts "starts where not all can be removed at once"
    for i in 1 2 3; do
        on_gate iptables-nft -A INPUT -s 192.0.2.$i -p tcp --dport 2222 -m comment --comment "knockd ssh" -j ACCEPT
    done
    OUT=$(ctl close --stray)
    is "not all: status" $? 1
    is "not all: one by one" "$(grep -c '^removed: iptables' <<<"$OUT")" 2
    like "not all: which isn't" "$OUT" "NOT REMOVED: iptables -w 5 -D INPUT -s 192.0.2.2/32 "
    like "not all: and why" "$OUT" "knockctl close: iptables-restore failed: line 7 failed"
    is "not all: that one is left" "$(count_ours)" 1
    stop_knockd
}

for KIND in nft legacy; do
    with_comments
    without_the_match
    saved_while_open
    many_places
    other_spellings
    closed_by_a_script
    at_that_moment
    a_thousand
done
KIND=nft
one_by_one
done_testing
