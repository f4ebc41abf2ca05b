# Sourced by the tests of the fleet's engines: what each of them has to stand, by lines that arrive at the gateways.
# Expects fleet.sh. HEARING are the gateways that hear a's packets while what kill_broker kills is away.
# shellcheck shell=bash

HEARING=(a)

# now_heard: says how long it takes until all hear all.
now_heard() {
    settled 150
    tap_result $? "$1: all hear all" || { diag "$(tail -n 3 "$WORK"/*/*.out)"; return 1; }
    diag "$ENGINE: $1: all hear all after $SETTLED ms"
}

others() {
    local name
    for name in a b c; do
        [[ " ${HEARING[*]} " = *" $name "* ]] || echo "$name"
    done
}

# A knock's packets reach one gateway each; all open, by the stream.
scene_split() {
    local order
    for order in "a b c" "c a b" "b b a"; do
        # shellcheck disable=SC2086 # names
        spread_opens "split over $order" $order
    done
    case $ENGINE in nats | redis)
        like "c's lines come from its journal" "$(cat "$WORK"/c/*.out)" 'journalctl .* _TRANSPORT=kernel' ;;
    esac
    knocker
    # shellcheck disable=SC2153 # knocker sets it
    sealed_knock "$FROM" a b c
    opens "a sealed knock split" "$FROM" web a b c
    knocker
    seal_for "$FROM"
    shuf --random-source=<(yes "$RANDOM") "$WORK/packets" -o "$WORK/packets"
    send_sealed "$FROM" c a b
    opens "a sealed knock in any order" "$FROM" web a b c
}

# The engine is killed before a knock. It comes back when the knock is older than max_age: whatever it kept, the knock
# opens nothing more.
scene_killed_before() {
    local plain sealed
    kill_broker
    knocker
    plain=$FROM
    knock_at "$plain" a a a
    opens "engine away" "$plain" ssh "${HEARING[@]}"
    knocker
    sealed=$FROM
    sealed_knock "$sealed" a
    opens "engine away, sealed" "$sealed" web "${HEARING[@]}"
    sleep $((MAX_AGE + 1))
    start_broker || bail "no engine"
    now_heard "engine back" || return
    for name in $(others); do
        old_lines_came "$name" "$plain"
        stays_shut "knock of the outage" "$plain" "$name"
        stays_shut "sealed knock of the outage" "$sealed" "$name"
    done
}

# gw_count NAME REGEX: how often it said that.
gw_count() {
    grep -cE -- "$2" "$WORK/$1/knockd.log"
}

# A file shows what the engine brought late.
old_lines_came() {
    case $ENGINE in
    rsyslog | mesh)
        is "the queue brought $1 the old lines" "$(grep -c "SRC=$2 " "$WORK/$1/log/knock-fleet.log")" 3 ;;
    esac
}

# The engine is killed between two steps, and comes back at once.
scene_killed_during() {
    knocker
    arrives a "$FROM" "${STEPS[0]}"
    arrives a "$FROM" "${STEPS[1]}"
    kill_broker
    arrives a "$FROM" "${STEPS[2]}"
    opens "killed between two steps" "$FROM" ssh "${HEARING[@]}"
    start_broker || bail "no engine"
    now_heard "killed between two steps"
}

# The engine is killed right after a knock: what opened stays open, and opens once.
scene_killed_after() {
    local from
    spread_opens "killed after a knock" c b c
    from=$FROM
    kill_broker
    start_broker || bail "no engine"
    now_heard "killed after a knock"
    opens "killed after a knock, back" "$from" ssh a b c
}

# b's packets vanish, and nobody is told. What was under way arrives by TCP's retransmission when the link is back.
scene_link() {
    local plain theirs begun
    begun=$(now_ms)
    cut_link b
    knocker
    plain=$FROM
    knock_at "$plain" a a a
    opens "b's link cut" "$plain" ssh a c
    knocker
    theirs=$FROM
    knock_at "$theirs" b b b
    opens "b alone" "$theirs" ssh b
    sleep $((MAX_AGE + 1))
    mend_link b
    now_heard "b's link is back"
    diag "$ENGINE: cut for $(($(now_ms) - begun - SETTLED)) ms"
    stays_shut "knock at a, b's link cut" "$plain" b
    stays_shut "knock at b, b's link cut" "$theirs" a c
}

# A gateway's knockd is killed: it doesn't have the doors that opened meanwhile, but hears from then on.
scene_gateway() {
    local from
    kill -KILL "${KNOCKD_OF[b]}"
    wait "${KNOCKD_OF[b]}" 2>/dev/null
    ok "b's knockd killed: a and c open" settled 60 a c
    from=$FROM
    ok "b's knockd starts" start_gateway b
    now_heard "b's knockd is back"
    stays_shut "knock while b's knockd was away" "$from" b
    PAUSE=1 knock_at "$from" a c b
    opens "once more" "$from" ssh a b c
}

# A scan: so many lines at one moment that a queue may overflow. None is lost, the knock behind them is heard.
scene_burst() {
    local i lines=5000 to=$WORK/a/stream.log
    for ((i = 0; i < lines; i++)); do
        packet "198.19.100.$((i % 250))" 9
        if [ -p "$WORK/a/kmsg" ]; then
            to=$WORK/a/kmsg
            echo "<4>[ 4711.123456] $PACKET"
        else
            stamped a
            echo "$LINE"
        fi
    done >"$WORK/burst"
    cat "$WORK/burst" >>"$to"
    # An engine that is slow here brings the first of them later than max_age.
    for i in {1..10}; do
        knocker
        knock_at "$FROM" a a a
        briefly poll 5 opened_on "$FROM" b c && break
    done
    opens "behind a scan" "$FROM" ssh b c
    case $ENGINE in rsyslog | mesh)
        is "no line of a scan is lost" "$(grep -c ' SRC=198\.19\.100\.' "$WORK/c/log/knock-fleet.log")" $lines ;;
    esac
}

# What an engine does that delivers at least once, or has no order.
scene_copies() {
    local step name from packets=()
    knocker
    from=$FROM
    for step in "${STEPS[@]}"; do
        packet "$from" "$step"
        packets+=("$PACKET")
        stream_line a
        stream_line a
    done
    opens "each line twice" "$from" ssh a b c
    for PACKET in "${packets[@]}"; do
        stream_line a
    done
    now_heard "a knock's lines once more"
    for name in a b c; do
        is "lines twice: $name opened once" "$(gw_count "$name" "opened for $from,")" 1
        is "lines twice: $name extends nothing" "$(extended "$name" "$from")" ""
    done
    knocker
    from=$FROM
    for step in 2 0 1; do
        packet "$from" "${STEPS[step]}"
        stream_line a
    done
    now_heard "lines in a wrong order"
    stays_shut "lines in a wrong order" "$from" a b c
}

# c shows a certificate of the fleet's authority, but with a name that is no gateway's: nobody takes its lines.
scene_stranger() {
    local from
    certify c gw-x
    restart_sender c || bail "no sender at c"
    sleep 2
    knocker
    from=$FROM
    knock_at "$from" c c c
    opens "a stranger's certificate" "$from" ssh c
    ok "a stranger's certificate: lines of a are heard" heard_from_a
    stays_shut "a stranger's certificate" "$from" a b
    certify c gw-c
    restart_sender c || bail "no sender at c"
    now_heard "c has its own certificate again"
}

heard_from_a() {
    local from=198.18.200.1
    knock_at $from a a a
    poll 10 opened_on $from a b
}

# Whoever writes into the stream: doors that don't hear it stay shut, sealed doors too; a sealed knock, overheard, opens
# nothing a second time, nor for another.
scene_forged() {
    local step name before
    knocker
    for step in "${CONSOLE[@]}"; do
        packet "$FROM" "$step"
        stream_line a
    done
    knocker
    sealed_knock "$FROM" a b
    opens "a sealed knock" "$FROM" web a b c
    before=$(gw_count c 'door web: (opened|extended)')
    forge_sealed "$FROM"
    knocker
    forge_sealed "$FROM"
    forge_many
    now_heard "forged lines"
    for name in a b c; do
        is "$name: they open no door that doesn't hear them" "$(gw_count "$name" 'door console: opened')" 0
        is "$name: nor a sealed one" "$(gw_count "$name" 'door web: (opened|extended)')" "$before"
    done
    knocker
    for step in "${CONSOLE[@]}"; do
        packet "$FROM" "$step"
        local_line b
    done
    opens "its own lines do" "$FROM" console b
}

# Once more the packets that were overheard, in the stream alone.
forge_sealed() {
    local proto port length
    while read -r proto port length; do
        packet "$1" "$port:$proto" "$length"
        stream_line a
    done <"$WORK/packets"
}

# Sealed packets of no key, and steps that are no sequence.
forge_many() {
    local i
    for ((i = 0; i < 500; i++)); do
        packet "198.19.$((i % 7)).1" "$((20000 + RANDOM % 12288)):udp" $((RANDOM % 100))
        stream_line a
        packet "198.19.200.$((i % 250))" "${STEPS[i % 2]}"
        stream_line a
    done
}

# b's clock is wrong by minutes: the others take nothing from it, and b hears itself as before.
scene_clocks() {
    local off step alone=() split=()
    for off in -180 180; do
        knocker
        alone+=("$FROM")
        for step in "${STEPS[@]}"; do
            packet "$FROM" "$step"
            local_line b
            stream_line b $off
        done
        opens "clock of b off by $off s" "$FROM" ssh b
        knocker
        split+=("$FROM")
        arrives a "$FROM" "${STEPS[0]}"
        packet "$FROM" "${STEPS[1]}"
        stream_line b $off
        arrives c "$FROM" "${STEPS[2]}"
    done
    now_heard "clocks"
    for off in 0 1; do
        stays_shut "b's packets alone" "${alone[off]}" a c
        stays_shut "with a packet of b's" "${split[off]}" a b c
    done
}

# play_all: starts the engine and the gateways, and plays what every engine has to bear.
play_all() {
    start_engine
    start_gateways
    now_heard "at first"
    scene_split
    scene_copies
    scene_burst
    scene_killed_before
    scene_killed_during
    scene_killed_after
    scene_link
    scene_gateway
}
