#!/bin/bash
# layers.sh: who may include whom, and who stands for which library. A header that crosses rooms is in include/ROOM, one
# that only its room needs lies beside its source in src/ROOM; both are included as "ROOM/x.h". Prints each breach and
# exits 1 if there is one.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Room, and the rooms it may use besides itself.
declare -A may_use=(
    [lib]=''
    [listener]='lib'
    [keeper]='lib'
    [control]='keeper lib'
    [knock]='lib'
    [knockctl]='lib'
    [knockd]='control listener keeper lib'
)

# Header of a library (a pattern), and the one file that may include it; the store is two sources with one header.
declare -A stands_for=(
    ['libmnl/.*']=src/lib/nflog.c
    ['libnetfilter_log/.*']=src/lib/nflog.c
    ['pcap.*']=src/lib/capture.c
    [confuse.h]=src/lib/config_parse.c
    [ev.h]=src/lib/loop.c
    [jansson.h]=src/knockctl/firewall_nft.c
    [sodium.h]=src/lib/crypto.c
    [seccomp.h]=src/listener/filter.c
    [sqlite3.h]=src/keeper/store_database.h
)

# Modules that see neither clock nor memory nor the system: bytes and `now` in, verdict out. Every module is here whose
# header begins by saying so.
pure=(
    src/lib/sort.c
    src/keeper/{rates,refusal_log,refused,rule,rule_form,template,unseal}.c
    src/knock/{cause,nat,packets,stun_message}.c
    src/lib/{addr,addr_scope,carrier,command_words,config_scan,inverse,limit,nearest,parity,sealed,sequence,shell_syntax,timers}.c
    src/knockd/log_clock.c
    src/listener/{diagnostics,freshness,history,ip_packet,line_cache,link_header,lines,log_header,logline,match_index}.c
    src/listener/{matcher,packet,packet_fields,pipeline,port_scan,reassembly,reassembly_table,replayed,scan,stats}.c
    src/listener/timestamp.c
)
# These take memory for what is made or registered; nothing else of them does.
takes_memory='src/(keeper/(refusal_log|refused|rule)|lib/timers|listener/(reassembly|reassembly_table|match_index|matcher|port_scan))\.c'
impure='^#include <(time|sys/time|unistd|fcntl|sys/socket|syslog|sys/stat|ev|pthread)\.h>|\b(malloc|calloc|realloc|strdup|asprintf|clock_gettime|time|printf|fprintf)\('

breaches=0

breach() {
    echo "layers: $*"
    breaches=$((breaches + 1))
}

check_rooms() {
    local file room line used header
    while IFS=: read -r file _ line; do
        room=${file#*/}
        room=${room%%/*}
        used=${line#*\"}
        used=${used%%/*}
        [ -n "${may_use[$room]+known}" ] || { breach "$file: no such room: $room"; continue; }
        [[ " $room ${may_use[$room]} " = *" $used "* ]] || breach "$file: $room may not use $used: $line"
        header=${line#*\"}
        header=${header%%\"*}
        if [ -f "src/$header" ]; then
            [ "$room" = "$used" ] || breach "$file: src/$header is $used's own; what others need is in include/"
            [ ! -f "include/$header" ] || breach "$header: is in include/ and in src/"
        fi
    done < <(grep -rn --include='*.[ch]' '^#include "' src include)
}

# include/ is the map of what crosses a room: a header there serves another room, itself or by a header that does.
check_crossing() {
    local file header room
    while read -r file; do
        header=${file#include/}
        room=${header%%/*}
        grep -rlF --include='*.[ch]' "#include \"$header\"" src include | grep -qv "^src/$room/" ||
            breach "$file: $room alone uses it; it belongs beside its source in src/$room"
    done < <(find include -name '*.h')
}

check_libraries() {
    local header file
    for header in "${!stands_for[@]}"; do
        while read -r file; do
            [ "$file" = "${stands_for[$header]}" ] || breach "$file: only ${stands_for[$header]} may include <$header>"
        done < <(grep -rl "^#include <$header>" src include)
    done
}

check_pure() {
    local file line
    for file in "${pure[@]}"; do
        [ -f "$file" ] || { breach "$file: is on the list of pure modules, but isn't there"; continue; }
        while read -r line; do
            [[ $file =~ ^$takes_memory$ && $line =~ alloc|asprintf ]] || breach "$file: not pure: $line"
        done < <(grep -nE "$impure" "$file")
    done
}

# What a header's first comment promises is held to be true.
check_promises() {
    local header file
    while read -r header; do
        file=src/${header#*/}
        file=${file%.h}.c
        [ ! -f "$file" ] || [[ " ${pure[*]} " = *" $file "* ]] ||
            breach "$header: says that it is pure, but isn't on the list of pure modules"
    done < <(find include src -name '*.h' -exec awk '/Pure([^a-z]|$)/ { print FILENAME; nextfile } /\*\// { nextfile }' {} +)
}

check_rooms
check_crossing
check_libraries
check_pure
check_promises
[ $breaches = 0 ] || exit 1
echo "layers: every include, library and pure module is where it belongs"
