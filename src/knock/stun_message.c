/* The codec of STUN: writes the binding request, and reads what a server answers. */
#include "knock/stun_message.h"

#include <string.h>

enum { HEADER = 20, ID_AT = 8, BINDING = 0x0001, SUCCESS = 0x0101, FAILURE = 0x0111 };

/* Attributes; those from 0x8000 on need not be understood. */
enum { MAPPED = 0x0001, ERROR_CODE = 0x0009, XOR_MAPPED = 0x0020, OPTIONAL = 0x8000 };

static const uint8_t cookie[] = {0x21, 0x12, 0xa4, 0x42};

struct attribute {
    unsigned type;
    const uint8_t *value;
    size_t len;
};

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

void stun_request(const uint8_t id[STUN_ID_SIZE], uint8_t out[STUN_REQUEST_SIZE])
{
    memset(out, 0, STUN_REQUEST_SIZE);
    out[1] = BINDING;
    memcpy(out + ID_AT - sizeof(cookie), cookie, sizeof(cookie));
    memcpy(out + ID_AT, id, STUN_ID_SIZE);
}

/* A server of RFC 3489 takes the cookie for the begin of the id, and sends it back as well. */
static bool is_answer(const uint8_t *bytes, size_t len, const uint8_t *id)
{
    if (len < HEADER || (get16(bytes) != SUCCESS && get16(bytes) != FAILURE))
        return false;
    return memcmp(bytes + ID_AT - sizeof(cookie), cookie, sizeof(cookie)) == 0 &&
           memcmp(bytes + ID_AT, id, STUN_ID_SIZE) == 0;
}

/* Takes the next attribute off the `*len` bytes at `*p`, its padding as well. False if it doesn't
 * fit in. */
static bool next_attribute(const uint8_t **p, size_t *len, struct attribute *out)
{
    if (*len < 4)
        return false;
    *out = (struct attribute){get16(*p), *p + 4, get16(*p + 2)};
    size_t whole = 4 + ((out->len + 3) & ~(size_t)3);
    if (whole > *len)
        return false;
    *p += whole;
    *len -= whole;
    return true;
}

/* Those of RFC 3489 and RFC 8489, whether they matter here or not. */
static bool is_understood(unsigned type)
{
    static const uint8_t known[] = {0x14, 0x15, 0x1c, 0x1d, 0x1e, XOR_MAPPED};
    return (type >= MAPPED && type <= 0x0b) || type >= OPTIONAL ||
           (type < 0x100 && memchr(known, (int)type, sizeof(known)) != NULL);
}

/* `mask` is what XOR-MAPPED-ADDRESS is XORed with, cookie and id; NULL: nothing. */
static bool read_address(const struct attribute *attribute, const uint8_t *mask, struct addr *out)
{
    bool ip6 = attribute->len == 20;
    if ((attribute->len != 8 && !ip6) || attribute->value[1] != (ip6 ? 2 : 1))
        return false;
    *out = (struct addr){.family = ip6 ? 6 : 4};
    for (unsigned i = 0; i < (ip6 ? 16u : 4u); i++)
        out->bytes[i] = (uint8_t)(attribute->value[4 + i] ^ (mask ? mask[i] : 0));
    return true;
}

static bool read_error(const struct attribute *attribute, struct stun_answer *out)
{
    if (attribute->len < 4)
        return false;
    unsigned class = attribute->value[2] & 7, number = attribute->value[3];
    size_t len = attribute->len - 4;
    if (class < 3 || class > 6 || number > 99)
        return false;
    out->code = class * 100 + number;
    len = len < STUN_REASON_SIZE - 1 ? len : STUN_REASON_SIZE - 1;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = attribute->value[4 + i];
        out->reason[i] = c >= ' ' && c <= '~' ? (char)c : '?';
    }
    return true;
}

/* The first attribute of each type counts. False: the answer can't be used. */
static bool read_attributes(const uint8_t *bytes, size_t len,
                            struct attribute found[XOR_MAPPED + 1])
{
    const uint8_t *p = bytes + HEADER;
    size_t left = len - HEADER;
    if (get16(bytes + 2) != left)
        return false;
    while (left > 0) {
        struct attribute attribute;
        if (!next_attribute(&p, &left, &attribute) || !is_understood(attribute.type))
            return false;
        if (attribute.type <= XOR_MAPPED && !found[attribute.type].value)
            found[attribute.type] = attribute;
    }
    return true;
}

static bool read_success(const struct attribute *found, const uint8_t *mask,
                         struct stun_answer *out)
{
    out->kind = STUN_ADDRESS;
    if (found[XOR_MAPPED].value)
        return read_address(&found[XOR_MAPPED], mask, &out->address);
    return found[MAPPED].value && read_address(&found[MAPPED], NULL, &out->address);
}

static bool read_failure(const struct attribute *found, struct stun_answer *out)
{
    out->kind = STUN_ERROR;
    return found[ERROR_CODE].value && read_error(&found[ERROR_CODE], out);
}

void stun_read(const uint8_t *bytes, size_t len, const uint8_t id[STUN_ID_SIZE],
               struct stun_answer *out)
{
    struct attribute found[XOR_MAPPED + 1] = {{0}};
    *out = (struct stun_answer){.kind = STUN_OTHER};
    if (!is_answer(bytes, len, id))
        return;
    if (!read_attributes(bytes, len, found) ||
        !(get16(bytes) == SUCCESS ? read_success(found, bytes + ID_AT - sizeof(cookie), out)
                                  : read_failure(found, out)))
        *out = (struct stun_answer){.kind = STUN_UNCLEAR};
}
