# Sourced by demo.sh: how the demo speaks. Steps with a number and the time since its start in ms, below each what was
# really seen. Coloured on a terminal, plain in a pipe.
# shellcheck shell=bash

set -u

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' dim='' green='' red='' plain=''
fi
demo_start=$(now_ms)
step_count=0 step_text='' said_lines=0

heading() {
    printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# step TEXT: what is done now.
step() {
    step_text=$*
    step_count=$((step_count + 1))
    printf '\n%7d ms  %s%2d. %s%s\n' $(($(now_ms) - demo_start)) "$bold" "$step_count" "$*" "$plain"
}

# output TEXT: what a program or the kernel wrote, as it is.
output() {
    local line
    while IFS= read -r line; do
        printf '%16s%s| %s%s\n' '' "$dim" "$line" "$plain"
    done <<<"$*"
}

command_line() {
    printf '%16s%s$ %s%s\n' '' "$dim" "$*" "$plain"
}

# seen TEXT: the step's result. Said only of what was checked.
seen() {
    printf '%16s%s%s%s\n' '' "$green" "$*" "$plain"
}

# knockd_says: what knockd wrote since this was last asked.
knockd_says() {
    local lines
    mapfile -t lines < <(tail -n +$((said_lines + 1)) "$KNOCKD_LOG")
    said_lines=$((said_lines + ${#lines[@]}))
    [ ${#lines[@]} -le 3 ] || lines=("${lines[@]: -3}")
    [ ${#lines[@]} = 0 ] || output "$(printf '%s\n' "${lines[@]}")"
}

# fail EXPECTED SEEN: ends the demo.
fail() {
    printf '\n%sFAILED in step %d: %s%s\n' "$red$bold" "$step_count" "$step_text" "$plain"
    printf '  expected: %s\n  seen:     %s\n' "$1" "${2//$'\n'/$'\n'            }"
    if [ -s "$KNOCKD_LOG" ]; then
        printf '  knockd said last:\n'
        tail -n 12 "$KNOCKD_LOG" | sed 's/^/    /'
    fi
    exit 1
}
