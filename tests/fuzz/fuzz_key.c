/*
 * The file of a sealed key: refused with reasons, or taken; and what is taken, written plainly, is
 * read as the same.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/key_file.h"

static void hear(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    CLAIM(*text && !strchr(text, '\n'));
}

static bool read_bytes(const void *bytes, size_t size, struct key_file *out)
{
    char path[64];
    struct report report = {.say = hear};
    int fd = memfd_create("key", MFD_CLOEXEC);
    CLAIM(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, bytes, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    bool good = key_file_read(path, &report, out);
    CLAIM(good == (report.errors == 0));
    close(fd);
    return good;
}

static void quote(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++)
        fprintf(out, *text == '"' || *text == '\\' || *text == '$' ? "\\%c" : "%c", *text);
    fputc('"', out);
}

/* The day is the only thing that isn't written again: its form is the parser's own business. */
static char *write_plainly(const struct key_file *key)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CLAIM(out);
    fputs("key = ", out);
    for (unsigned i = 0; i < SEALED_SECRET_SIZE; i++)
        fprintf(out, "%02x", key->secret[i]);
    fputs("\nserver = ", out);
    quote(out, key->server);
    for (unsigned i = 0; i < key->doors.count; i++) {
        fputs(i ? ", " : "\ndoor = { ", out);
        quote(out, key->doors.items[i].text);
    }
    fputs(key->doors.count > 0 ? " }\n" : "\n", out);
    CLAIM(fclose(out) == 0);
    return text;
}

static void claim_same(const struct key_file *key, const struct key_file *again)
{
    CLAIM(memcmp(key->secret, again->secret, SEALED_SECRET_SIZE) == 0);
    CLAIM(strcmp(key->server, again->server) == 0 && key->doors.count == again->doors.count);
    for (unsigned i = 0; i < key->doors.count; i++)
        CLAIM(strcmp(key->doors.items[i].text, again->doors.items[i].text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_file key, again;
    if (read_bytes(data, size, &key)) {
        CLAIM(*key.server && strlen(key.server) <= SEALED_SERVER_MAX);
        char *text = write_plainly(&key);
        CLAIM(read_bytes(text, strlen(text), &again));
        claim_same(&key, &again);
        key_file_free(&again);
        free(text);
    }
    key_file_free(&key);
    return 0;
}
