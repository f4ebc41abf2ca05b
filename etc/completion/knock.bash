# bash completion of knock, made by scripts/completion.pl of the program's own tables; don't edit it: make completion
# shellcheck shell=bash

# Sets `words` to the arguments in front of the cursor, `cur` to what is to be completed, `kind` to what that is to be
# where it belongs to an option, `with` to the options that the answers of knock depend on.
_knock_split() {
    local line=${COMP_LINE:0:COMP_POINT} word last='' all=()
    read -ra all <<<"$line"
    cur='' words=() with=() kind=''
    if [[ $line != *[[:blank:]] ]]; then
        cur=${all[${#all[@]} - 1]}
        unset "all[${#all[@]} - 1]"
    fi
    for word in "${all[@]:1}"; do
        _knock_kind "$last"
        if [[ $last = -* && -n $kind ]]; then
            case $last in -c | -s | --config | --socket) with+=("$last" "$word") ;; esac
            last=''
            continue
        fi
        case $word in
        --config=* | --socket=*) with+=("$word") ;;
        -*) ;;
        *) words+=("$word") ;;
        esac
        last=$word
    done
    if [[ $cur = --*=* ]]; then
        last=${cur%%=*} cur=${cur#*=}
    fi
    _knock_kind "$last"
}

# What belongs to an option.
_knock_kind() {
    kind=''
    case $1 in
    -d|--delay|-p|--port|-t|--timeout|--retries|--for|--ask-port|--seconds|--span|--packet-port) kind='-' ;;
    --bind) kind='=auto any' ;;
    --carrier) kind='=udp tcp packet' ;;
    -c|--config|-k|--key|--once) kind='FILE' ;;
    --stun) kind='HOST' ;;
    --interface) kind='INTERFACE' ;;
    esac
}

# Proposes what compgen makes of the arguments.
_knock_propose() {
    local found
    mapfile -t found < <(compgen "$@" -- "$cur")
    COMPREPLY+=("${found[@]}")
}

# Proposes the lines of standard input that begin as the word at the cursor; for the shell that word begins behind its
# last colon.
_knock_propose_lines() {
    local line
    while read -r line; do
        [[ $line != "$cur"* ]] || COMPREPLY+=("$(printf %q "${line#"${cur%"${cur##*:}"}"}")")
    done
}

_knock_names() {
    case $1 in
    =*) _knock_propose -W "${1#=}" ;; # words of the program's own
    FILE)
        compopt -o filenames 2>/dev/null
        _knock_propose -f ;;
    FOLDER)
        compopt -o filenames 2>/dev/null
        _knock_propose -d ;;
    HOST) _knock_propose -A hostname ;;
    INTERFACE) _knock_propose_lines < <(ls /sys/class/net 2>/dev/null) ;;
    PROFILE)
        _knock_propose -A hostname
        _knock_propose_lines < <(knock --list "${with[@]}" 2>/dev/null | cut -f1) ;;
    esac
}

_knock() {
    local cur words with kind
    COMPREPLY=()
    _knock_split
    if [[ " ${COMP_LINE:0:COMP_POINT}" = *' -- '* ]]; then
        _knock_propose -c
    elif [ -n "$kind" ]; then
        _knock_names "$kind"
    elif [[ $cur = -* ]]; then
        _knock_propose -W '-u --udp -d --delay -4 --ipv4 -6 --ipv6 -v --verbose --dry-run -c --config -k --key -p --port -t --timeout --retries --always --carrier --bind --stun --interface --for --ask-port --seconds --span --packet-port --once --close --proxy --list -V --version -h --help'
    elif [ ${#words[@]} = 0 ]; then
        _knock_names PROFILE
    fi
}

complete -F _knock knock
