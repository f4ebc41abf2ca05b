#!/bin/sh
# certificates.sh NAME[=ADDRESS]...: in the folder it is run in, an authority of the fleet's own (ca.pem, ca.key; made
# once, kept from then on) and for each NAME a certificate and its key, NAME.pem and NAME.key, for ten years. For
# example, on a host that strangers can't reach:
#
#     sh certificates.sh hub=192.0.2.10 gw-a=192.0.2.11 gw-b=192.0.2.12 gw-c=192.0.2.13
#
# NAME is the word by which the engine's configuration knows the host: letters, digits and dashes, no dots. ADDRESS is
# what the others connect to, where that isn't NAME. ca.key stays where it is. To each host go, as
# /etc/knock-fleet/ca.pem, me.pem and me.key:
#
#     install -d -m 750 -g knockd /etc/knock-fleet
#     install -m 640 -g knockd ca.pem /etc/knock-fleet/ca.pem
#     install -m 640 -g knockd gw-a.pem /etc/knock-fleet/me.pem
#     install -m 640 -g knockd gw-a.key /etc/knock-fleet/me.key
#
# The group is the one of the user that knockd's listener runs as: the program of `type = command` reads the key. On a
# hub without knockd it is the broker's (nats, redis), for rsyslog none.
set -eu
umask 077

[ $# -gt 0 ] || { echo "usage: certificates.sh NAME[=ADDRESS]..." >&2; exit 2; }
[ -e ca.key ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -subj "/CN=authority of the fleet" -keyout ca.key -out ca.pem

for host; do
    name=${host%%=*} alternatives=DNS:${host%%=*}
    [ "$name" = "$host" ] || alternatives=$alternatives,IP:${host#*=}
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
        -keyout "$name.key" -out "$name.csr"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$alternatives" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
        -extfile "$name.ext" -out "$name.pem"
    rm "$name.csr" "$name.ext"
done
