#!/bin/bash
# bench-junk.sh: what the daemon spends on 20,000 sealed messages a second that no key made, with 10,000 keys, and
# whether a real knock among them opens. For root. Works in the current folder, which bench.sh makes; `built` is where
# the programs are.
#
#   KEYS=10000  FLOOD_SECONDS=5     a second takes 75 MB of BENCH_DIR
set -u

# shellcheck source-path=SCRIPTDIR source=bench-daemon.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-daemon.sh"

[ -z "$QUICK" ] || : "${KEYS:=100}" "${FLOOD_SECONDS:=1}"
: "${KEYS:=10000}" "${FLOOD_SECONDS:=5}"
junk=$built/bench/make_junk

write_config() {
    mkdir -m 700 state keys
    (cd keys && "$junk" keys "$KEYS") || die "no keys were made"
    cat >knockd.conf <<EOT
user = "nobody"  state_dir = "$PWD/state"  control = "$PWD/control"  key_dir = "$PWD/keys"
source "firewall" { type = file  path = "$PWD/kern.log"  prefix = "[DENY] " }
sealed { server = "gate.example" }
door "ssh" { key = { $(seq -s , 0 $((KEYS - 1)) | sed 's/[0-9]\+/"&"/g') }
             start_command = "true"  stop_command = "true"  cmd_timeout = 600 }
EOT
}

[ "$(id -u)" = 0 ] || { echo "The flood of sealed knocks is measured for root alone."; exit 0; }
write_config
"${junk%/bench/*}/tools/old_state" "$PWD/state" || die "no state"
start_daemon
keeper_ms=$(spent "$daemon") listener_ms=$(spent "$listener")
"$junk" flood "$KEYS" "$FLOOD_SECONDS" >>kern.log || die "the flood could not be written"
lines=$(wc -l <kern.log)
poll has_read "$lines" || die "the daemon did not read all lines: $("$knockctl" sources -c knockd.conf)"
keeper_ms=$(($(spent "$daemon") - keeper_ms)) listener_ms=$(($(spent "$listener") - listener_ms))
said=$("$knockctl" status -c knockd.conf)

# number WORDS: the number before these words of what it says.
number() { grep -Eo "[0-9]+ $1" <<<"$said" | head -n 1 | cut -d' ' -f1; }

record knockd 0 keys 1 "$KEYS"
record knockd 0 messages 1 "$(number unknown)"
record knockd 0 packets 1 "$lines"
record knockd 0 "keeper CPU time" ms/s $((keeper_ms / FLOOD_SECONDS))
record knockd 0 "listener CPU time" ms/s $((listener_ms / FLOOD_SECONDS))
record knockd 0 knocks 1 "$FLOOD_SECONDS"
record knockd 0 opened 1 "$(number served)"
