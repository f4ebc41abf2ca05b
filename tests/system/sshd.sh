# Sourced by tests that log in: OpenSSH from Debian, the server unpacked, never installed: its package would start one.
# shellcheck shell=bash

# shellcheck source-path=SCRIPTDIR source=../../scripts/unpack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/unpack.sh"

ssh_libs() {
    find "$1"/usr/lib "$1"/lib -maxdepth 1 -type d -name '*-linux-*' 2>/dev/null | paste -sd:
}

# sshd_lacks ROOT, ssh_lacks ROOT: what keeps the program there from running; nothing when it can.
sshd_lacks() {
    if [ -x "$1/usr/sbin/sshd" ]; then unpack_lacking "$1/usr/sbin/sshd" "$(ssh_libs "$1")"; else echo sshd; fi
}

ssh_lacks() {
    if [ -x "$1/usr/bin/ssh" ]; then unpack_lacking "$1/usr/bin/ssh" "$(ssh_libs "$1")"; else echo ssh; fi
}

# needs_ssh: sets ssh_bin, the folder with ssh and ssh-keygen, and ssh_bin_libs: the system's, or unpacked.
needs_ssh() {
    ssh_bin=$(dirname "$(command -v ssh || echo /usr/bin/ssh)") ssh_bin_libs=''
    [ ! -x "$ssh_bin/ssh" ] || return 0
    unpack openssh-client ssh_lacks || return 1
    # The unpacked tree is root's alone; others run these.
    mkdir -m 755 "$WORK/openssh" && cp "$unpack_root"/usr/bin/ssh* "$WORK/openssh/" || return 1
    find "$unpack_root" -name '*.so.*' -exec cp {} "$WORK/openssh/" \; && chmod -R a+rX "$WORK/openssh"
    ssh_bin=$WORK/openssh ssh_bin_libs=$WORK/openssh
}

# ssh_tool PROGRAM ARGUMENT...: one of OpenSSH's, here.
ssh_tool() {
    local program=$1
    shift
    LD_LIBRARY_PATH=$ssh_bin_libs "$ssh_bin/$program" "$@"
}

# sshd_files: host key, the user's key, who may log in (root), all in WORK/sshd.
sshd_files() {
    local dir=$WORK/sshd
    mkdir -m 755 "$dir" && ssh_tool ssh-keygen -q -t ed25519 -N '' -f "$dir/host" </dev/null &&
        ssh_tool ssh-keygen -q -t ed25519 -N '' -f "$dir/user" </dev/null || return 1
    cp "$dir/user.pub" "$dir/authorized"
    echo "gate.example $(cut -d' ' -f1,2 "$dir/host.pub")" >"$dir/known"
    printf '%s\n' 'root:x:0:0:root:/:/bin/sh' 'sshd:x:65533:65534::/run/sshd:/bin/false' >"$dir/passwd"
    echo 'root:*:19000:0:99999:7:::' >"$dir/shadow"
    cat >"$dir/config" <<EOF
HostKey $dir/host
AuthorizedKeysFile $dir/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
EOF
}

# Since version 9.8 the server is several programs.
sshd_parts() {
    local part
    for part in session auth; do
        [ ! -x "$unpack_root/usr/lib/openssh/sshd-$part" ] ||
            echo "Sshd${part^}Path $unpack_root/usr/lib/openssh/sshd-$part"
    done
}

# start_sshd PORT: on the gate, with accounts of its own in a mount namespace of its own. False where there is none.
# shellcheck disable=SC2016 # the inner shell's
start_sshd() {
    needs_ssh && unpack openssh-server sshd_lacks && sshd_files || return 1
    sshd_parts >>"$WORK/sshd/config"
    ip netns exec "$GATE" sh -c 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/shadow" /etc/shadow &&
        mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 755 /run/sshd && exec "$@"' "$WORK/sshd" \
        env LD_LIBRARY_PATH="$(ssh_libs "$unpack_root")" "$unpack_root/usr/sbin/sshd" -D -e -p "$1" \
        -f "$WORK/sshd/config" </dev/null >"$WORK/sshd/log" 2>&1 &
    started $!
    poll 10 grep -qs "listening on 0.0.0.0 port $1" "$WORK/sshd/log" || { tail -n 5 "$WORK/sshd/log" >&2; return 1; }
}
