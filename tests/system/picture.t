#!/bin/bash
# The picture of README.md: made from what the demo printed, whatever that is; the one that README.md shows is whole.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

plan 9
# lacks DESCRIPTION TEXT ERE
lacks() {
    is "$1" "$(grep -Ec -- "$3" <<<"$2")" 0
}

picture() {
    "$TREE/scripts/picture.pl"
}

demo='IPv4: knockd reads the log

     10 ms   1. knockd starts
                $ knockd -c knockd.conf
   1500 ms   2. without a knock, nothing answers
                port 2222 of 192.0.2.1: no answer
   2600 ms   3. the right knock
                $ knock <here> & there
                | -A INPUT -i lo -j ACCEPT
                | -A INPUT -s 192.0.2.2/32 -p tcp --dport 2222 -j ACCEPT
                | '$(printf '%0200d' 0)$'\e[31m\x01''
   5700 ms   4. for a new connection, nothing answers again
                port 2222 of 192.0.2.1: no answer

IPv6: knockd reads a file

   6000 ms   5. the right knock'
drawn=$(picture <<<"$demo")
like "it begins with what nothing opened" "$drawn" '>1.5 s</text>'.*'>without a knock, nothing answers</text>'
lacks "and not before" "$drawn" 'knockd -c'
is "one knock, that of the first part" "$(grep -c '>the right knock<' <<<"$drawn")" 1
like "markup in the output is text" "$drawn" '>\$ knock &lt;here&gt; &amp; there</text>'
like "rules of doors are shown" "$drawn" 'dport 2222 -j ACCEPT'
lacks "others are not" "$drawn" '-i lo'
lacks "long lines are cut, control characters left out" "$drawn" $'0{109}|\e|\x01'
is "half a demo makes no picture" "$(picture <<<"${demo%% 4. *}" 2>/dev/null || echo refused)" refused
shown=$(sed -n 's/.*src="\([^"]*\.svg\)".*/\1/p' "$TREE/README.md" | head -n 1)
like "README.md shows one, whole" "$(tr '\n' ' ' <"$TREE/${shown:-none}")" \
    '^<svg .*>the right knock<.*>for a new connection, nothing answers again<.*</svg> $'
