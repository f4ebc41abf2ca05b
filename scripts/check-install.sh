#!/bin/bash
# check-install.sh [SUITE...]: for root: the packages in booted Debian releases (bookworm and trixie when none is named),
# side by side; see tests/install/boot.t. Ends with the count, as `make check` does. A machine where systemd-nspawn can't
# boot a release says so in capitals, and it counts as skipped.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
[ $# -gt 0 ] || set -- bookworm trixie
logs=$(mktemp -d) || exit 1
pids=()

# A test ends what it has started when it is asked to.
end() {
    [ ${#pids[@]} = 0 ] || kill -TERM "${pids[@]}" 2>/dev/null
    wait
    rm -rf "$logs"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

passed=0 failed=0 skipped=0 suites=()
# One root after the other: they are one server's packages and one disk's writes; later runs find them. That of this
# machine's own release must be had, another's may be out of reach.
own=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
for suite; do
    if scripts/debian-root.sh "$suite" boot >/dev/null && scripts/debian-root.sh "$suite" build >/dev/null; then
        suites+=("$suite")
    elif [ "$suite" = "$own" ]; then
        exit 1
    else
        echo "--- $suite: SKIPPED, THE PACKAGES WERE NOT TRIED: no root of it could be made"
        skipped=$((skipped + 1))
    fi
done
set -- "${suites[@]}"
for suite; do
    tests/install/boot.t "$suite" >"$logs/$suite" 2>&1 &
    pids+=($!)
done
for suite; do
    wait "${pids[0]}"
    status=$?
    pids=("${pids[@]:1}")
    printf -- '--- %s\n' "$suite"
    cat "$logs/$suite"
    passed=$((passed + $(grep -c '^ok ' "$logs/$suite")))
    failed=$((failed + $(grep -c '^not ok ' "$logs/$suite")))
    if grep -q '^1\.\.0 # SKIP' "$logs/$suite"; then
        echo "--- $suite: SKIPPED, THE PACKAGES WERE NOT TRIED: $(sed -n 's/^1\.\.0 # SKIP //p' "$logs/$suite")"
        skipped=$((skipped + 1))
    elif [ $status != 0 ] && ! grep -q '^not ok ' "$logs/$suite"; then
        echo "--- $suite: ended early with status $status"
        failed=$((failed + 1))
    fi
done
grep -h '^# .*: systemd-analyze security' "$logs"/*
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
