#!/bin/bash
# lint.sh: everything that can be said of the text without running it. Exits 1 if any part finds something.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
failed=0

# part NAME CMD...: runs one check, quiet when it is content.
part() {
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then
        echo "lint: $name: ok"
    else
        printf 'lint: %s: FAILED\n%s\n' "$name" "$out"
        failed=1
    fi
}

format() {
    find src include tests -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
}

# SC2317 takes functions that are called by name, as the parts here are, for unreachable.
shells() {
    git ls-files -z 'scripts/*.sh' 'tests/*.sh' 'tests/*.t' .ci/run 'etc/debian/*.p*' \
        etc/examples/fleet/{certificates.sh,knock-publish,knock-subscribe} | xargs -0 shellcheck -x -e SC2317
}

# ctuuninitvar takes every struct that a function fills for its caller for one that it reads.
cpp() {
    cppcheck --quiet --std=c11 --enable=warning,portability,performance --error-exitcode=1 --inline-suppr \
        --suppress=missingIncludeSystem --suppress=ctuuninitvar -D__x86_64__ -Iinclude -Isrc src
}

# "referenced manual not found" is about pages that aren't installed here, our own among them.
manuals() {
    local out
    out=$(mandoc -Tlint -Wstyle man/*.[1-8] | grep -v 'referenced manual not found\|outdated mandoc.db')
    [ -z "$out" ] || { echo "$out"; return 1; }
}

# The figures of README.md and the manual page are those of the file that was measured.
figures() {
    scripts/bench-figures.pl check tests/bench/results.tsv README.md &&
        scripts/bench-figures.pl check tests/bench/results.tsv man/knockd-fleet.7
}

part layers scripts/layers.sh
part clang-format format
part shellcheck shells
part cppcheck cpp
part mandoc manuals
part figures figures
exit $failed
