/* Unseals a message with the few keys that its hint allows, and decides what it may do. */
#include "keeper/unseal.h"

#include <string.h>

#include "lib/addr_scope.h"

static const int64_t second = 1000000000;

static bool is_stale(uint64_t time, uint64_t now, int64_t skew)
{
    uint64_t apart = time > now ? time - now : now - time;
    return apart > (uint64_t)(skew / second) << 16;
}

static bool opens(const struct keyring *keyring, unsigned key, const struct message_sealed *msg,
                  const struct addr *source, struct unsealed *out)
{
    if (!sealed_open(&keyring->secrets[key], msg->message, msg->length, source, &out->request))
        return false;
    out->key = key;
    out->bound = source != NULL;
    out->time = sealed_message_time(msg->message);
    return true;
}

enum unseal_verdict unseal_open(const struct keyring *keyring, const struct message_sealed *msg,
                                uint64_t now, int64_t skew, struct unsealed *out)
{
    uint64_t time = sealed_message_time(msg->message);
    if (is_stale(time, now, skew))
        return UNSEAL_STALE;
    unsigned count;
    const uint32_t *candidates =
        key_index_find(keyring->index, time, sealed_message_hint(msg->message), &count);
    for (unsigned i = 0; i < count; i++)
        if (opens(keyring, key_index_key(candidates[i]), msg, &msg->address, out))
            return UNSEAL_GOOD;
    for (unsigned i = 0; keyring->unbound && i < count; i++)
        if (opens(keyring, key_index_key(candidates[i]), msg, NULL, out))
            return UNSEAL_GOOD;
    return UNSEAL_UNKNOWN;
}

const struct config_door *unseal_door(const struct config *config, const struct keyring *keyring,
                                      const uint8_t id[SEALED_DOOR_SIZE], unsigned *number)
{
    for (unsigned i = 0; i < keyring->door_count; i++) {
        const struct keyed_door *keyed = &keyring->doors[i];
        if (memcmp(keyed->id, id, SEALED_DOOR_SIZE) != 0)
            continue;
        *number = keyed->number;
        return &config->doors[keyed->number];
    }
    return NULL;
}

/* Whom it is for: the sender, or another address where the door lets keys vouch for one. */
static enum unseal_verdict validate_address(const struct sealed_request *request,
                                            const struct addr *source, struct sealed_wish *out)
{
    bool named = request->address.family != 0;
    out->address = named ? request->address : *source;
    if (named && !out->door->for_others)
        return UNSEAL_FOR_OTHERS;
    if (addr_scope(&out->address) < (named ? ADDR_SCOPE_SITE : ADDR_SCOPE_HOST))
        return UNSEAL_NO_HOST;
    return config_allows(out->door, &out->address) ? UNSEAL_GOOD : UNSEAL_NOT_ALLOWED;
}

static bool find_port(const struct config_door *door, const struct sealed_request *request,
                      struct port_proto *out)
{
    *out = (struct port_proto){0};
    if (request->port == 0) {
        if (request->op == SEALED_OPEN)
            *out = config_own_port(door);
        return true;
    }
    if (door->port.port == request->port)
        *out = door->port;
    for (unsigned i = 0; out->port == 0 && i < door->port_count; i++)
        if (door->ports[i].port == request->port)
            *out = door->ports[i];
    return out->port != 0;
}

static int64_t allowed_length(const struct config_door *door, uint16_t seconds)
{
    int64_t longest = door->max_timeout ? door->max_timeout : door->cmd_timeout;
    int64_t asked = seconds ? seconds * second : door->cmd_timeout;
    return asked < longest ? asked : longest;
}

enum unseal_verdict unseal_validate(const struct config *config, const struct keyring *keyring,
                                    const struct unsealed *message, const struct addr *source,
                                    int64_t now, struct sealed_wish *out)
{
    const struct key *key = &keyring->keys[message->key];
    const struct sealed_request *request = &message->request;
    *out = (struct sealed_wish){.op = (enum sealed_op)request->op, .address = *source};
    out->door = unseal_door(config, keyring, request->door, &out->number);
    if (key->expires <= now)
        return UNSEAL_EXPIRED;
    if (!out->door)
        return UNSEAL_NO_DOOR;
    if (!config_list_has(&out->door->keys, key->name) || !key_may_open(key, out->door->name))
        return UNSEAL_OTHER_DOOR;
    if (out->door->bound && !message->bound)
        return UNSEAL_UNBOUND;
    enum unseal_verdict verdict = validate_address(request, source, out);
    if (verdict != UNSEAL_GOOD)
        return verdict;
    if (!find_port(out->door, request, &out->port))
        return UNSEAL_PORT;
    out->length = allowed_length(out->door, request->seconds);
    return request->op == SEALED_OPEN || request->op == SEALED_CLOSE ? UNSEAL_GOOD : UNSEAL_OP;
}

const char *unseal_reason(enum unseal_verdict verdict)
{
    static const char *const reasons[UNSEAL_VERDICTS] = {
        [UNSEAL_STALE] = "stale: its time is further from this host's clock than max_skew",
        [UNSEAL_UNKNOWN] =
            "unknown: no key in force made it, or it is bound to another address (NAT?), or to none "
            "where no door permits that",
        [UNSEAL_REPLAYED] =
            "replayed: it isn't newer than the last that was used or refused, or than max_skew after "
            "state.db was made",
        [UNSEAL_NEW_STATE] = "new state, or an old copy: sealed knocks are refused for max_skew",
        [UNSEAL_COPY] = "served already",
        [UNSEAL_UNHEARD] = "its door doesn't hear the source",
        [UNSEAL_HASTY] = "too many knocks by this key",
        [UNSEAL_UNRECORDED] = "its use can't be recorded",
        [UNSEAL_EXPIRED] = "expired: the last day of the key is over",
        [UNSEAL_NO_DOOR] = "not this door: no door that takes sealed knocks has that name",
        [UNSEAL_OTHER_DOOR] = "not this door: the key isn't in its list, or names other doors",
        [UNSEAL_UNBOUND] = "not bound to its source, which the door demands",
        [UNSEAL_FOR_OTHERS] = "it names an address, and the door opens for the sender alone",
        [UNSEAL_NO_HOST] = "no host elsewhere can have the address that it is to open for",
        [UNSEAL_NOT_ALLOWED] = "not in its list of allowed networks",
        [UNSEAL_PORT] = "not a port of this door",
        [UNSEAL_OP] = "it asks for nothing that is known here",
        [UNSEAL_DOOR] = "the door doesn't open",
        [UNSEAL_NOTHING] = "nothing that this key opened is open",
    };
    return reasons[verdict];
}
