#!/bin/sh
# install-next.sh PART...: what `make install` says at its end: what comes next, and what another knockd on this host
# means for that. `make` says the places.
set -eu

: "${PREFIX:?}" "${BINDIR:?}" "${SBINDIR:?}" "${UNITDIR:?}" "${SYSCONFDIR:?}"
conf=$SYSCONFDIR/knockd.conf
unit=$UNITDIR/knockd.service
# Where systemd looks for units, in its order; the first one wins. Of /lib and /usr/lib, either may be the other's link.
unit_path="/etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system \
/lib/systemd/system"

say() {
    printf '%s\n' "$@"
}

# first_line FILE: the first one that isn't blank or a comment.
first_line() {
    sed -n '/^[[:space:]]*\([#;]\|\r*$\)/d; p; q' "$1" 2>/dev/null
}

# The knockd that listens to an interface by itself has sections in brackets; ours never begin so.
foreign_file() {
    case $(first_line "$conf" | tr -d '[:space:]') in
    '['*']'*) true ;;
    *) false ;;
    esac
}

same() {
    [ "$(readlink -f "$1")" = "$(readlink -f "$2")" ]
}

winning_unit() {
    for folder in $unit_path; do
        [ ! -e "$folder/knockd.service" ] || { echo "$folder/knockd.service"; return; }
    done
}

# The binaries of other installations, in the places of the system.
foreign_binary() {
    for other in /usr/sbin/knockd /usr/local/sbin/knockd; do
        [ -e "$other" ] && ! same "$other" "$SBINDIR/knockd" && { echo "$other"; return; }
    done
    true
}

foreign_unit() {
    for folder in $unit_path; do
        [ -e "$folder/knockd.service" ] && ! same "$folder/knockd.service" "$unit" && {
            echo "$folder/knockd.service"; return; }
    done
    true
}

# owner FILE: " (of the package NAME)", where dpkg knows.
owner() {
    package=$(dpkg-query -S "$1" 2>/dev/null | cut -d: -f1 | head -n 1) || true
    [ -z "$package" ] || echo " (of the package $package)"
}

# The daemon that runs now, but not in a container of this host: its pid, and the file that it was started from. A file
# that was replaced reads "(deleted)".
running() {
    for process in /proc/[0-9]*; do
        exe=$(readlink "$process/exe" 2>/dev/null) || continue
        case $exe in */knockd | */knockd' (deleted)') ;; *) continue ;; esac
        [ "$(readlink "$process/ns/pid")" = "$(readlink /proc/self/ns/pid)" ] || continue
        echo "${process#/proc/} $exe"
        return
    done
}

say_foreign_file() {
    say "$conf is the file of the other knockd, the one that listens to an interface; this one refuses it." \
        "Nothing of it was changed."
}

# say_restart WINNER: what happens at the next restart.
say_restart() {
    if [ -z "$1" ]; then
        return
    elif same "$1" "$unit"; then
        say "At the next restart systemd takes $1, thus starts $SBINDIR/knockd${file_refused:+, which
refuses that file: then nobody gets in}."
    else
        say "At the next restart systemd takes $1$(owner "$1"), not $unit." \
            "For that to win: sudo rm $1 && sudo systemctl daemon-reload (a package's: remove the package)."
    fi
}

say_foreign() {
    binary=$(foreign_binary) other_unit=$(foreign_unit) winner=$(winning_unit) file_refused=
    process=$(running) pid=${process%% *} exe=${process#* }
    if foreign_file; then file_refused=1; say_foreign_file; fi
    [ -z "$binary" ] || say "Another knockd is installed: $binary$(owner "$binary"). A shell finds $(command -v knockd ||
        echo none of them) first."
    [ -z "$other_unit" ] || say "Another unit is installed: $other_unit$(owner "$other_unit")."
    [ -z "$pid" ] || [ "$exe" = "$SBINDIR/knockd" ] ||
        say "A knockd from before runs on (process $pid, $exe) until it is restarted."
    [ -z "$file_refused$binary$other_unit" ] || say_restart "$winner"
}

# How it is started, and once more when it runs, by what starts services here.
if [ -d /run/systemd/system ]; then
    start="sudo systemctl enable --now knockd" restart="sudo systemctl daemon-reload && sudo systemctl restart knockd"
else
    start="sudo $SBINDIR/knockd -d" restart="end the knockd that runs, and start it again: $start"
fi

# column COMMAND: it, and blanks up to where its explanation begins.
column() {
    printf '  %-47s  ' "$1"
}

say_import_next() {
    say "Next:" \
        "  sudo sh -c 'umask 077; knockctl import $conf >$conf.imported'" \
        "$(column '')its comments say what wants a look" \
        "$(column "sudo knockd -t -c $conf.imported")is it right?" \
        "  sudo mv $conf.imported $conf && $restart"
}

# A knockd of this installation that runs already is restarted; else it is set up first.
say_daemon_next() {
    if foreign_file; then
        say_import_next
        return
    fi
    case $(running) in
    *" $SBINDIR/knockd"*)
        say "Next:" \
            "$(column "sudo knockd -t")is the configuration still right?" \
            "  $restart" ;;
    *)
        say "Next:" \
            "$(column "sudoedit $conf")a door of your own; knockctl sequence draws its ports" \
            "$(column "sudo knockd -t")is it right?" \
            "$(column "$start")then, before the firewall denies the port:" \
            "$(column "sudo knockctl rules --check")does the firewall fit it?" ;;
    esac
}

# Where the daemon can't be run from by systemd, there is less to say.
say_elsewhere() {
    say "systemd doesn't look into $UNITDIR; the daemon wants root: sudo $SBINDIR/knockd -c $conf"
}

say_path() {
    case ":$PATH:" in
    *":$BINDIR:"*) ;;
    *) say "$BINDIR isn't in your PATH: export PATH=\"$BINDIR:\$PATH\"" ;;
    esac
}

say_client_next() {
    say "knock is in $BINDIR. Next: knock HOST PORT[:udp]...; for profiles see knock(1), and" \
        "  ${DOCDIR:-}/examples/knock.conf"
    say_path
}

case " $* " in
*" daemon "*)
    say "knockd is in $SBINDIR, knockctl and knock are in $BINDIR, the unit is $unit."
    say_path
    say_foreign
    case " $unit_path " in *" $UNITDIR "*) say_daemon_next ;; *) say_elsewhere ;; esac ;;
*) say_client_next ;;
esac
