# For knock-hub.service: makes of rsyslog-hub.conf what a second rsyslogd has on a gateway that is the hub as well: a
# port, certificates and a folder for queues of its own. It goes to /etc/knock-fleet/.
/^input(/s/port="2514"/port="2515"/
s|/etc/knock-fleet/me\.|/etc/knock-fleet/hub.|g
s|^global(net|global(workDirectory="/var/lib/knock-hub" net|
