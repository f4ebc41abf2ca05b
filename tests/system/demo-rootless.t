#!/bin/bash
# The demo as an ordinary user: every step of it is seen in a user namespace; and where that can't be had, it says why,
# and what to do. The user and its range exist in a mount namespace of this test's alone.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

user=64127

# A tree that the user may enter, with its programs, and the files that name the user.
make_tree() {
    local name
    TREE_COPY=$WORK/tree
    mkdir -p "$TREE_COPY" "$WORK/etc" && cp -r "$TREE/scripts" "$TREE_COPY/" || return 1
    for name in KNOCKD KNOCK KNOCKCTL; do
        install -D -m 755 "${!name}" "$TREE_COPY/build/${!name##*/}/${!name##*/}" || return 1
    done
    { cat /etc/passwd && echo "knockd-demo:x:$user:$user::/nonexistent:/bin/sh"; } >"$WORK/etc/passwd"
    echo "knockd-demo:200000:10" >"$WORK/etc/subuid"
    echo "$user:300000:10" >"$WORK/etc/subgid"
    : >"$WORK/etc/none"
    chmod -R a+rX "$TREE_COPY" "$WORK/etc"
}

# demo [FILE=PLACE...]: runs the demo as the user, those files in these places.
# shellcheck disable=SC2016 # expanded by the shells inside
demo() {
    local mounts=("passwd=/etc/passwd" "subuid=/etc/subuid" "subgid=/etc/subgid" "$@")
    env -u KNOCKD -u KNOCK -u KNOCKCTL -u BUILD -u TMPDIR ETC="$WORK/etc" TREE_COPY="$TREE_COPY" USER_ID=$user \
        MOUNTS="${mounts[*]}" unshare --mount bash -c '
        for one in $MOUNTS; do
            mount --bind "$ETC/${one%%=*}" "${one#*=}" || exit 9
        done
        cd / && exec setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups "$TREE_COPY/scripts/demo.sh"' \
        >"$WORK/out" 2>&1 </dev/null
    STATUS=$?
}

# lacks_here: why no user can run it here.
lacks_here() {
    local lacks
    # shellcheck disable=SC2016
    lacks=$(ETC=$WORK/etc TREE_COPY=$TREE_COPY USER_ID=$user unshare --mount bash -c '
        for one in passwd subuid subgid; do mount --bind "$ETC/$one" "/etc/$one" || exit; done
        cd / && exec setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups bash -c \
            ". \$TREE_COPY/scripts/demo-rootless.sh; rootless_lacks"' 2>&1)
    [ -z "$lacks" ] || echo "${lacks%%$'\n'*}"
}

# forbidden SYSCTL VALUE: what is said where that setting forbids it.
forbidden() {
    mkdir -p "$WORK/proc/$(dirname "$1")" "$WORK/fake"
    echo "$2" >"$WORK/proc/$1"
    printf '#!/bin/sh\necho "unshare: failed: Operation not permitted" >&2\nexit 1\n' >"$WORK/fake/unshare"
    chmod 755 "$WORK/fake/unshare"
    (
        # shellcheck source-path=SCRIPTDIR source=../../scripts/demo-rootless.sh
        . "$TREE/scripts/demo-rootless.sh"
        # shellcheck disable=SC2034 # it is demo-rootless.sh's
        proc_sys=$WORK/proc
        PATH=$WORK/fake:$PATH forbids_namespaces
    )
    rm -rf "$WORK/proc"
}

advised() {
    like "$1 = $2: says what to do" "$(forbidden "$1" "$2")" "until the next boot, allow .* by
      sudo sysctl ${1/\//.}=$3\$"
}

if [ "$(id -u)" != 0 ]; then
    skip_all "needs root, for network namespaces and the firewall"
fi
netns_begin
trap tap_end EXIT
make_tree || bail "no copy of the tree"

advised kernel/unprivileged_userns_clone 0 1
advised user/max_user_namespaces 0 1000
advised kernel/apparmor_restrict_unprivileged_userns 1 0
like "another reason is passed on" "$(forbidden kernel/none 0)" "in most containers: unshare: failed: Operation not permitted\$"

lacks=$(lacks_here)
if [ -n "$lacks" ]; then
    diag "$lacks"
    skip "the demo of an ordinary user" "no user namespaces here"
    done_testing
    exit
fi
demo none=/etc/subuid
is "without a range: status" $STATUS 1
like "without a range: says how to get one" "$(cat "$WORK/out")" \
    "knockd-demo has no numbers .*sudo usermod --add-subuids .* knockd-demo
demo: or run it as root: sudo make demo"
mkdir "$WORK/path" && ln -sf /bin/* /sbin/* /usr/bin/* /usr/sbin/* "$WORK/path" && rm "$WORK/path/newuidmap"
PATH=$WORK/path demo
is "without newuidmap: status" $STATUS 1
is "without newuidmap: says which package has it" "$(cat "$WORK/out")" \
    "demo: without root: needs newuidmap; on Debian: sudo apt-get install util-linux uidmap
demo: or run it as root: sudo make demo"
demo
is "an ordinary user's demo: status" $STATUS 0 || diag "$(tail -n 20 "$WORK/out")"
like "every step is seen" "$(tail -n 1 "$WORK/out")" '^All [0-9]+ steps seen in [0-9]+ ms\. .*\(IPv4, nflog\), .*\(IPv6, nflog\), .*\(IPv4, nflog\)\.$'
like "the same packet again is refused" "$(cat "$WORK/out")" "sealed knock from $CLIENT4 refused: (replayed|stale)"
is "it leaves nothing" "$(find /tmp -maxdepth 1 -user $user)" ''
done_testing
