#!/bin/bash
# Doors that open and close together by elements of sets, of nft and of ipset: beside elements that are there, or gone,
# before; with a set that is full; with a program that is killed, or hangs, in the middle; through kill -9 at any moment,
# with no more in the configuration than an add and a delete. And the recipes of etc/examples, by the number of programs
# that they start.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

crowd=60

# Of kind nft or ipset: what adds an element, and what deletes it.
words_of() {
    case $1 in
    nft)
        start="$nft add element ip knock allowed { %IP% }" stop="$nft delete element ip knock allowed { %IP% }"
        ;;
    ipset) start="$ipset add allowed %IP%" stop="$ipset del allowed %IP%" ;;
    esac
}

add() {
    case $kind in
    nft) on_gate nft add element ip knock allowed "{ $1 }" ;;
    ipset) on_gate ipset add allowed "$1" ;;
    esac
}

delete() {
    case $kind in
    nft) on_gate nft delete element ip knock allowed "{ $1 }" ;;
    ipset) on_gate ipset del allowed "$1" ;;
    esac
}

elements() {
    case $kind in
    nft) on_gate nft list set ip knock allowed ;;
    ipset) on_gate ipset list allowed ;;
    esac | grep -o '10\.1\.[0-9]*\.[0-9]*' | sort
}

holds() {
    [ "$(elements | wc -l)" = "$1" ]
}

# make_set SIZE
make_set() {
    case $kind in
    nft)
        on_gate nft add table ip knock
        on_gate nft add set ip knock allowed "{ type ipv4_addr; size $1; }"
        ;;
    ipset) on_gate ipset create allowed hash:ip maxelem "$1" ;;
    esac
}

remove_set() {
    case $kind in
    nft) on_gate nft delete table ip knock ;;
    ipset) on_gate ipset destroy allowed ;;
    esac
}

# set_file SECONDS [LINE [DOOR_LINE]]
set_file() {
    words_of "$kind"
    configure_file <<END
stop_timeout = 20
${2:-}
door "ssh" {
    sequence       = { 7412, 28733:udp, 51990 }
    cmd_timeout    = $1
    start_command  = "$start"
    stop_command   = "$stop"
    ${3:-}
}
END
}

# knock_all FIRST LAST: 10.1.X.Y, numbers FIRST to LAST, knock at one moment.
knock_all() {
    local i
    for ((i = $1; i <= $2; i++)); do
        KERN_LOG=$WORK/knocks log_packets "10.1.$((i / 200)).$((1 + i % 200))" 7412 28733:udp 51990
    done
    cat "$WORK/knocks" >>"$KERN_LOG"
    rm "$WORK/knocks"
}

# ran_together NUMBER: a batch of at least so many was run.
ran_together() {
    said_lines 'running [0-9]+ commands together' | perl -ne '
        END { exit !$ok } $ok ||= $1 >= '"$1"' if /running (\d+)/'
}

# What has been opened, by the log, in the order of its addresses.
opened() {
    said_lines ': opened for ' | sed 's/.* opened for \([0-9.]*\),.*/\1/' | sort
}

fresh() {
    stop_knockd
    rm -rf "$WORK/state" && mkdir "$WORK/state"
}

nothing_open() {
    ctl doors --json
    [ "$STATUS" = 0 ] && [[ $OUT != *address* ]]
}

# --- one of many fails ---

# What is in the set before, or has gone from it, or has no room any more, is each one's own matter.
each_by_itself() {
    local others=0 other=''
    # nft adds what is there already, and says nothing of it.
    [ $kind = nft ] || others=1 other=10.1.0.21
    make_set $((40 + others))
    [ $kind = nft ] || add $other
    set_file 3600
    starts "$kind: starts" -v
    knock_all 1 1
    ok "$kind: one opens alone" says 'opened for 10.1.0.2,' 20
    ok "$kind: by itself" not said 'commands together'
    knock_all 2 30
    if [ $kind = ipset ]; then
        ok "$kind: what is there before fails, as alone" says "failed for $other: its start command failed" 20
    fi
    ok "$kind: the others open" poll 20 said ': opened for ' $((30 - others))
    ok "$kind: together" ran_together 10
    ok "$kind: what opened is in the set" poll 10 holds 30
    knock_all 31 $crowd
    ok "$kind: a full set takes as many as it has room for" poll 30 said ': opened for ' 40
    ok "$kind: the others fail" poll 30 said ': failed for ' $((crowd - 40))
    ok "$kind: with nothing left to undo" not said ': undone for |NOT CLOSED'
    is "$kind: in the set is what opened" "$(elements | grep -vxF "${other:-none}")" "$(opened)"
    delete 10.1.0.9
    mark_log
    ctl close ssh &
    ok "$kind: all but one close" poll 30 said ' closed for ' 39
    ok "$kind: together, too" ran_together 10
    is "$kind: none is left but what isn't theirs" "$(elements)" "$other"
    ok "$kind: the one isn't believed to be closed" says 'NOT CLOSED for 10.1.0.9:' 10
    add 10.1.0.9
    ok "$kind: nor given up" says 'closed for 10.1.0.9' 20
    wait $!
    fresh
    remove_set
}

# --- a program that is cut short ---

# make_bad NAME: a program of that name, which is killed after so many lines as the file "lines" says, or hangs. Alone it
# is killed before it does anything, or after that, as the file "alone" says.
make_bad() {
    mkdir -p "$WORK/bad"
    chmod 755 "$WORK/bad"
    cat >"$WORK/bad/$1" <<END
#!/bin/bash
bad=\${0%/*}
die() { [ ! -e "\$bad/hangs" ] || sleep 1000; kill -9 \$\$; }
if [[ " \$* " = *" restore "* ]] || [ "\$1" = -f ]; then
    [ -s "\$bad/lines" ] || exec $(command -v "$1") "\$@"
    lines=\$(cat "\$bad/lines")
    rm "\$bad/lines"
    # nft does all or nothing.
    [ "\$1" != -f ] || [ "\$lines" = 0 ] || lines=1000
    head -n "\$lines" | $(command -v "$1") "\$@"
    die
fi
case \$(cat "\$bad/alone" 2>/dev/null) in
before) die ;;
after) $(command -v "$1") "\$@"; die ;;
esac
exec $(command -v "$1") "\$@"
END
    chmod 755 "$WORK/bad/$1"
}

# cut_short LINES WHAT: the batches that open and that close both end so.
cut_short() {
    mark_log
    echo "$1" >"$WORK/bad/lines"
    knock_all 1 $crowd
    ok "$kind: $2: all open" poll 60 said ': opened for ' $crowd
    is "$kind: $2: each is in the set" "$(elements | wc -l)" $crowd
    ok "$kind: $2: they were cut short" [ ! -e "$WORK/bad/lines" ]
    echo "$1" >"$WORK/bad/lines"
    ctl close ssh
    ok "$kind: $2: all close" poll 60 said ': closed for ' $crowd
    is "$kind: $2: none is left" "$(elements)" ""
    ok "$kind: $2: none has failed" not said 'failed for|NOT CLOSED'
}

# alone WHEN LINE: killed by itself, and with no other status of the stop command than 0.
alone() {
    fresh
    set_file 3600 "$2"
    starts "$kind, $1${2:+, $2}: starts" -v
    echo "$1" >"$WORK/bad/alone"
    mark_log
    knock_all 1 1
    ok "$kind, $1${2:+, $2}: what was killed has failed" says 'failed for 10.1.0.2: its start command failed' 10
    rm "$WORK/bad/alone"
    ok "$kind, $1${2:+, $2}: and is undone, whatever it did" says ': undone for 10.1.0.2' 20
    is "$kind, $1${2:+, $2}: nothing is left" "$(elements)" ""
    knock_all 1 1
    ok "$kind, $1${2:+, $2}: it opens again" says ': opened for 10.1.0.2,' 10
    echo "$1" >"$WORK/bad/alone"
    ctl close ssh &
    ok "$kind, $1${2:+, $2}: a stop that was killed has failed" says 'NOT CLOSED for 10.1.0.2' 10
    rm "$WORK/bad/alone"
    ok "$kind, $1${2:+, $2}: it closes, whatever was done" says ': closed for 10.1.0.2' 20
    is "$kind, $1${2:+, $2}: nothing is left after all" "$(elements)" ""
    wait $!
}

cut_short_anywhere() {
    local nft=nft ipset=ipset
    make_bad "$kind"
    nft=$WORK/bad/nft ipset=$WORK/bad/ipset
    make_set 1000
    set_file 3600 "run_timeout = 2s"
    starts "$kind: starts with a bad program" -v
    knock_all 1 1
    says 'opened for 10.1.0.2,' 20
    ctl close ssh
    cut_short 0 "killed before"
    cut_short 41 "killed in the middle"
    cut_short 1000 "killed after all"
    : >"$WORK/bad/hangs"
    cut_short 41 "hanging"
    rm "$WORK/bad/hangs"
    alone before ""
    alone after "batch = false"
    fresh
    remove_set
}

# --- kill -9 ---

# die_in_the_middle DELAY: many are being opened when knockd is killed, and many closed.
die_in_the_middle() {
    knock_all 1 $crowd
    sleep "$1"
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    run_knockd -v
    knock_all $((crowd + 1)) $((crowd + 30))
    sleep "$1"
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    run_knockd -v
    ctl close ssh &
    sleep "$1"
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" $! 2>/dev/null
    run_knockd -v
    poll 30 holds 0 || { diag "after $1 s: $(elements)"; return 1; }
    poll 10 nothing_open || { diag "after $1 s: still open"; return 1; }
}

dies_at_any_moment() {
    local delay
    run_knockd -v
    for delay in 0.000 0.006 0.015 0.030; do
        die_in_the_middle $delay || return 1
    done
}

# --- what adds and deletes in one transaction can't do ---

# nft_door START STOP [LINE]: of elements of the table inet nc.
nft_door() {
    configure_file <<END
stop_timeout = 20
door "ssh" {
    sequence       = { 7412, 28733:udp, 51990 }
    cmd_timeout    = 3600
    start_command  = "nft add element inet nc $1"
    stop_command   = "nft $2"
    ${3:-}
}
END
}

# there SET: 10.1.0.2 is in it.
there() {
    on_gate nft get element inet nc "$1" '{ 10.1.0.2 }' >/dev/null 2>&1
}

close_all() {
    ip netns exec "$GATE" timeout 30 "$KNOCKD" -c "$CONFIG" --close-all </dev/null >"$WORK/closing" 2>&1
}

# killed_open WHAT SET: a door of that set is open when knockd is killed.
killed_open() {
    starts "$1: starts"
    knock_all 1 1
    ok "$1: opens" says 'opened for 10.1.0.2,' 20
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    ok "$1: killed, it is left open" there "$2"
}

# closes_in_doubt WHAT SET START STOP [LINE]: by --close-all, and by the next start.
closes_in_doubt() {
    nft_door "$2 $3" "$4" "${5:-}"
    killed_open "$1" "$2"
    ok "$1: --close-all closes" close_all
    ok "$1: it is gone" not there "$2"
    ok "$1: at once" [ "$(grep -cE 'NOT CLOSED|command exited' "$WORK/closing")" = 0 ]
    fresh
    killed_open "$1, started once more" "$2"
    starts "$1: starts over"
    ctl close ssh
    ok "$1: knockd closes" says ': closed for 10.1.0.2' 20
    ok "$1: it is gone then, too" not there "$2"
    ok "$1: not by many tries" not said 'NOT CLOSED|command exited'
    fresh
}

closes_whatever_is_in_doubt() {
    local stop='delete element inet nc'
    on_gate nft -f - <<'END'
table inet nc {
    set s { type ipv4_addr; }
    map m { type ipv4_addr : verdict; }
    set one { type ipv4_addr; size 1; }
}
END
    closes_in_doubt "a comment" s '{ %IP% } # web' "'$stop s { %IP% } # web'"
    closes_in_doubt "a map" m '{ %IP% : accept }' "$stop m { %IP% }"
    closes_in_doubt "a map, its statuses 0 and 1" m '{ %IP% : accept }' "$stop m { %IP% }" 'stop_ok = { 0, 1 }'
    closes_in_doubt "a full set" one '{ %IP% }' "$stop one { %IP% }"
    # Gone already.
    nft_door 's { %IP% }' "$stop s { %IP% }"
    killed_open "gone from a set" s
    on_gate nft delete element inet nc s '{ 10.1.0.2 }'
    ok "gone from a set: --close-all says so" close_all
    fresh
    nft_door 'm { %IP% : accept }' "$stop m { %IP% }" 'check_command = "nft get element inet nc m { %IP% }"'
    killed_open "gone from a map" m
    on_gate nft delete element inet nc m '{ 10.1.0.2 }'
    ok "gone from a map: --close-all says so, by the door's check" close_all
    fresh
    on_gate nft delete table inet nc
}

# --- the recipes, in numbers ---

# began: how many programs have been started since the log's mark.
began() {
    said_lines 'running ([0-9]+ commands together|/)' | wc -l
}

# began_few WHAT: much fewer than doors.
began_few() {
    local count
    count=$(began)
    diag "$kind: $1: $count programs for $many doors"
    ok "$kind: $1: few programs are started" [ "$count" -le $((many / 10)) ]
}

# recipe_file NAME: its door, filled in.
recipe_file() {
    sed -n '/^door/,/^}/p' "$TREE/etc/examples/$1.conf" |
        sed 's/FIRST, SECOND:udp, THIRD/7412, 28733:udp, 51990/; s/\(cmd_timeout *= \)30/\1600/' | configure_file
}

in_recipe() {
    case $kind in
    nft) on_gate nft list set inet filter knock4 | grep -o ' expires ' | wc -l ;;
    ipset) on_gate ipset save knock4 | grep -c '^add ' ;;
    esac
}

in_numbers() {
    local many=1000
    case $kind in
    nft)
        on_gate nft -f "$TREE/etc/examples/nftables-set.nft"
        recipe_file nftables-set
        ;;
    ipset)
        on_gate ipset create knock4 hash:ip timeout 0
        recipe_file ipset
        ;;
    esac
    starts "$kind: the recipe starts" -v
    knock_all 1 1
    says 'opened for 10.1.0.2,' 20
    knock_all 2 $many
    ok "$kind: the recipe opens many" poll 60 said ': opened for ' $many
    is "$kind: all are in the set" "$(in_recipe)" $many
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    run_knockd -v
    knock_all 1001 1001
    ok "$kind: after kill -9 one more opens" says 'opened for 10.1.5.2,' 30
    ctl close ssh
    ok "$kind: all close" poll 60 said ': closed for ' $((many + 1))
    began_few "checked after kill -9, and closed"
    is "$kind: nothing is left in the set" "$(in_recipe)" 0
    fresh
}

needs_gate
needs_knockctl
for kind in nft ipset; do
    nft=nft ipset=ipset
    command -v $kind >/dev/null || { skip "$kind" "$kind isn't installed"; continue; }
    make_set 10 2>/dev/null || { skip "$kind" "the kernel has no $kind"; continue; }
    remove_set
    each_by_itself
    cut_short_anywhere
    make_set 1000
    set_file 1
    ok "$kind: killed at any moment, it leaves nothing" dies_at_any_moment
    fresh
    remove_set
    in_numbers
    [ $kind = ipset ] || closes_whatever_is_in_doubt
done
done_testing
