/*
 * Headers of links: the first two bytes are the type. The IP packet is what is left of the bytes to
 * their end, of the version that the link says; it stays where it is when more follows, and with
 * less of it there is less, or none; and one packet is in each VLAN that is put around it.
 */
#include "fuzz.h"

#include "listener/link_header.h"

/* The bytes in a buffer of exactly that size. */
static uint8_t *copy_of(const uint8_t *bytes, size_t len, size_t room)
{
    uint8_t *copy = malloc(room + 1);
    CLAIM(copy);
    memcpy(copy, bytes, len);
    return copy;
}

static void claim_less(int type, const uint8_t *bytes, size_t len, size_t header)
{
    for (size_t cut = 0; cut <= header && cut <= len; cut++) {
        struct link_packet packet;
        uint8_t *copy = copy_of(bytes, cut, cut);
        enum line_verdict verdict = link_header_parse(type, copy, cut, &packet);
        CLAIM(verdict == LINE_PARTIAL || (verdict == LINE_PACKET && packet.ip_len == 0));
        CLAIM((cut == header) == (verdict == LINE_PACKET));
        free(copy);
    }
}

static void claim_more(int type, const uint8_t *bytes, size_t len, size_t header)
{
    struct link_packet packet;
    uint8_t *copy = copy_of(bytes, len, len + 7);
    memset(copy + len, bytes[len - 1], 7);
    CLAIM(link_header_parse(type, copy, len + 7, &packet) == LINE_PACKET);
    CLAIM(packet.ip == copy + header && packet.ip_len == len + 7 - header);
    free(copy);
}

static void claim_tagged(const uint8_t *bytes, size_t len, const struct link_packet *plain)
{
    struct link_packet tagged;
    uint8_t *copy = copy_of(bytes, 12, len + 4);
    memcpy(copy + 12, "\x81\x00\x0f\xff", 4);
    memcpy(copy + 16, bytes + 12, len - 12);
    CLAIM(link_header_parse(LINK_ETHERNET, copy, len + 4, &tagged) == LINE_PACKET);
    CLAIM(tagged.ip - copy == plain->ip - bytes + 4 && tagged.ip_len == plain->ip_len);
    CLAIM(tagged.direction == plain->direction);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct link_packet packet;
    if (size < 2)
        return 0;
    int type = data[0] << 8 | data[1];
    size_t len = size - 2;
    uint8_t *bytes = copy_of(data + 2, len, len);
    enum line_verdict verdict = link_header_parse(type, bytes, len, &packet);
    CLAIM(link_header_knows(type) || verdict == LINE_FOREIGN);
    CLAIM(verdict != LINE_PREFIX);
    if (verdict == LINE_PACKET) {
        size_t header = (size_t)(packet.ip - bytes);
        CLAIM(header <= len && packet.ip_len == len - header);
        CLAIM(type != LINK_ETHERNET || packet.direction <= LINK_GROUP);
        claim_less(type, bytes, len, header);
        if (packet.ip_len > 0)
            claim_more(type, bytes, len, header);
        if (type == LINK_ETHERNET)
            claim_tagged(bytes, len, &packet);
    }
    free(bytes);
    return 0;
}
