#!/bin/bash
# ssh through the knock, from behind an address translator, to a real sshd: by Match exec, by ProxyCommand, and as the
# command of a knock; each once right and once wrong.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "$0")/client.sh"
# shellcheck source-path=SCRIPTDIR source=crowd.sh
. "$(dirname "$0")/crowd.sh"
# shellcheck source-path=SCRIPTDIR source=nat.sh
. "$(dirname "$0")/nat.sh"
# shellcheck source-path=SCRIPTDIR source=coturn.sh
. "$(dirname "$0")/coturn.sh"
# shellcheck source-path=SCRIPTDIR source=sshd.sh
. "$(dirname "$0")/sshd.sh"

INNER=$CLIENT-1 SSHD=2200

doors() {
    cat <<TABLE
door "login" {
    key         = { u1 }
    port        = $SSHD
    cmd_timeout = 60
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
}
door "old" {
    sequence    = { "7000, 8000:udp, 9000" }
    port        = $SSHD
    cmd_timeout = 60
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
}
TABLE
}

# The user's files: profiles, ssh's configuration, a key.
user_files() {
    local home=$WORK/crowd/1 ssh=$WORK/crowd/1/ssh
    cat >"$home/.config/knock/knock.conf" <<TABLE
stun = "$GATE4:3478"
profile "home"  { host = $GATE4  door = "login"  key = "key"  port = $SSHD }
profile "wrong" { host = $GATE4  door = "nodoor"  key = "key"  port = $SSHD  timeout = 1 }
TABLE
    mkdir -p "$ssh" && cp "$WORK/sshd/user" "$WORK/sshd/known" "$ssh/" || return 1
    cat >"$ssh/config" <<TABLE
Host *
    Port $SSHD
    User root
    IdentityFile $ssh/user
    IdentitiesOnly yes
    UserKnownHostsFile $ssh/known
    GlobalKnownHostsFile /dev/null
    HostKeyAlias gate.example
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 3
Match originalhost home exec "knock home"
    HostName $GATE4
Match originalhost wrong exec "knock wrong"
    HostName $GATE4
Host through-home
    HostName $GATE4
    ProxyCommand knock --proxy home %h %p
Host through-wrong
    HostName $GATE4
    ProxyCommand knock --proxy wrong %h %p
Host plain
    HostName $GATE4
TABLE
    chown -R "$NOBODY:$NOBODY" "$home" && find "$home" -type f -exec chmod 600 {} +
}

# user COMMAND ARGUMENT...: as the user, on the host in the network; sets STATUS, OUT and ERR.
user() {
    ip netns exec "$INNER" "${UNPRIVILEGED[@]}" env -u XDG_CONFIG_HOME -u XDG_STATE_HOME HOME="$WORK/crowd/1" \
        SHELL=/bin/sh PATH="$WORK/bin:$ssh_bin:$PATH" LD_LIBRARY_PATH="$ssh_bin_libs" timeout 60 "$@" \
        </dev/null >"$WORK/out" 2>"$WORK/err"
    STATUS=$?
    OUT=$(cat "$WORK/out") ERR=$(cat "$WORK/err")
}

# login HOST: what the shell there says.
login() {
    mark_log
    # shellcheck disable=SC2016 # the shell's there
    user ssh -F "$WORK/crowd/1/ssh/config" "$1" 'echo "in from ${SSH_CONNECTION%% *}"'
}

closed() {
    ctl close --all
    poll 10 not rules iptables $SSHD >/dev/null || bail "the door does not close"
}

opened() {
    says "door $1: opened for $CLIENT4"
}

# What the test is for: where packages can be had, there is no reason not to run it.
command -v apt-get >/dev/null || skip_all "OpenSSH and coturn come by apt-get, which isn't here"
needs_crowd 1 "$(doors)"
start_sshd $SSHD || bail "no sshd"
user_files || bail "no files for ssh"
make_network 1 || bail "no network behind the client"
# shellcheck disable=SC2119
translate
on_gate iptables -I INPUT -p udp --dport 3478 -j ACCEPT
start_coturn "$GATE" "$GATE4" || bail "no STUN server"

login plain
is "without a knock: no way in" "$STATUS:$OUT" 255:

# --- Match exec ------------------------------------------------------------------------------------------------------
login home
is "Match exec: in" "$STATUS:$OUT" "0:in from $CLIENT4"
ok "Match exec: the door opened for the translator's address" opened login
login home
is "Match exec, open already: in" "$STATUS:$OUT" "0:in from $CLIENT4"
ok "Match exec, open already: nothing was sent" not said 'door login: (opened|extended)'
closed
login wrong
is "Match exec, a wrong door: not in" "$STATUS:$OUT" 255:
like "Match exec, a wrong door: the knock says what to do" "$ERR" "knock: sent, but port $SSHD of $GATE4 did not answer .*knockctl why $CLIENT4"
ok "Match exec, a wrong door: so does the server" says "from $CLIENT4 refused: not this door"
mark_log
user ssh -G -F "$WORK/crowd/1/ssh/config" home
is "ssh -G: prints" "$STATUS:$(grep -ci "^hostname $GATE4" <<<"$OUT")" 0:1
ok "ssh -G: knocks" opened login
closed

# --- ProxyCommand ----------------------------------------------------------------------------------------------------
login through-home
is "ProxyCommand: in" "$STATUS:$OUT" "0:in from $CLIENT4"
ok "ProxyCommand: the door opened" opened login
login through-home
is "ProxyCommand, open already: in" "$STATUS:$OUT" "0:in from $CLIENT4"
ok "ProxyCommand, open already: nothing was sent" not said 'door login: (opened|extended)'
head -c 3000000 /dev/urandom >"$WORK/bytes"
chmod 644 "$WORK/bytes"
user sh -c "ssh -F '$WORK/crowd/1/ssh/config' through-home cat <'$WORK/bytes' | cmp - '$WORK/bytes'"
is "ProxyCommand: three megabytes there and back" "$STATUS:$OUT$ERR" 0:
closed
login through-wrong
is "ProxyCommand, a wrong door: not in" "$STATUS:$OUT" 255:
like "ProxyCommand, a wrong door: the knock says what to do" "$ERR" "knock: sent, but port $SSHD of $GATE4 did not answer"

# --- as a command ----------------------------------------------------------------------------------------------------
there=(ssh -F "$WORK/crowd/1/ssh/config" plain "echo in")
mark_log
user knock home -- "${there[@]}"
is "knock home -- ssh: in" "$STATUS:$OUT" 0:in
ok "knock home -- ssh: the door opened" opened login
closed
user knock wrong -- "${there[@]}"
is "knock wrong -- ssh: not run" "$STATUS:$OUT" 2:
mark_log
user knock $GATE4 7000 8000:udp 9000 -p $SSHD -- "${there[@]}"
is "knock HOST PORT... -p -- ssh: in" "$STATUS:$OUT" 0:in
ok "knock HOST PORT... -p -- ssh: the door opened" opened old
closed
user knock $GATE4 7000 8000 9000 -p $SSHD -t 1 -- "${there[@]}"
is "knock HOST PORT... -p -- ssh, a wrong sequence: not run" "$STATUS:$OUT" 2:

done_testing
