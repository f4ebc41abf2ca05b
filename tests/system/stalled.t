#!/bin/bash
# What the log says of a knock that stays behind: what came instead of its next step, or that nothing came. Of several
# within 10 s one is told, so each has a knockd of its own.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

# told DESCRIPTION WHAT STEP...: after these packets, just that is said.
told() {
    local description=$1 what=$2
    shift 2
    : >"$KERN_LOG"
    starts "$description: starts"
    log_packets 203.0.113.9 "$@"
    ok "$description: said" says "door ssh: 203.0.113.9 reached $what"
    is "$description: nothing else" "$(said_lines 203.0.113.9 | wc -l)" 1
    stop_knockd
}

needs_gate
configure_file <<EOF
door "ssh" {
    sequence      = { 9101, 7202, 8303 }
    seq_timeout   = 1
    ignore        = 22
    start_command = /bin/true
    stop_command  = /bin/true
}
EOF
told "a stray" "step 2 of 3; 443:tcp came instead of 8303:tcp$" 9101 7202 443 8303
told "the right port by another protocol" "step 2 of 3; 8303:udp came instead of 8303:tcp$" 9101 7202 8303:udp
told "begun again" "step 2 of 3; 9101:tcp came instead of 8303:tcp$" 9101 7202 9101
told "tried again, and then nothing" 'step 2 of 3; no 8303:tcp within 1 s \(LOG rule limited\?\)' 9101 7202 443 9101 7202
told "nothing came" 'step 2 of 3; no 8303:tcp within 1 s \(LOG rule limited\?\)' 9101 7202
told "nothing that counts" 'step 2 of 3; no 8303:tcp within 1 s \(LOG rule limited\?\)' 9101 9101 7202 22 7202
done_testing
