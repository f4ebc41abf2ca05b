#!/bin/bash
# deb.sh VERSION BUILD: makes Debian packages in BUILD/deb, for the Debian that it runs on: a copy of the tree, with
# etc/debian where dpkg-buildpackage looks for it.
set -eu
export LC_ALL=C

version=$1 build=$2
out=$build/deb

# The programs need the libraries of the release that they were built on, so the version names it: a host that is
# upgraded to the next release gets the next one's package as an upgrade.
release() {
    # shellcheck disable=SC1091
    (. /etc/os-release && case $ID in debian) echo "deb${VERSION_ID:-99}" ;; *) echo "$ID${VERSION_ID:-}" ;; esac)
}

# When the tree was last changed: the same tree gives the same packages.
changed() {
    git log -1 --format=%ct 2>/dev/null || date -r Makefile +%s
}

rm -rf "$out"
mkdir -p "$out/knockd-ng-$version"
# The tree may hold builds, and what isn't ours.
tar -cf - --exclude-vcs Makefile README.md LICENSE src include etc man tests scripts | tar -xf - -C "$out/knockd-ng-$version"

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(changed)}
export SOURCE_DATE_EPOCH
# Whoever wants the packages of debug symbols says DEB_BUILD_OPTIONS= themselves.
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-noautodbgsym}
log=$PWD/$out/build.log
cd "$out/knockd-ng-$version"
mv etc/debian debian
sed -e "s/@VERSION@/$version+$(release)/; s/@DATE@/$(date -uRd "@$SOURCE_DATE_EPOCH")/" debian/changelog.in >debian/changelog
rm debian/changelog.in
# What the make around this was told isn't meant for the packages. -d: what is needed deps.sh has said; build-essential
# is more than that.
if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES VERSION="$version" \
    dpkg-buildpackage -d -us -uc -b >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "deb: dpkg-buildpackage failed; all that it said is in $out/build.log" >&2
    exit 1
fi
cd - >/dev/null
rm -rf "${out:?}/knockd-ng-$version"
printf 'deb: %s\n' "$out"/*.deb
