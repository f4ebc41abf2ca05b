/* Good configurations with random damage: none crashes the reader, each is taken or told of. */
#include "config_help.h"

#include <time.h>

static uint64_t random_state;

/* xorshift64 (Marsaglia 2003): the same damage again from the same seed. */
static unsigned random_below(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % limit;
}

static size_t read_data(const char *name, char *out, size_t size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/config/%s", TEST_DATA, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(out, 1, size, file);
    fclose(file);
    assert_in_range(len, 1, size - 1);
    return len;
}

/* Overwrites, removes or repeats something; returns the new length, at most `size`. */
static size_t damage(char *text, size_t len, size_t size)
{
    static const char bytes[] = "{}{}\"\"'\\=,+()#/*$| \t\n\r09axn:.-%\x00\x01\x7f\xff";
    size_t at = random_below((unsigned)len), span = 1 + random_below(40);
    if (span > len - at)
        span = len - at;
    switch (random_below(4)) {
    case 0:
        text[at] = bytes[random_below(sizeof(bytes) - 1)];
        return len;
    case 1:
        memmove(text + at, text + at + span, len - at - span);
        return len - span ? len - span : 1;
    case 2:
        if (len + span > size)
            return len;
        memmove(text + at + span, text + at, len - at);
        return len + span;
    default:
        memcpy(text + random_below((unsigned)(len - span + 1)), bytes, span < 8 ? span : 8);
        return len;
    }
}

static void survives_damage(void **state)
{
    (void)state;
    static const char *const names[] = {"full.conf", "setup2.conf", "setup3.conf"};
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
    unsigned taken = 0, rounds = 4000;
    struct told told;
    print_message("# SEED=%llu\n", (unsigned long long)seed);
    random_state = seed ? seed : 1;
    begin(&told);
    for (unsigned i = 0; i < rounds; i++) {
        char text[4096];
        size_t len = read_data(names[i % 3], text, sizeof(text));
        for (unsigned n = 1 + random_below(4); n > 0; n--)
            len = damage(text, len, sizeof(text));
        write_file(told.dir, "c", text, len);
        struct config *config = load(&told);
        taken += config != NULL;
        config_free(config);
    }
    print_message("# %u of %u taken\n", taken, rounds);
    assert_in_range(taken, 1, rounds - 1);
    end(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
