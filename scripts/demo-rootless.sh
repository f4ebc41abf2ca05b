# Sourced by demo.sh: how it becomes root without being it, in a user namespace, where it has networks, mounts and a root
# folder of its own. knockd's listener needs a user of its own there: nobody, for which one number of the caller's range
# in /etc/subuid stands, mapped by newuidmap.
# shellcheck shell=bash

set -u

proc_sys=/proc/sys # another in tests
rootless_user=65534

# subordinate FILE: the first number of the caller's range in /etc/subuid or /etc/subgid; nothing when there is none.
subordinate() {
    awk -F: -v name="$(id -un 2>/dev/null)" -v id="$(id -u)" \
        '($1 == name || $1 == id) && $3 > 0 { print $2; exit }' "$1" 2>/dev/null
}

# switch NAME: the kernel's setting; nothing where the kernel hasn't got it.
switch() {
    cat "$proc_sys/$1" 2>/dev/null
}

# forbids_namespaces: why the kernel or the distribution gives an ordinary user no such namespaces, and what to do;
# nothing when it does.
forbids_namespaces() {
    local why
    why=$(unshare --user --map-root-user --net --mount true 2>&1) && return
    if [ "$(switch kernel/unprivileged_userns_clone)" = 0 ]; then
        echo "this kernel keeps user namespaces for root; until the next boot, allow them by
      sudo sysctl kernel.unprivileged_userns_clone=1"
    elif [ "$(switch user/max_user_namespaces)" = 0 ]; then
        echo "this system allows no user namespace; until the next boot, allow them by
      sudo sysctl user.max_user_namespaces=1000"
    elif [ "$(switch kernel/apparmor_restrict_unprivileged_userns)" = 1 ]; then
        echo "AppArmor gives programs no privilege in user namespaces; until the next boot, allow it by
      sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    else
        echo "user namespaces can't be had here, as in most containers: ${why:-unshare failed}"
    fi
}

# rootless_lacks: what keeps this user from being root of a namespace, and what to do; nothing when it works.
rootless_lacks() {
    local command name
    for command in unshare newuidmap newgidmap; do
        command -v "$command" >/dev/null && continue
        echo "needs $command; on Debian: sudo apt-get install util-linux uidmap"
        return
    done
    name=$(id -un 2>/dev/null) || { echo "user $(id -u) has no name, by which newuidmap could find its range"; return; }
    if [ -z "$(subordinate /etc/subuid)" ] || [ -z "$(subordinate /etc/subgid)" ]; then
        echo "$name has no numbers for other users in /etc/subuid and /etc/subgid; give it some by
      sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $name"
        return
    fi
    forbids_namespaces
}

# Waits until process $$ is in a user namespace other than the one named, and maps two users and groups there.
map_users() {
    local before=$1
    poll 10 entered_another "$before" || return
    newuidmap $$ 0 "$(id -u)" 1 $rootless_user "$(subordinate /etc/subuid)" 1 &&
        newgidmap $$ 0 "$(id -g)" 1 $rootless_user "$(subordinate /etc/subgid)" 1
}

entered_another() {
    local now
    now=$(readlink /proc/$$/ns/user) && [ "$now" != "$1" ]
}

# rootless PROGRAM: this process becomes PROGRAM, as root of new namespaces. Who is mapped gets the privileges by the next
# exec.
rootless() {
    local before
    before=$(readlink /proc/$$/ns/user)
    map_users "$before" &
    # shellcheck disable=SC2016 # expanded by the shell inside
    exec unshare --user bash -c '
        for ((i = 0; i < 1000; i++)); do
            grep -q . /proc/self/uid_map && grep -q . /proc/self/gid_map &&
                exec env ROOTLESS=yes unshare --net --mount bash "$@"
            sleep 0.01
        done
        echo "demo: newuidmap did not map two users; see above" >&2
        exit 1' rootless "$@"
}

# own_root FOLDER... -- PROGRAM: this process becomes PROGRAM, in a root folder that belongs to this namespace's root, as
# knockd wants it of what lies above its state: empty /run and /tmp, all else is the machine's, and so are the FOLDERs.
own_root() {
    local root=/run entry name
    mount -t tmpfs -o mode=755 tmpfs $root || return 1
    for entry in /*; do
        name=${entry##*/}
        if [ -L "$entry" ]; then
            cp -P "$entry" $root/
        elif [ -d "$entry" ]; then
            mkdir "$root/$name"
            case $name in
            tmp) chmod 1777 "$root/$name" ;;
            run) ;;
            *) mount --rbind "$entry" "$root/$name" 2>/dev/null || rmdir "$root/$name" ;;
            esac
        fi
    done
    while [ "$1" != -- ]; do
        [ -d "$root$1" ] || { mkdir -p "$root$1" && mount --rbind "$1" "$root$1"; } || return 1
        shift
    done
    shift
    exec env -u TMPDIR ROOTLESS=rooted chroot $root bash "$@"
}
