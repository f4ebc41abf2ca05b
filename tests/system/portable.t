#!/bin/bash
# The client alone: `make knock` by gcc and clang, against glibc and musl, shared and static, where of all libraries only
# libconfuse and libsodium are known. Each one that is built seals a knock.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# needed PROGRAM: the shared libraries that it asks for.
needed() {
    readelf -d "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\.so\..*/\1/p' | grep -v '^ld-linux' | sort | paste -sd' '
}

# A pkg-config that knows of no library but the client's.
make_pkgconf() {
    cat >"$WORK/pkgconf" <<'SCRIPT'
#!/bin/sh
for word; do
    case $word in -* | libconfuse | libsodium) ;; *) exit 1 ;; esac
done
exec pkg-config "$@"
SCRIPT
    chmod 755 "$WORK/pkgconf"
}

# build NAME VARIABLE=VALUE...: nothing of the make that runs the tests counts.
build() {
    local name=$1
    shift
    env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES -u CFLAGS -u CPPFLAGS -u LDFLAGS \
        make -s -j2 -C "$TREE" knock BUILD="$WORK/$name" SANITIZE= STATIC= WERROR=-Werror PKGCONF="$WORK/pkgconf" "$@" \
        >"$WORK/$name.log" 2>&1 || { diag "$(tail -n 20 "$WORK/$name.log")"; return 1; }
}

# It reads a profile, and seals.
works() {
    local out
    out=$(HOME=$WORK/home "$WORK/$1/knock/knock" --dry-run home 2>&1)
    like "$1: seals a knock" "$out" '^sealed for door ssh, bound to 127.0.0.1, this machine.s own address
(hitting udp 127.0.0.1:[0-9]+ with [0-9]+ bytes
){24}'
    out=$(HOME=$WORK/home "$WORK/$1/knock/knock" --dry-run wrong 2>&1)
    is "$1: says what is wrong" "$out" \
        "knock: $WORK/home/.config/knock/knock.conf:2: stun: \"a:b\" won't do: expected HOST or HOST:PORT, an IPv6 address with a port as [ADDRESS]:PORT"
}

# What the compiler has read, of other libraries.
foreign_headers() {
    cat "$WORK/$1"/*/*.d | grep -oE '[^ ]*/(ev|sqlite3|seccomp|jansson|pcap|libmnl|libnetfilter_log)\.h' | sort -u
}

# compiler_builds NAME LIBRARIES VARIABLE=VALUE...
compiler_builds() {
    local name=$1 libraries=$2
    shift 2
    ok "$name: builds without a warning" build "$name" "$@" || return
    is "$name: needs these libraries" "$(needed "$WORK/$name/knock/knock")" "$libraries"
    is "$name: no header of another" "$(foreign_headers "$name")" ''
    works "$name"
}

# Debian has neither libraries nor the kernel's headers for musl: those for glibc are taken, the libraries by their
# archives.
musl_builds() {
    local folder=$WORK/musl-include libs all=/usr/include
    mkdir "$folder" && cp -r $all/confuse.h $all/sodium.h $all/sodium $all/linux $all/asm-generic \
        "$all/$(gcc -print-multiarch)/asm" "$folder" || return
    libs=$(pkg-config --variable=libdir libsodium)
    musl-gcc -c -Wall -Wextra -Werror -o "$WORK/shim.o" "$(dirname "$0")/musl-shim.c" || return
    compiler_builds musl '' CC=musl-gcc STATIC=1 CPPFLAGS="-idirafter $folder" \
        CLIENT_LIBS="$WORK/shim.o $libs/libconfuse.a $libs/libsodium.a"
}

netns_begin
trap tap_end EXIT
mkdir -p "$WORK/home/.config/knock"
cat >"$WORK/home/.config/knock/knock.conf" <<EOT
profile "home"  { host = 127.0.0.1  door = "ssh"  key = "home.key" }
profile "wrong" { host = 127.0.0.1  door = "ssh"  key = "home.key"  stun = "a:b" }
EOT
printf 'key = "%064d"\nserver = "gate.example"\n' 7 >"$WORK/home/.config/knock/home.key"
chmod 600 "$WORK/home/.config/knock"/*
make_pkgconf
shared='libc libconfuse libsodium'
compiler_builds gcc "$shared" CC=gcc
compiler_builds static '' CC=gcc STATIC=1
if command -v clang >/dev/null; then
    compiler_builds clang "$shared" CC=clang
else
    skip "clang" "no clang"
fi
if ! command -v musl-gcc >/dev/null; then
    skip "musl" "no musl-gcc"
elif [ "$(uname -m)" != x86_64 ]; then
    skip "musl" "glibc's archives match musl on x86_64"
else
    musl_builds
fi
done_testing
