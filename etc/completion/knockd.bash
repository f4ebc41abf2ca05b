# bash completion of knockd, made by scripts/completion.pl of the program's own tables; don't edit it: make completion
# shellcheck shell=bash

# Sets `words` to the arguments in front of the cursor, `cur` to what is to be completed, `kind` to what that is to be
# where it belongs to an option, `with` to the options that the answers of knockd depend on.
_knockd_split() {
    local line=${COMP_LINE:0:COMP_POINT} word last='' all=()
    read -ra all <<<"$line"
    cur='' words=() with=() kind=''
    if [[ $line != *[[:blank:]] ]]; then
        cur=${all[${#all[@]} - 1]}
        unset "all[${#all[@]} - 1]"
    fi
    for word in "${all[@]:1}"; do
        _knockd_kind "$last"
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
    _knockd_kind "$last"
}

# What belongs to an option.
_knockd_kind() {
    kind=''
    case $1 in
    -c|--config|-r|--replay) kind='FILE' ;;
    --state-dir) kind='FOLDER' ;;
    esac
}

# Proposes what compgen makes of the arguments.
_knockd_propose() {
    local found
    mapfile -t found < <(compgen "$@" -- "$cur")
    COMPREPLY+=("${found[@]}")
}

# Proposes the lines of standard input that begin as the word at the cursor; for the shell that word begins behind its
# last colon.
_knockd_propose_lines() {
    local line
    while read -r line; do
        [[ $line != "$cur"* ]] || COMPREPLY+=("$(printf %q "${line#"${cur%"${cur##*:}"}"}")")
    done
}

_knockd_names() {
    case $1 in
    =*) _knockd_propose -W "${1#=}" ;; # words of the program's own
    FILE)
        compopt -o filenames 2>/dev/null
        _knockd_propose -f ;;
    FOLDER)
        compopt -o filenames 2>/dev/null
        _knockd_propose -d ;;
    HOST) _knockd_propose -A hostname ;;
    INTERFACE) _knockd_propose_lines < <(ls /sys/class/net 2>/dev/null) ;;
    esac
}

_knockd() {
    local cur words with kind
    COMPREPLY=()
    _knockd_split
    if [ -n "$kind" ]; then
        _knockd_names "$kind"
    elif [[ $cur = -* || -z $cur ]]; then
        _knockd_propose -W '-c --config -d --daemon -f --foreground -t --test -r --replay --packets --close-all --state-dir -v --verbose -D --debug -V --version -h --help'
    fi
}

complete -F _knockd knockd
