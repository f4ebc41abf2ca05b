#!/bin/sh
# install-user.sh [NAME]: makes the system user that knockd's listener runs as, unless there is one of that name.
set -eu

name=${1:-knockd}

if id "$name" >/dev/null 2>&1; then
    [ "$(id -u "$name")" != 0 ] && [ "$(id -g "$name")" != 0 ] && exit 0
    echo "install-user: $name has root's rights; name another user, here and in knockd.conf" >&2
    exit 1
fi

command -v useradd >/dev/null || {
    echo "install-user: no useradd here; make a system user $name without shell and home by other means" >&2
    exit 1
}
shell=/usr/sbin/nologin
[ -x "$shell" ] || shell=/bin/false
# A group of that name may be left from before.
group=--user-group
[ -z "$(getent group "$name")" ] || group="--gid=$name"
useradd --system --no-create-home --home-dir=/nonexistent --shell="$shell" "$group" "$name"
echo "install-user: made the system user $name"
