# Sourced: the engines that carry a fleet's lines, as programs of the distribution's packages that nobody starts but us.
# rsyslog, its RELP modules and nats-server are unpacked, never installed; redis-server is a name of redis-tools'
# redis-check-rdb. Expects rsyslog.sh.
# shellcheck shell=bash

# relp_lacks ROOT: what keeps the RELP modules there from being loaded; nothing when they can.
relp_lacks() {
    local modules=("$1"/usr/lib/*/rsyslog)
    if [ -e "${modules[0]}/imrelp.so" ] && [ -e "${modules[0]}/omrelp.so" ]; then
        unpack_lacking "${modules[0]}/imrelp.so" "$(dirname "${modules[0]}")"
    else
        echo "imrelp.so and omrelp.so"
    fi
}

nats_lacks() {
    [ -x "$1/usr/sbin/nats-server" ] || echo nats-server
}

# engine_rsyslog: an rsyslogd that speaks RELP; sets RSYSLOGD, the command and its options.
engine_rsyslog() {
    local libs modules
    rsyslog_unpack || return 1
    # shellcheck disable=SC2154 # rsyslog_unpack sets them
    libs=$rsyslog_libs modules=$rsyslog_modules
    if [ ! -e "$modules/omrelp.so" ]; then
        unpack rsyslog-relp relp_lacks || return 1
        # shellcheck disable=SC2154
        libs+=:$(echo "$unpack_root"/usr/lib/*/rsyslog/..) modules+=:$(echo "$unpack_root"/usr/lib/*/rsyslog)
    fi
    # shellcheck disable=SC2034 # for those who source this
    RSYSLOGD=(env "LD_LIBRARY_PATH=$libs" "$rsyslog_bin" -M "$modules")
}

# engine_nats: sets NATS_SERVER; its client is mosquitto's.
engine_nats() {
    NATS_SERVER=$(command -v nats-server) || {
        unpack nats-server nats_lacks || return 1
        # shellcheck disable=SC2034
        NATS_SERVER=$unpack_root/usr/sbin/nats-server
    }
    command -v mosquitto_pub >/dev/null && command -v mosquitto_sub >/dev/null && return
    echo "no mosquitto_pub and mosquitto_sub; see scripts/deps.sh" >&2
    return 1
}

# engine_redis: sets REDIS_SERVER, a program that has to be called redis-server.
engine_redis() {
    REDIS_SERVER=$(command -v redis-server || command -v redis-check-rdb) && command -v redis-cli >/dev/null && return
    # shellcheck disable=SC2034
    REDIS_SERVER=''
    echo "no redis-cli with a redis-server; see scripts/deps.sh" >&2
    return 1
}
