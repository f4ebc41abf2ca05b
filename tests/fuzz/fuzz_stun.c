/*
 * Answers of STUN servers: the first twelve bytes are the transaction's id, a flag puts the right
 * header before the rest, so that most inputs are answers. What is told is an address of its family
 * or a reason that a terminal may show, and no part of an answer is one.
 */
#include "fuzz.h"

#include "knock/stun_message.h"

static void claim_answer(const struct stun_answer *answer)
{
    static const struct addr nobody;
    bool address = answer->kind == STUN_ADDRESS, error = answer->kind == STUN_ERROR;
    CLAIM(address || memcmp(&answer->address, &nobody, sizeof(nobody)) == 0);
    CLAIM(!address || answer->address.family == 4 || answer->address.family == 6);
    CLAIM(error || (answer->code == 0 && answer->reason[0] == '\0'));
    CLAIM(!error || (answer->code >= 300 && answer->code <= 699));
    CLAIM(strnlen(answer->reason, sizeof(answer->reason)) < sizeof(answer->reason));
    for (const char *p = answer->reason; *p; p++)
        CLAIM(*p >= ' ' && *p <= '~');
}

static void put_header(uint8_t *bytes, size_t len, const uint8_t *id)
{
    const uint8_t header[] = {
        0x01, bytes[1], (uint8_t)((len - 20) >> 8), (uint8_t)(len - 20), 0x21, 0x12, 0xa4, 0x42};
    memcpy(bytes, header, sizeof(header));
    memcpy(bytes + sizeof(header), id, STUN_ID_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    struct stun_answer answer;
    uint8_t id[STUN_ID_SIZE] = {0}, flag = input_byte(&in);
    input_bytes(&in, id, sizeof(id));
    size_t len = (size_t)(in.end - in.p);
    uint8_t *bytes = malloc(len + 1); /* exactly as long, but for none at all */
    CLAIM(bytes);
    input_bytes(&in, bytes, len);
    if ((flag & 1) && len >= 20 && len < 65536)
        put_header(bytes, len, id);
    stun_read(bytes, len, id, &answer);
    claim_answer(&answer);
    if (answer.kind == STUN_ADDRESS && len > 20) {
        stun_read(bytes, len - 1, id, &answer);
        CLAIM(answer.kind == STUN_UNCLEAR);
    }
    free(bytes);
    return 0;
}
