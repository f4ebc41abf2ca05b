/* What is left of a secret in memory after its key file was read: one copy, the caller's. */
#include "config_help.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/crypto.h"
#include "lib/key_file.h"

/* Reads what is no variable, which a sanitizer is built to prevent. */
#define UNCHECKED __attribute__((no_sanitize("address")))

enum { FIRST = 0xa0, SHOWN = 16, REGION_MAX = 64 << 20 };

/* The secret counts up from FIRST; free() may overwrite the beginning of what it gets, so the
 * second half is looked for. Neither half may stand in this program's own memory. */
UNCHECKED static bool is_hex(const unsigned char *p)
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < SHOWN; i++) {
        unsigned byte = FIRST + SHOWN + i;
        if (p[2 * i] != digits[byte >> 4] || p[2 * i + 1] != digits[byte & 15])
            return false;
    }
    return true;
}

UNCHECKED static bool is_bytes(const unsigned char *p)
{
    for (unsigned i = 0; i < SHOWN; i++)
        if (p[i] != FIRST + SHOWN + i)
            return false;
    return true;
}

/* Copies in what may be written to; regions of a sanitizer are too large to look at. The list of
 * regions is read without stdio, whose buffers may be where a copy was. */
UNCHECKED static unsigned count_copies(void)
{
    static char maps[1 << 16];
    size_t len = 0;
    unsigned copies = 0;
    int fd = open("/proc/self/maps", O_RDONLY);
    for (ssize_t got; (got = read(fd, maps + len, sizeof(maps) - 1 - len)) > 0;)
        len += (size_t)got;
    close(fd);
    maps[len] = '\0';
    char *rest = maps;
    for (char *line; (line = strtok_r(rest, "\n", &rest));) {
        char *end;
        const unsigned char *p = (const unsigned char *)strtoul(line, &end, 16);
        const unsigned char *behind = (const unsigned char *)strtoul(end + 1, &end, 16);
        if (strncmp(end, " rw", 3) != 0 || behind - p > REGION_MAX)
            continue;
        for (; p + 2 * SHOWN <= behind; p++)
            copies += is_hex(p) || is_bytes(p);
    }
    return copies;
}

/* With a comment before it and doors behind, so that it stands in the middle of buffers, and they
 * grow when it is in them already. */
static void write_key(const char *path, const char *tail)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    static char text[1 << 16];
    memset(text, '#', sizeof(text));
    size_t len = sizeof(text) / 2;
    len += (size_t)sprintf(text + len, "\nkey = \"");
    for (unsigned i = 0; i < 2 * SHOWN; i++)
        len += (size_t)sprintf(text + len, "%02x", FIRST + i);
    len += (size_t)sprintf(text + len, "\"\nserver = gate.example\ndoor = { a");
    for (unsigned i = 0; i < 100; i++)
        len += (size_t)sprintf(text + len, ", d%u", i);
    len += (size_t)sprintf(text + len, "%s", tail);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(close(fd), 0);
    crypto_wipe(text, sizeof(text));
}

static void one_copy_is_left(void **state)
{
    (void)state;
    static const struct {
        const char *tail;
        bool good;
    } rows[] = {
        {" }\n", true}, {" }\n", true}, {", \"", false}, {", b c }", false}, {", - }", false}};
    struct told told;
    char path[64];
    begin(&told);
    snprintf(path, sizeof(path), "%s/c", told.dir);
    struct report report = {.say = hear, .arg = &told};
    struct key_file *key = crypto_alloc(sizeof(*key));
    assert_non_null(key);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        write_key(path, rows[i].tail);
        assert_int_equal(count_copies(), 0);
        bool good = key_file_read(path, &report, key);
        assert_int_equal(good, rows[i].good);
        assert_int_equal(key->secret[31] == FIRST + 31, count_copies());
        assert_true(!good || count_copies() == 1);
        key_file_free(key);
        assert_int_equal(count_copies(), 0);
    }
    crypto_free(key);
    end(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_copy_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
