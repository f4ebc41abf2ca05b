#!/bin/bash
# Files in folders that knockd.service hides, and that aren't there: run by systemd, knockd says that it may be the unit;
# run by a shell it doesn't, nor of files elsewhere.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

needs_knockd
KNOCKD_LOG=/dev/null
WORK=$(mktemp -d) || bail "no folder"
trap 'status=$?; rm -rf "$WORK"; [ "$tap_failed" = 0 ] || status=1; exit $status' EXIT
hint="knockd.service hides /home, /root and the folders of temporary files .ProtectHome, PrivateTmp."

# config KIND FOLDER: a configuration that misses one file of that kind there.
config() {
    local path=$2/no-such-folder/file source="type = kmsg" lock='sequence = { 7412, 28733:udp, 51990 }'
    case $1 in
    source) source="type = file path = \"$path\"" ;;
    include) echo "include(\"$path\")" ;;
    once) lock="one_time_sequences = \"$path\"" ;;
    key_dir)
        lock='key = "alice"'
        echo "key_dir = \"$path\""
        echo 'sealed { server = "gate.example" }'
        ;;
    esac
    cat <<EOF2
user = "nobody"
source "firewall" { $source }
door "ssh" {
    $lock
    port = 2222
    start_command = "/bin/true %IP%"
    stop_command = "/bin/true %IP%"
}
EOF2
}

# told KIND FOLDER [NAME=VALUE]: the line of knockd -t about that path.
told() {
    config "$1" "$2" >"$WORK/knockd.conf"
    env -u INVOCATION_ID ${3:+"$3"} "$KNOCKD" -t -c "$WORK/knockd.conf" 2>&1 | grep -F "$2/no-such-folder/file"
}

for kind in source include once key_dir; do
    for folder in /home /root /run/user /tmp /var/tmp; do
        like "$kind in $folder, run by systemd" "$(told $kind $folder INVOCATION_ID=1)" \
            "No such file or directory.*; $hint"
    done
    like "$kind in /tmp, run by a shell" "$(told $kind /tmp)" "No such file or directory[^P]*$"
    like "$kind in /opt, run by systemd" "$(told $kind /opt INVOCATION_ID=1)" "No such file or directory[^P]*$"
done

out=$(INVOCATION_ID=1 "$KNOCKD" -t -c /root/no-such-folder/knockd.conf 2>&1)
like "the configuration itself" "$out" "; $hint"
done_testing
