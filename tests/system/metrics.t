#!/bin/bash
# What `knockctl status --prometheus` prints for Prometheus: right by its format, and enough to tell the gateways of a
# fleet, their sources and verdicts from each other. The dashboard, the rules and the unit of etc/examples/fleet go by it.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

fleet=$TREE/etc/examples/fleet

two_sources() {
    touch "$WORK/fleet.log"
    configure_file <<TABLE
source "fleet" {
    type   = file
    path   = "$WORK/fleet.log"
    prefix = "$LOG_PREFIX"
}
door "ssh" {
    sequence      = { "7412, 28733:udp, 51990" }
    start_command = "/bin/true"
    stop_command  = "/bin/true"
}
TABLE
}

# faults: what is wrong with the metrics of standard input, by the text format of Prometheus and its rules for names.
faults() {
    perl -e '
        my (%type, %help, %seen, %ended, $last);
        sub fault { print "$_[0]: $_" }
        while (<STDIN>) {
            if (/^# HELP ([a-z_]+) \S.*\.$/) { fault("HELP twice") if $help{$1}++; next }
            if (my ($of, $type) = /^# TYPE ([a-z_]+) (counter|gauge)$/) {
                fault("TYPE twice") if $type{$of};
                fault("no HELP before") if !$help{$of};
                fault("counters, and they alone, end in _total") if ($type eq "counter") != ($of =~ /_total$/);
                $type{$of} = $type;
                next;
            }
            my ($name, $labels, $value) = /^([a-z_]+)(?:\{((?:[a-z_]+="[^"\\\n]*",?)+)\})? (-?\d+)$/
                or fault("no metric"), next;
            fault("no TYPE before") if !$type{$name};
            fault("apart from others of its name") if $ended{$name};
            $ended{$last} = 1 if defined $last && $last ne $name;
            $last = $name;
            fault("twice") if $seen{"$name {" . ($labels // "") . "}"}++;
            fault("below 0") if $value < 0;
        }'
}

# series_of FILE: the metrics that its expressions name, with the labels that they want to be something: NAME or
# NAME{label="value"}.
series_of() {
    # shellcheck disable=SC2016 # $instance is Grafana's
    case $1 in
    *.json) jq -r '.. | objects | (.expr // empty), (.definition // empty)' "$1" ;;
    *) sed -n '/^ *expr:/,/^ *\(for\|annotations\):/p' "$1" ;;
    esac | grep -Eo 'knockd_[a-z_]+(\{[^}]*\})?' | sed 's/instance=~"$instance",\? *//; s/{}$//' | sort -u
}

# not_printed: of the series on standard input those that knockctl didn't print, into OUT.
not_printed() {
    local series
    while IFS= read -r series; do
        case $series in
        *'{'*) grep -qF -- "$series " <<<"$OUT" ;;
        *) grep -Eq -- "^$series(\{| )" <<<"$OUT" ;;
        esac || echo "$series"
    done
}

# labels_used: by which the expressions group or match.
labels_used() {
    { jq -r '.. | objects | .expr // empty' "$fleet/grafana.json"; cat "$fleet/knockd-alerts.yml"; } |
        grep -Eo '\b(by|on) \([a-z, ]+\)' | sed 's/.*(\(.*\))/\1/' | tr -d ' ' | tr ',' '\n' | sort -u
}

# run_unit FOLDER SOCKET: what the unit starts, but with this knockctl, this socket and this folder.
run_unit() {
    local command
    command=$(sed -n "s/^ExecStart=\/bin\/sh -c '\(.*\)'$/\1/p" "$fleet/knockd-metrics.service")
    command=${command//\/var\/lib\/prometheus\/node-exporter/$1}
    /bin/sh -c "${command/if knockctl/if $KNOCKCTL -s $2}"
}

one_heard() {
    ctl sources --json
    # shellcheck disable=SC2016 # $j is perl's
    [ "$(json '$j->[0]{matches}')" = 1 ]
}

metrics_file() {
    local folder=$WORK/textfile
    mkdir -p "$folder"
    ok "the unit's command writes the file" run_unit "$folder" "$WORK/control"
    is "of the metrics, for all to read, and no other" "$(cd "$folder" && stat -c '%a %n' -- *)" "644 knockd.prom"
    is "whole, and right" "$(grep -c '^knockd_build_info' "$folder/knockd.prom") $(faults <"$folder/knockd.prom")" "1 "
    ok "where no knockd answers it ends well" run_unit "$folder" "$WORK/nobody"
    is "and leaves no old numbers" "$(ls "$folder")" ""
}

needs_gate
needs_knockctl
two_sources
starts "a gateway with a source of its own and one of a fleet"
log_packets 192.0.2.10 7412
ok "its own source brings a packet" poll 10 one_heard
ctl status --prometheus
is "printed" "$STATUS $ERR" "0 "
is "by Prometheus's format: names, types, and what belongs together stands together" "$(faults <<<"$OUT")" ""
like "its version" "$OUT" $'\nknockd_build_info\{version="[0-9.]+"\} 1\n'
is "both sources, by a label" "$(grep -o '^knockd_source_lines_total{source="[a-z]*"} [01]' <<<"$OUT")" \
    $'knockd_source_lines_total{source="firewall"} 1\nknockd_source_lines_total{source="fleet"} 0'
heard=$(sed -n 's/^knockd_source_last_match_timestamp_seconds{source="firewall"} //p' <<<"$OUT")
ok "when a source brought something last, as a time" \
    [ "${heard:-0}" -gt $(($(date +%s) - 120)) -a "${heard:-0}" -le "$(date +%s)" ]
is "0 where nothing came" "$(sed -n 's/^knockd_source_last_match_timestamp_seconds{source="fleet"} //p' <<<"$OUT")" 0
if command -v promtool >/dev/null; then
    is "promtool finds nothing wrong" "$(promtool check metrics <<<"$OUT" 2>&1)" ""
    ok "nor in the rules" promtool check rules "$fleet/knockd-alerts.yml"
fi
for file in grafana.json knockd-alerts.yml; do
    ok "$file asks for something" [ "$(series_of "$fleet/$file" | wc -l)" -gt 4 ]
    is "$file asks for nothing that isn't printed" "$(series_of "$fleet/$file" | not_printed)" ""
done
is "they go by labels that are there, or that the scrape adds" \
    "$(labels_used | grep -vx instance | while read -r label; do grep -q "[{,]$label=" <<<"$OUT" || echo "$label"; done)" ""
metrics_file
stop_knockd
is "ends well" $? 0
done_testing
