# bash completion of knockctl, made by scripts/completion.pl of the program's own tables; don't edit it: make completion
# shellcheck shell=bash

# Sets `words` to the arguments in front of the cursor, `cur` to what is to be completed, `kind` to what that is to be
# where it belongs to an option, `with` to the options that the answers of knockctl depend on.
_knockctl_split() {
    local line=${COMP_LINE:0:COMP_POINT} word last='' all=()
    read -ra all <<<"$line"
    cur='' words=() with=() kind=''
    if [[ $line != *[[:blank:]] ]]; then
        cur=${all[${#all[@]} - 1]}
        unset "all[${#all[@]} - 1]"
    fi
    for word in "${all[@]:1}"; do
        _knockctl_kind "$last"
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
    _knockctl_kind "$last"
}

# What belongs to an option.
_knockctl_kind() {
    kind=''
    case $1 in
    -n|--lines|--accept|--try|--expires) kind='-' ;;
    --door) kind='DOOR' ;;
    -c|--config|-s|--socket|--defaults) kind='FILE' ;;
    --stun) kind='HOST' ;;
    esac
}

# Proposes what compgen makes of the arguments.
_knockctl_propose() {
    local found
    mapfile -t found < <(compgen "$@" -- "$cur")
    COMPREPLY+=("${found[@]}")
}

# Proposes the lines of standard input that begin as the word at the cursor; for the shell that word begins behind its
# last colon.
_knockctl_propose_lines() {
    local line
    while read -r line; do
        [[ $line != "$cur"* ]] || COMPREPLY+=("$(printf %q "${line#"${cur%"${cur##*:}"}"}")")
    done
}

_knockctl_names() {
    case $1 in
    =*) _knockctl_propose -W "${1#=}" ;; # words of the program's own
    FILE)
        compopt -o filenames 2>/dev/null
        _knockctl_propose -f ;;
    FOLDER)
        compopt -o filenames 2>/dev/null
        _knockctl_propose -d ;;
    HOST) _knockctl_propose -A hostname ;;
    INTERFACE) _knockctl_propose_lines < <(ls /sys/class/net 2>/dev/null) ;;
    DOOR) _knockctl_propose_lines < <(_knockctl_doors | awk '{ print $1 }' | sort -u) ;;
    ADDRESS) [[ ${words[0]} != @(close|forget) ]] ||
        _knockctl_propose_lines < <(_knockctl_doors | awk -v door="${words[1]}" '$1 == door { print $2 }') ;;
    KEY) _knockctl_propose_lines < <(knockctl key list "${with[@]}" 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
    esac
}

# The doors, a line each: those that are open where one is to be closed, else all.
_knockctl_doors() {
    [[ ${words[0]} = @(close|forget) ]] || with+=(--all)
    knockctl doors "${with[@]}" 2>/dev/null | tail -n +2
}

_knockctl() {
    local cur words with kind kinds=() options='-V --version -h --help -c --config -s --socket --json --prometheus --all --stray -n --lines -4 --ipv4 -6 --ipv6 --nft --nflog --accept --again --try --check --defaults --door --expires --roaming --stun' count=1
    COMPREPLY=()
    _knockctl_split
    case "${words[0]} ${words[1]}" in
    'key new') count=2 ;;
    'key list') count=2 ;;
    'key remove') count=2 ;;
    'help status') count=2 ;;
    'help doors') count=2 ;;
    'help open') count=2 ;;
    'help close') count=2 ;;
    'help forget') count=2 ;;
    'help history') count=2 ;;
    'help sources') count=2 ;;
    'help why') count=2 ;;
    'help watch') count=2 ;;
    'help reload') count=2 ;;
    'help rules') count=2 ;;
    'help import') count=2 ;;
    'help key') count=2 ;;
    'help sequence') count=2 ;;
    esac
    case "${words[*]:0:count}" in
    'status') kinds=()
        options='-c --config -s --socket --json --prometheus -h --help' ;;
    'doors') kinds=()
        options='-c --config -s --socket --json --all -h --help' ;;
    'open') kinds=(DOOR ADDRESS TIME)
        options='-c --config -s --socket --json -h --help' ;;
    'close') kinds=(DOOR ADDRESS)
        options='-c --config -s --socket --json --all --stray -h --help' ;;
    'forget') kinds=(DOOR ADDRESS PORT)
        options='-c --config -s --socket --json -h --help' ;;
    'history') kinds=()
        options='-c --config -s --socket --json -n --lines -h --help' ;;
    'sources') kinds=()
        options='-c --config -s --socket --json -h --help' ;;
    'why') kinds=(ADDRESS)
        options='-c --config -s --socket --json -h --help' ;;
    'watch') kinds=()
        options='-c --config -s --socket --json -h --help' ;;
    'reload') kinds=()
        options='-c --config -s --socket --json -h --help' ;;
    'rules') kinds=()
        options='-c --config --json -4 --ipv4 -6 --ipv6 --nft --nflog --accept --again --try --check -h --help' ;;
    'import') kinds=(FILE)
        options='--defaults -h --help' ;;
    'key new') kinds=(NAME)
        options='-c --config --door --expires --roaming --stun -h --help' ;;
    'key list') kinds=()
        options='-c --config --json -h --help' ;;
    'key remove') kinds=(KEY)
        options='-c --config -h --help' ;;
    'sequence') kinds=(N)
        options='-h --help' ;;
    'help status') kinds=()
        options='-V --version -h --help' ;;
    'help doors') kinds=()
        options='-V --version -h --help' ;;
    'help open') kinds=()
        options='-V --version -h --help' ;;
    'help close') kinds=()
        options='-V --version -h --help' ;;
    'help forget') kinds=()
        options='-V --version -h --help' ;;
    'help history') kinds=()
        options='-V --version -h --help' ;;
    'help sources') kinds=()
        options='-V --version -h --help' ;;
    'help why') kinds=()
        options='-V --version -h --help' ;;
    'help watch') kinds=()
        options='-V --version -h --help' ;;
    'help reload') kinds=()
        options='-V --version -h --help' ;;
    'help rules') kinds=()
        options='-V --version -h --help' ;;
    'help import') kinds=()
        options='-V --version -h --help' ;;
    'help key') kinds=()
        options='-V --version -h --help' ;;
    'help sequence') kinds=()
        options='-V --version -h --help' ;;
    help) kinds=('=status doors open close forget history sources why watch reload rules import key sequence') ;;
    key) kinds=('=new list remove') ;;
    '') count=0 kinds=('=status doors open close forget history sources why watch reload rules import key sequence help') ;;
    esac
    if [ -n "$kind" ]; then
        _knockctl_names "$kind"
    elif [[ $cur = -* ]]; then
        _knockctl_propose -W "$options"
    else
        _knockctl_names "${kinds[${#words[@]} - count]}"
    fi
}

complete -F _knockctl knockctl
