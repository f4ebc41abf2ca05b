#!/bin/bash
# as-owner.sh CMD...: runs CMD as the owner of this tree, so that root's build leaves no file of root's in it.
set -u

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
[ $# -gt 0 ] || { echo "usage: as-owner.sh COMMAND [ARGUMENT...]" >&2; exit 2; }

uid=$(stat -c %u "$tree") || exit 1
if [ "$(id -u)" != 0 ] || [ "$uid" = 0 ]; then
    exec "$@"
fi

# The owner may be a number alone (a bind mount, a container): then there are no groups to look up either.
if entry=$(getent passwd "$uid"); then
    IFS=: read -r name _ _ gid _ home _ <<<"$entry"
    groups=--init-groups
else
    name=$uid gid=$(stat -c %g "$tree") home=/ groups=--clear-groups
fi
exec env HOME="$home" USER="$name" LOGNAME="$name" \
    setpriv --reuid="$uid" --regid="$gid" "$groups" "$@"
