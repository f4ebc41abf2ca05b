/* knockctl sequence [N] */
#include <stdlib.h>
#include <string.h>

#include "knockctl/generate.h"
#include "knockctl/knockctl.h"
#include "lib/crypto.h"

static uint32_t kernel_random(void *arg)
{
    uint32_t value;
    (void)arg;
    crypto_random(&value, sizeof(value));
    return value;
}

/* 0: it won't do. */
static unsigned parse_count(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits < 5 ? strtoul(text, NULL, 10) : 0;
    bool good = text[digits] == '\0' && value >= GENERATE_STEPS_MIN && value <= STEPS_MAX;
    return good ? (unsigned)value : 0;
}

static int print(unsigned count)
{
    struct sequence sequence = {0};
    struct random_source random = {.next = kernel_random};
    struct port_set taken = {0};
    ports_add_taken(&taken);
    if (!generate_sequence(&taken, count, random, &sequence)) {
        fprintf(stderr,
                "knockctl sequence: too few ports from %d to %d are free for a sequence to be a "
                "secret; look at net.ipv4.ip_local_port_range and /etc/services\n",
                GENERATE_FIRST, GENERATE_LAST);
        return KNOCKCTL_FAILED;
    }
    generate_print(stdout, &sequence);
    return KNOCKCTL_DONE;
}

int knockctl_sequence(const struct arguments *arguments)
{
    const char *word = arguments->words[0];
    unsigned count = word ? parse_count(word) : GENERATE_STEPS_DEFAULT;
    if (count > 0)
        return print(count);
    fprintf(stderr, "knockctl sequence: \"%s\": expected the number of knocks, %d to %d\n", word,
            GENERATE_STEPS_MIN, STEPS_MAX);
    return KNOCKCTL_USAGE;
}
