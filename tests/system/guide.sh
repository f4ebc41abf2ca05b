# Sourced by the tests of README.md's guides: their commands, and what they say that the log says.
# shellcheck shell=bash

GUIDE=''

# read_guide HEADING: the guide under that heading, its indented lines alone, becomes GUIDE.
read_guide() {
    GUIDE=$WORK/guide
    sed -n "/^## $1\$/,/^## /p" "$TREE/README.md" | sed -n 's/^    //p' >"$GUIDE"
    [ -s "$GUIDE" ] || bail "README.md has no guide \"$1\""
}

# prompted CHARACTER PROGRAM: what follows the program where the guide calls it at this prompt.
prompted() {
    sed -n "s/^$1 $2 \?//p" "$GUIDE"
}

guide_shows() {
    grep -qxF -- "$1" "$GUIDE"
}

# like_the_guide TEXT: the last such line of the log. In the guide, an address and a time stand for any.
like_the_guide() {
    said_lines "$1" | sed "s/$CLIENT4/203.0.113.9/; s/in $OPEN_FOR s/in 30 s/" | tail -n 1
}

# try_rules: knockctl rules as the guide calls it; sets TRIAL, which waits for keep_rules.
try_rules() {
    local arguments
    arguments=$(prompted '#' 'knockctl rules')
    like "the guide tries its rules" "$arguments" '--try 300$'
    mkfifo "$WORK/answers"
    # shellcheck disable=SC2086 # words
    ip netns exec "$GATE" "$KNOCKCTL" rules -c "$CONFIG" $arguments <"$WORK/answers" >"$WORK/trial" 2>&1 &
    TRIAL=$!
    started $TRIAL
    exec 5>"$WORK/answers"
    ok "the rules are applied, and wait for yes" poll 5 grep -q 'type yes' "$WORK/trial"
}

keep_rules() {
    echo yes >&5
    wait "$TRIAL"
    is "yes: knockctl is content" $? 0
}
