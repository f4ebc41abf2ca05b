# Sourced by tests of clients behind an address translator, after lib.sh: hosts in a network of their own, of which the
# client host is the router.
# shellcheck shell=bash

# make_network COUNT: the client host becomes a router, its network that of hosts 1 to COUNT.
make_network() {
    ip -n "$CLIENT" link add lan type bridge && ip -n "$CLIENT" address add 10.9.0.1/24 dev lan &&
        ip -n "$CLIENT" link set lan up && on_client sysctl -qw net.ipv4.ip_forward=1 || return 1
    for i in $(seq "$1"); do
        make_inner "$i" || return 1
    done
}

make_inner() {
    local host=$CLIENT-$1
    make_host "$host" &&
        ip -n "$CLIENT" link add "lan$1" type veth peer name eth0 netns "$host" &&
        ip -n "$CLIENT" link set "lan$1" master lan up &&
        ip -n "$host" address add "10.9.0.$((10 + $1))/24" dev eth0 && ip -n "$host" link set eth0 up &&
        ip -n "$host" route add default via 10.9.0.1
}

# make_innermost ROUTER: a host $CLIENT-deep at 10.8.0.2 behind host ROUTER of the network, which translates as well.
make_innermost() {
    local router=$CLIENT-$1 host=$CLIENT-deep
    make_host "$host" &&
        ip -n "$router" link add inside type veth peer name eth0 netns "$host" &&
        ip -n "$router" address add 10.8.0.1/24 dev inside && ip -n "$router" link set inside up &&
        ip -n "$host" address add 10.8.0.2/24 dev eth0 && ip -n "$host" link set eth0 up &&
        ip -n "$host" route add default via 10.8.0.1 &&
        ip netns exec "$router" sysctl -qw net.ipv4.ip_forward=1 &&
        ip netns exec "$router" iptables -t nat -A POSTROUTING -s 10.8.0.0/24 -o eth0 -j MASQUERADE
}

# translate [OPTION...]: all of the network leave with the client's address.
translate() {
    translate_to -j MASQUERADE "$@"
}

# translate_to -j TARGET [OPTION...]: all of the network leave with another address.
translate_to() {
    on_client iptables -t nat -F POSTROUTING
    on_client iptables -t nat -A POSTROUTING -s 10.9.0.0/24 -o eth0 "$@"
}
