#!/bin/bash
# The manual pages and the programs say the same: each option, command and key of the one is in the other.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

man=$TREE/man

# options_of PAGE: what its lists explain, a line each: --config, -c.
options_of() {
    awk '$1 == ".It" && $2 ~ /^(Fl|Nm)$/ {
        for (i = 2; i <= NF; i++) {
            if ($i == "Fl") fl = 1
            else if (fl && $i ~ /^-?[A-Za-z0-9-]+$/ && !($i in macro)) print "-" $i
            else if ($i != "," && $i != "|") fl = 0
            if ($i in macro) fl = 0
        }
    }
    BEGIN { macro["Ar"] macro["Cm"] macro["Ns"] macro["Op"] macro["Nm"] macro["No"] macro["Pq"] macro["Ta"] macro["Li"] }' "$1" | sort -u
}

# options PROGRAM KIND: what the program takes.
options() {
    awk -F'\t' -v program="$1" -v kinds=" $2 " 'index(kinds, " " $1 " ") && $2 == program {
        print $4
        if ($5 != "-") print $5
    }' <<<"$table" | sort -u
}

# keys_of PAGE SECTION: what the lists explain under the headings whose names match.
keys_of() {
    awk -v section="$2" '$1 == ".Sh" { within = $0 ~ section }
        within && $1 == ".It" && $2 == "Ic" { for (i = 3; i <= NF; i++) if ($i != ",") print $i }' "$1" | sort -u
}

# keys FILE SECTION: what the program takes.
keys() {
    awk -F'\t' -v file="$1" -v section="$2" '$1 == "key" && $2 == file && index(" " section " ", " " $3 " ") {
        print $4 }' <<<"$table" | sort -u
}

# same DESCRIPTION PAGE'S PROGRAM'S: neither has what the other lacks.
same() {
    ok "$1: there is something to compare" test -n "$2"
    is "$1: explained, and not there" "$(comm -23 <(echo "$2") <(echo "$3") | paste -s -d ' ')" ''
    is "$1: there, and not explained" "$(comm -13 <(echo "$2") <(echo "$3") | paste -s -d ' ')" ''
}

# Each command has an entry of its own, and its options are in the synopsis.
commands() {
    local name option synopsis missing=''
    same "knockctl(8): commands" \
        "$(awk '$1 == ".It" && $2 == "Nm" && $3 == "Cm" { name = $4; if (name == "key" && $5 != "") name = name " " $5
            if (name != "key") print name }' "$man/knockctl.8" | sort -u)" \
        "$(awk -F'\t' '$1 == "command" { print $3 }' <<<"$table" | sort -u)"
    synopsis=$(sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$man/knockctl.8" | tr '\n' ' ' | sed 's/\.Nm/\n/g')
    while IFS=$'\t' read -r name option short; do
        case $option in --help | --version | --socket | --config) continue ;; esac
        grep "^ \.Cm $name " <<<"$synopsis" | grep -q -E -- "(Fl -${option#--}|${short/#-/[F|]l? ?})( |$)" ||
            missing+=" $name:$option"
    done < <(awk -F'\t' '$1 == "option" && $3 != "-" { print $3 "\t" $4 "\t" $5 }' <<<"$table")
    is "knockctl(8): the synopsis has each command's options" "$missing" ''
}

export LC_ALL=C
table=$("$BUILT/tools/list_options") || bail "no tables; run make tests first"
for program in knock:1 knockd:8 knockctl:8; do
    same "${program/:/(}): options" "$(options_of "$man/${program/:/.}")" "$(options "${program%:*}" "option replaced")"
done
commands
for section in "GLOBAL KEYS:-" SOURCE:source DOOR:door SEALED:sealed; do
    same "knockd.conf(5): $section" "$(keys_of "$man/knockd.conf.5" "${section%:*}")" "$(keys knockd.conf "${section#*:}")"
done
same "knock.conf(5)" "$(keys_of "$man/knock.conf.5" .)" "$(keys knock.conf "- profile")"
for key in $(keys NAME.key -); do
    ok "knockd.conf(5): $key of a key's file" grep -q -E "^\.(Ic|It Ic) (.* )?$key( |$)" "$man/knockd.conf.5"
done

# named_recipes: the files of the examples' folder that knockd-fleet(7) names.
named_recipes() {
    sed -n 's/^\.\(Pq \)\?Pa //p' "$man/knockd-fleet.7" | sed 's/[ ,]\+/\n/g' | sed 's|^fleet/||' |
        grep -v '^/\|^fleet$\|^[.;]\?$' | sort -u
}

is "knockd-fleet(7) names no recipe that isn't there" \
    "$(named_recipes | while read -r name; do [ -e "$TREE/etc/examples/fleet/$name" ] || echo "$name"; done)" ''
is "and leaves none out" \
    "$(comm -13 <(named_recipes) <(cd "$TREE/etc/examples/fleet" && printf '%s\n' * | sort) | paste -s -d ' ')" ''

if command -v mandoc >/dev/null; then
    for page in "$man"/*.[1-8]; do
        is "mandoc has no word for ${page##*/}" \
            "$(mandoc -Tlint -Wwarning "$page" | grep -v 'referenced manual not found\|outdated mandoc.db')" ''
    done
else
    skip "mandoc has no word for the pages" "no mandoc"
fi
done_testing
