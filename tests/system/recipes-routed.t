#!/bin/bash
# The recipes of etc/examples for packets that are passed on: to a host behind a gateway, and to a container that Docker
# publishes. Docker itself is not here; its chains are, as it makes them.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=recipes/recipe.sh
. "$(dirname "$0")/recipes/recipe.sh"

opened_for() {
    on_gate iptables -S | grep -F -- "-s $1/"
    on_gate iptables -t nat -S | grep -F -- "-s $1/"
}

# make_inner HOST DEVICE ADDRESS GATEWAY PORT: a host behind the gate's interface DEVICE, and a service on it.
make_inner() {
    make_host "$1" &&
        ip -n "$GATE" link add "$2" type veth peer name eth0 netns "$1" &&
        ip -n "$GATE" address add "$4/24" dev "$2" && ip -n "$GATE" link set "$2" up &&
        ip -n "$1" address add "$3/24" dev eth0 && ip -n "$1" link set eth0 up &&
        ip -n "$1" route add default via "$4" &&
        GATE=$1 serve "$5"
}

# What Docker 20.10 has made of `-p 8443:443` before anyone adds to it.
docker_chains() {
    on_gate sysctl -qw net.ipv4.ip_forward=1
    on_gate iptables-restore <<'EOF'
*filter
:FORWARD DROP
:DOCKER -
:DOCKER-USER -
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 443 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
*nat
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8443 -j DNAT --to-destination 172.17.0.2:443
COMMIT
EOF
}

reaches_outside() {
    ip netns exec "$1" perl "$peer" connect 1 - "$CLIENT4" 4000
    [ $? = 2 ] # refused: by the client itself, so it was reached
}

recipe_hosts
inner=$GATE-inner container=$GATE-box
make_inner "$inner" eth1 192.168.7.5 192.168.7.1 22 || bail "no inner host"
make_inner "$container" docker0 172.17.0.2 172.17.0.1 443 || bail "no container"
ip -n "$CLIENT" route add 192.168.7.0/24 via "$GATE4"

recipe gateway-dnat
ok "gateway-dnat: the commands of its head" on_gate sh -ec "$(commands_of gateway-dnat)"
starts "gateway-dnat: starts"
door_lives gateway-dnat 4 inner-ssh 2222 2
ok "gateway-dnat: the inner host is closed from outside" not can_connect -w 0.2 192.168.7.5 22
ok "gateway-dnat: and gets out" reaches_outside "$inner"
ends_closed gateway-dnat 4 inner-ssh

on_gate iptables -F
on_gate iptables -t nat -F
docker_chains || bail "no chains of Docker"
ok "docker: published, open to all" can_connect "$GATE4" 8443
recipe docker
ok "docker: the commands of its head" on_gate sh -ec "$(commands_of docker)"
starts "docker: starts"
door_lives docker 4 web 8443 1
ok "docker: the container gets out" reaches_outside "$container"
ends_closed docker 4 web
done_testing
