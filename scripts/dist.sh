#!/bin/sh
# dist.sh VERSION BUILD: makes BUILD/knockd-VERSION.tar.gz of the last commit: the same commit gives the same bytes.
set -eu

version=$1 build=$2
archive=$build/knockd-$version.tar.gz

git rev-parse -q --verify HEAD >/dev/null 2>&1 || {
    echo "dist: this tree is no clone of the repository, so there is no commit to make an archive of" >&2
    exit 1
}
[ -z "$(git status --porcelain --untracked-files=no)" ] ||
    echo "dist: changes that aren't committed stay out of the archive" >&2
mkdir -p "$build"
git archive --format=tar --prefix="knockd-$version/" HEAD | gzip -9n >"$archive.new"
mv "$archive.new" "$archive"
echo "dist: $archive"
