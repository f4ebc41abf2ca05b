# Sourced by the tests of knockctl and a running knockd: doors, and knockctl with what it says.
# shellcheck shell=bash

# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "${BASH_SOURCE[0]}")/knockd.sh"

# shellcheck disable=SC2034 # used by the tests
steps=(7412 28733:udp 51990)
# shellcheck disable=SC2034
who=192.0.2.10 who6=2001:db8::10
OUT='' ERR='' STATUS=0

# The rule of "ssh" is looked for in the firewall; "fails" can't be opened; "stuck" can't be closed while DIR/stuck is
# there.
good_file() {
    configure_file <<TABLE
door "ssh" {
    sequence    = { "7412, 28733:udp, 51990" }
    cmd_timeout = ${1:-60}
    allow       = { "192.0.2.0/24", "2001:db8::/32" }
    port        = 2222
    rule        = "INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT"
}
door "fails" {
    sequence      = { "7413, 28733:udp, 51990" }
    start_command = "/bin/false"
    stop_command  = "/bin/true"
}
door "stuck" {
    sequence      = { "7414, 28733:udp, 51990" }
    seq_timeout   = 2
    cmd_timeout   = 60
    start_command = "/usr/bin/touch $WORK/stuck"
    stop_command  = "/usr/bin/test ! -e $WORK/stuck"
}
TABLE
}

# ctl ARGUMENT...: sets OUT, ERR and STATUS.
ctl() {
    OUT=$("$KNOCKCTL" "$@" -s "$WORK/control" 2>"$WORK/err")
    STATUS=$?
    ERR=$(cat "$WORK/err")
}

# json EXPRESSION: what the expression makes of OUT, as $j, or that it isn't JSON.
json() {
    perl -MJSON::PP -e 'my $j = eval { decode_json(join "", <STDIN>) } or print("no JSON: $@"), exit;
        no strict "vars"; my $got = eval shift; print defined $got ? $got : "undef", $@' "$1" <<<"$OUT"
}

# counted NAME: a number of knockctl status, of knockd itself or its listener.
# shellcheck disable=SC2016 # $j is perl's
counted() {
    ctl status --json
    json "\$j->{$1} // \$j->{listener}[0]{$1}"
}

# has_counted NAME NUMBER: at least so many.
has_counted() {
    [ "$(counted "$1")" -ge "$2" ]
}

# refused STATUS DESCRIPTION TEXT ARGUMENT...: that exit status, one line on standard error, nothing on standard output.
refused() {
    local status=$1 description=$2 text=$3
    shift 3
    ctl "$@"
    is "$description: status" "$STATUS" "$status"
    like "$description: said why" "$ERR" "$text"
    is "$description: nothing else" "$OUT" ''
}

needs_knockctl() {
    [ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
}
