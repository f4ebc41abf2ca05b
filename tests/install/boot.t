#!/bin/bash
# boot.t SUITE: for root, by scripts/check-install.sh: the packages as an administrator of that release of Debian has
# them: built there, installed in a root booted by systemd-nspawn, a first door, ssh from another network namespace;
# stops, restarts, reboots with doors open; over Debian's own knockd; upgraded and purged. DEBS names a folder with
# packages that were built before.
#
# The firewall is the network namespace's, which outlives a reboot of the container: what knockd leaves behind is seen.
# The kernel writes no line of its log for it, so doors hear by NFLOG, and that of Debian's knockd by its interface.
# shellcheck source-path=SCRIPTDIR source=../system/lib.sh
. "$(dirname "$0")/../system/lib.sh"

suite=${1:?the suite: bookworm or trixie}
KERNEL_LOG='' folder='' root='' machine='' nspawn='' sequence=''
open_for=6

# --- the container ---

# leader: its first process, which a reboot replaces.
leader() {
    local pid
    for pid in $(ps -o pid= --ppid "$nspawn"); do
        [ "$(cat "/proc/$pid/comm")" = systemd ] && echo "$pid" && return
    done
    return 1
} 2>/dev/null

# box COMMAND...: as an administrator's root shell in it.
box() {
    local pid
    pid=$(leader) || return 125
    nsenter -t "$pid" -m -u -i -n -p -r -w env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive SYSTEMD_PAGER='' SYSTEMD_COLORS=0 "$@" </dev/null
}

# from_outside COMMAND...: with the same files, from the other namespace.
from_outside() {
    on_client chroot "$root" env HOME=/root LC_ALL=C "$@" </dev/null
}

up() {
    box systemctl is-system-running 2>/dev/null | grep -qE '^(running|degraded)$'
}

# boot: fails with what the console showed.
boot() {
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn -q -D "$root" --boot --register=no --keep-unit \
        --machine="$machine" --hostname="$suite" --network-namespace-path="/run/netns/$GATE" \
        --capability=CAP_NET_ADMIN --console=read-only </dev/null >"$folder/console" 2>&1 &
    nspawn=$!
    poll 90 up && return
    tail -n 20 "$folder/console" >&2
    return 1
}

boot_id() {
    box cat /proc/sys/kernel/random/boot_id
}

# Without a service manager around it, systemd-nspawn ends with 133 when it is to be started again.
reboot_box() {
    local before status
    before=$(boot_id)
    box systemctl reboot
    poll 90 ended "$nspawn" || return 1
    wait "$nspawn"
    status=$?
    [ $status = 133 ] || { echo "systemd-nspawn ended with $status"; return 1; }
    boot && [ "$(boot_id)" != "$before" ]
}

# As when the power goes: no program is told.
cut_power() {
    kill -KILL "$(leader)" "$nspawn"
    wait "$nspawn" 2>/dev/null
    nspawn=''
}

end() {
    [ -z "$nspawn" ] || ended "$nspawn" || {
        kill -TERM "$nspawn"
        poll 20 ended "$nspawn" || cut_power
    }
    [ -z "$folder" ] || rm -rf --one-file-system "$folder"
    (exit "$1")
    tap_end
}

# --- packages ---

# in_build COMMAND...: in a root of the release with compilers, which has the tree.
in_build() {
    # shellcheck disable=SC2016 # the inner shell's
    unshare -m --propagation private sh -c 'build=$1; shift; mount -t proc proc "$build/proc" &&
        mount --rbind /dev "$build/dev" && exec chroot "$build" "$@"' sh "$folder/build" "$@" >"$folder/build.log" 2>&1 &&
        return
    grep -E -A8 'warning:|error:|\*\*\*' "$folder/build.log" || tail -n 20 "$folder/build.log"
    return 1
}

make_build() {
    "$TREE/scripts/debian-root.sh" "$suite" build "$folder/build" >/dev/null || return 1
    mkdir "$folder/build/tree"
    (cd "$TREE" && git ls-files -z | tar -c --null --owner=0 --group=0 -T -) | tar -x -C "$folder/build/tree"
}

# compiles COMPILER: the whole tree with the release's own, without a warning; of what fuzzes and measures, the objects.
compiles() {
    local objects
    mapfile -t objects < <(cd "$TREE" && printf '%s\n' tests/fuzz/fuzz_*.c tests/bench/*.c |
        sed "s,tests/fuzz/,build/$1/targets/,; s,tests/bench/,build/$1/bench/,; s,c\$,o,")
    in_build make -C /tree -j"$(nproc)" -k BUILD="build/$1" CC="$1" WERROR=-Werror OPTIMISE=-O2 all tests "${objects[@]}"
}

# build_packages: in the release itself, with its own compiler; leaves them in DEBS.
build_packages() {
    in_build make -C /tree deb || return 1
    DEBS=$folder/debs
    mkdir "$DEBS" && cp "$folder"/build/tree/build/deb/*.deb "$DEBS"
}

# What Debian 12 compiles, CI has compiled before.
built() {
    make_build || bail "no root of $suite to build in"
    [ "$suite" = bookworm ] || ok "$suite: gcc: no warning" compiles gcc
    [ "$suite" = bookworm ] || ok "$suite: clang: no warning" compiles clang
    ok "$suite: packages are built" build_packages
    rm -rf --one-file-system "$folder/build"
}

# next_version: the same packages, one version further.
next_version() {
    local deb name
    mkdir -p "$root/root/next"
    for deb in "$root"/root/debs/*.deb; do
        name=$(basename "$deb")
        rm -rf "$folder/repack"
        dpkg-deb -R "$deb" "$folder/repack" && sed -i 's/^Version: .*/&.1/' "$folder/repack/DEBIAN/control" &&
            dpkg-deb --root-owner-group -b "$folder/repack" "$root/root/next/$name" >/dev/null || return 1
    done
}

# install_debs FOLDER: there is no network in the container: what they depend on has been downloaded before.
install_debs() {
    box sh -c 'apt-get install -y -q -o Dpkg::Use-Pty=0 /root/'"$1"'/*.deb' 2>&1
}

# everything: what the host has, but for what any package leaves in caches, logs, and dpkg's own records.
everything() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp -o -path ./root \
        -o -path ./var/cache -o -path ./var/log -o -path ./var/tmp -o -path ./var/lib/dpkg -o -path ./var/lib/apt \
        -o -path ./var/lib/systemd/timers -o -path ./var/lib/systemd/deb-systemd-helper-masked \) -prune -o -print | sort
     cut -d: -f1 etc/passwd etc/group) | grep -vE '^\./usr/share/(doc|man)$|/ld.so.cache$|/(passwd|group|g?shadow)-$'
}

# --- what a test asks ---

rules_of_client() {
    on_gate iptables-save 2>/dev/null | grep -F -- "-s $CLIENT4/32"
}

journal() {
    box journalctl -b --no-pager -o cat -t knockd
}

# told REGEX [SECONDS]: in the journal of this boot.
told() {
    poll "${2:-10}" told_now "$1"
}

told_now() {
    journal | grep -qE -- "$1"
}

times_told() {
    journal | grep -cE -- "$1"
}

login() {
    from_outside ssh -q -o BatchMode=yes -o ConnectTimeout=3 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        "root@$GATE4" hostname
}

knocks() {
    local ports
    read -r -a ports <<<"$sequence"
    from_outside knock "$GATE4" "${ports[@]}"
}

has_rule() {
    rules_of_client >/dev/null
}

closed() {
    not has_rule
}

active() {
    [ "$(box systemctl is-active knockd)" = "${1:-active}" ]
}

# opens_by_knock WHAT: closed before, a login after the knock.
opens_by_knock() {
    ok "$1: closed before" not login
    ok "$1: knocks" knocks
    is "$1: and logs in by ssh" "$(login)" "$suite"
}

# has_open_door WHAT: for what is done with it open.
has_open_door() {
    ok "$1: knocks" knocks
    ok "$1: a door is open" poll 5 has_rule
}

# What comes next would fail for the same reason.
give_up() {
    diag "$(box journalctl -b --no-pager -o short -u knockd | tail -n 30)"
    bail "$1"
}

# --- the steps ---

made() {
    folder=$(mktemp -d "${KNOCKD_ROOTS:-/var/tmp}/knockd-boot.XXXXXX") || bail "no folder"
    root=$folder/root machine=knockd-$$-$suite
    [ -n "${DEBS:-}" ] || built
    [ -n "${DEBS:-}" ] || bail "no packages"
    "$TREE/scripts/debian-root.sh" "$suite" boot "$root" >/dev/null || bail "no root of $suite"
    mkdir -p "$root/root/debs" "$root/root/.ssh"
    cp "$DEBS"/*.deb "$root/root/debs/"
    chroot "$root" ssh-keygen -A >/dev/null
    chroot "$root" ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
    cp "$root/root/.ssh/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
}

booted() {
    boot || skip_all "systemd-nspawn can't boot $suite here; see the lines above"
    ok "$suite: booted" up
    poll 10 login >/dev/null || bail "no ssh from outside"
}

installed() {
    everything >"$folder/before"
    ok "apt installs the packages" install_debs debs
    [ $tap_failed = 0 ] || give_up "not installed"
    is "the package lies as dpkg has it" "$(box dpkg --verify knockd-ng 2>&1)" ""
    is "not enabled, not started" "$(box systemctl is-enabled knockd; box systemctl is-active knockd)" $'disabled\ninactive'
    is "the configuration is root's alone" "$(stat -c '%a %u' "$root/etc/knockd.conf")" "600 0"
    ok "the listener has its user" box id knockd
    ok "the manual is there" box man -w 8 knockd
    like "without a door it doesn't start" "$(box systemctl start knockd 2>&1)" 'failed'
}

exposure() {
    local score
    score=$(box systemd-analyze security --no-pager knockd | sed -n 's/.*exposure level for knockd.service: \([0-9.]*\).*/\1/p')
    echo "# $suite: systemd-analyze security knockd: $score"
    ok "the unit's exposure is 3.0 at most" awk -v s="$score" 'BEGIN { exit !(s != "" && s <= 3.0) }'
    is "systemd finds nothing wrong in the unit" "$(box systemd-analyze verify --man=no knockd.service 2>&1 | grep -F knockd)" ""
}

# The sequence is drawn as README.md says it.
write_door() {
    local words
    words=$(box knockctl sequence) || return 1
    sequence=$(tr -d '",{}' <<<"${words#*=}" | xargs)
    cat >"$root/etc/knockd.conf" <<END
source "firewall" { type = nflog  group = 5  prefix = "[KNOCK] " }
door "ssh" {
    $words
    port        = 22
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    cmd_timeout = $open_for
}
END
}

first_door() {
    ok "a sequence is drawn" write_door
    is "knockd -t" "$(box knockd -t 2>/dev/null)" "configuration OK"
    ok "enabled and started" box systemctl enable --now knockd
    ok "the journal says that it is ready" told '^ready: 1 door, 1 source, sandbox strict$'
    ok "rules of knockctl are taken" box sh -c 'knockctl rules | iptables-restore --noflush'
    opens_by_knock "a first door"
    ok "the journal says what opened" told "^door ssh: opened for $CLIENT4"
    ok "it closes by itself" poll $((open_for + 10)) closed
    ok "the journal says that it closed" told "^door ssh: closed for $CLIENT4"
    ok "and nobody gets in" not login
    is "each is said once" "$(times_told '^ready:') $(times_told ': opened for') $(times_told ': closed for')" "1 1 1"
    like "systemctl status knows it" "$(box systemctl status knockd 2>&1)" 'Status: "Listening"'
    [ $tap_failed = 0 ] || give_up "the first door does not work"
}

# The unit's own /proc names the host's boot; knockd has the container's.
own_boot() {
    local pid
    pid=$(box systemctl show -P MainPID knockd)
    is "the unit tells knockd the container's boot" \
        "$(box sh -c "tr '\\0' '\\n' </proc/$pid/environ" | sed -n 's/^KNOCKD_BOOT_ID=//p')" "$(boot_id | tr -d -)"
}

with_mistake() {
    local pid
    pid=$(box systemctl show -P MainPID knockd)
    cp -p "$root/etc/knockd.conf" "$folder/good.conf"
    echo 'no_such_key = 1' >>"$root/etc/knockd.conf"
    ok "a reload of a wrong file fails" not box systemctl reload knockd
    like "and systemctl status says why, with file and line" "$(box systemctl status --no-pager -l knockd)" \
        "/etc/knockd.conf:[0-9]+: .*no_such_key"
    is "nothing has changed" "$(box systemctl show -P MainPID knockd)" "$pid"
    opens_by_knock "after the reload that failed"
    ok "a restart with it fails" not box systemctl restart knockd
    ok "and isn't tried again" active failed
    is "not once" "$(box systemctl show -P NRestarts knockd)" 0
    is "the reason is in the journal: once for the reload, once for the start" "$(times_told no_such_key)" 2
    is "nothing is left open" "$(rules_of_client)" ""
    cp -p "$folder/good.conf" "$root/etc/knockd.conf"
    ok "put right, it starts" box systemctl start knockd
}

# The example for hosts that have no other way in.
with_readmission() {
    local units=$root/etc/systemd/system
    cp "$TREE/etc/examples/knockd-readmit-ssh.service" "$units/"
    mkdir -p "$units/knockd.service.d"
    printf '[Unit]\nOnFailure=knockd-readmit-ssh.service\n' >"$units/knockd.service.d/readmit.conf"
    box systemctl daemon-reload
    echo 'no_such_key = 1' >>"$root/etc/knockd.conf"
    ok "readmission: knockd fails" not box systemctl restart knockd
    ok "readmission: ssh is open to all" poll 10 login
    cp -p "$folder/good.conf" "$root/etc/knockd.conf"
    ok "readmission: knockd starts again" box systemctl start knockd
    ok "readmission: and ssh is closed" not login
    rm -r "$units/knockd-readmit-ssh.service" "$units/knockd.service.d"
    box systemctl daemon-reload
}

# A passing trouble: another knockd holds the state folder.
with_trouble() {
    box systemctl stop knockd
    box systemd-run -q --unit=other-knockd /usr/sbin/knockd
    poll 10 box pgrep -x knockd >/dev/null
    box systemctl --no-block start knockd
    ok "a trouble that passes is waited for" told 'another knockd is running' 15
    box systemctl stop other-knockd
    ok "and passes" poll 20 active
    like "after starts that failed" "$(box systemctl show -P NRestarts knockd)" '^[1-9]'
}

ended_with_open_doors() {
    has_open_door "a stop"
    ok "it stops" box systemctl stop knockd
    is "with no door left open" "$(rules_of_client)" ""
    ok "the journal says so" told '^stopped$'
    ok "it starts" box systemctl start knockd
    has_open_door "a restart"
    ok "it restarts" box systemctl restart knockd
    is "with no door left open" "$(rules_of_client)" ""
    has_open_door "a kill"
    box systemctl kill -s KILL --kill-who=main knockd
    ok "what was open when it was killed is closed" poll 5 closed
    ok "it is started again" poll 20 active
    opens_by_knock "after the kill"
}

with_commands_that_fail() {
    cat >>"$root/etc/knockd.conf" <<'END'
door "writes" { sequence = { 23001, 23907:udp, 23203 }  cmd_timeout = 3  start_command = "/usr/bin/touch /etc/%IP%"
                stop_command = "/bin/true" }
door "wakes"  { sequence = { 24001, 24907:udp, 24203 }  cmd_timeout = 3  start_command = "/bin/chown nobody /etc/hosts"
                stop_command = "/bin/true" }
END
    ok "doors with commands that the unit forbids: reloaded" box systemctl reload knockd
    ok "the reload is told" told '^reloaded .* 3 doors$'
    box knockctl open writes "$CLIENT4" >/dev/null 2>&1
    ok "a command that may not write says so" told 'door writes: .*(Read-only file system|read-only)'
    box knockctl open wakes "$CLIENT4" >/dev/null 2>&1
    ok "one without the right says so" told 'door wakes: .*(Operation not permitted|Read-only file system|read-only)'
    mkdir -p "$root/etc/systemd/system/knockd.service.d"
    sed 's/^#\(ReadWritePaths=\).*/\1\/etc/' "$TREE/etc/examples/systemd-commands.conf" \
        >"$root/etc/systemd/system/knockd.service.d/commands.conf"
    box systemctl daemon-reload
    box systemctl restart knockd
    box knockctl open writes "$CLIENT4" >/dev/null 2>&1
    ok "with the drop-in it may" poll 5 test -e "$root/etc/$CLIENT4"
    rm -r "$root/etc/systemd/system/knockd.service.d" "$root/etc/${CLIENT4:?}"
    cp -p "$folder/good.conf" "$root/etc/knockd.conf"
    box systemctl daemon-reload
    box systemctl restart knockd
}

rebooted() {
    has_open_door "a reboot"
    ok "it reboots" reboot_box
    is "with no door left open" "$(rules_of_client)" ""
    ok "knockd is there again" poll 20 active
    ok "the journal says so" told '^ready: 1 door'
    opens_by_knock "after the reboot"
    ok "and closes" poll $((open_for + 10)) closed
    ok "a door is opened for an hour" box knockctl open ssh "$CLIENT4" 1h
    ok "and is open" has_rule
    cut_power
    # shellcheck disable=SC2016 # the inner shell's
    on_gate sh -c 'iptables -S INPUT | grep -F -- "-s $1/32" | sed "s/^-A/iptables -D/" | sh' sh "$CLIENT4"
    ok "when the power came back, it boots" boot
    ok "knockd is there" poll 20 active
    ok "and knows that this is another boot: the door isn't open" told "^door ssh: closed for $CLIENT4"
    is "nor in the firewall" "$(rules_of_client)" ""
}

upgraded() {
    local pid conf
    pid=$(box systemctl show -P MainPID knockd)
    conf=$(cksum <"$root/etc/knockd.conf")
    next_version || bail "no next version"
    has_open_door "an upgrade"
    ok "apt upgrades" install_debs next
    like "to the next version" "$(box dpkg-query -W knockd-ng knock-ng | cut -f2 | uniq)" '^[^ ]*\.1$'
    ok "knockd runs" poll 20 active
    ok "as another process" [ "$(box systemctl show -P MainPID knockd)" != "$pid" ]
    is "the configuration is as it was" "$(cksum <"$root/etc/knockd.conf")" "$conf"
    is "with no door left open" "$(rules_of_client)" ""
    opens_by_knock "after the upgrade"
    echo 'no_such_key = 1' >>"$root/etc/knockd.conf"
    ok "an upgrade with a wrong configuration doesn't fail" install_debs_again next
    ok "and knockd runs on" active
}

install_debs_again() {
    box sh -c 'dpkg -i /root/'"$1"'/*.deb' 2>&1
}

# purged PATTERN PACKAGE...: nothing is left of what the pattern finds.
purged() {
    local pattern=$1
    shift
    has_open_door "a purge"
    ok "apt purges" box apt-get purge -y -q -o Dpkg::Use-Pty=0 --autoremove "$@"
    is "no door is left open" "$(rules_of_client)" ""
    everything >"$folder/after"
    is "nothing is left" "$(diff "$folder/before" "$folder/after" | grep -i -- "$pattern")" ""
    is "systemd knows no unit" "$(box systemctl list-unit-files --no-legend 'knockd*')" ""
}

# --- over Debian's knockd ---

debians_file() {
    cat <<END
[options]
	UseSyslog
	Interface = eth0

[openSSH]
	sequence      = 7412,28733:udp,51990
	seq_timeout   = 15
	tcpflags      = syn
	start_command = /sbin/iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
	cmd_timeout   = $open_for
	stop_command  = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
END
}

# What the refusal says, word by word.
takes_over() {
    local libraries
    libraries=$(sed -n 's/^ *apt-get install \([^F].*\)/\1/p' "$folder/refused" | head -n 1)
    # shellcheck disable=SC2086 # a list
    box apt-get install -y -qq $libraries >/dev/null 2>&1
    # shellcheck disable=SC2016 # the inner shell's
    box sh -c 'dpkg -x /root/debs/knockd-ng_*.deb /root/knockd-ng && umask 077 &&
        $(echo /root/knockd-ng/usr/*bin/knockctl) import /etc/knockd.conf >/etc/knockd.conf.imported'
}

over_debians() {
    sequence="7412 28733:udp 51990"
    ok "Debian's knockd is installed" box apt-get install -y -qq -o Dpkg::Use-Pty=0 knockd
    debians_file >"$root/etc/knockd.conf"
    sed -i 's/^START_KNOCKD=.*/START_KNOCKD=1/' "$root/etc/default/knockd"
    ok "and runs" box systemctl enable --now knockd
    poll 10 box sh -c 'journalctl -b -t knockd | grep -q "starting up"'
    opens_by_knock "Debian's knockd"
    ok "and closes" poll $((open_for + 10)) closed
    install_debs debs >"$folder/refused"
    ok "ours is refused over its file" grep -q 'is the file of another knockd' "$folder/refused"
    is "which is as it was" "$(cat "$root/etc/knockd.conf")" "$(debians_file)"
    ok "what the refusal says is done" takes_over
    ok "then it is installed" install_debs debs
    is "what was imported is right" "$(box knockd -t 2>/dev/null | tail -n 1)" "configuration OK"
    is "and root's alone" "$(stat -c '%a %u' "$root/etc/knockd.conf")" "600 0"
    ok "enabled and started" box systemctl enable knockd
    ok "it runs" box systemctl restart knockd
    ok "as ours" told '^ready: 1 door'
    opens_by_knock "the old knock"
    ok "the journal says so" told "^door openSSH: opened for $CLIENT4"
    ok "and closes" poll $((open_for + 10)) closed
}

[ "$(id -u)" = 0 ] || skip_all "needs root, for systemd-nspawn"
for command in systemd-nspawn debootstrap nsenter; do
    command -v $command >/dev/null || skip_all "no $command; see scripts/deps.sh install"
done
lacks=$(hosts_lack)
[ -z "$lacks" ] || skip_all "$lacks"
netns_begin
trap 'end $?' EXIT
make_hosts || bail "the hosts could not be made"
made
booted
installed
exposure
first_door
own_boot
with_mistake
with_readmission
with_trouble
ended_with_open_doors
with_commands_that_fail
rebooted
upgraded
purged . knockd-ng knock-ng
over_debians
# What Debian's knockd recommends, and what was installed for the importer, stays.
purged knock knockd-ng knock-ng knockd
done_testing
