/*
 * The client's profiles: the one called "p" is refused with reasons, or taken; and one that is
 * taken says how to knock in one way, with numbers that packets can have.
 */
#include "fuzz.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knock/output.h"
#include "knock/profile.h"

static unsigned told;

/* In the place of the client's own: what it has to say is made, but nobody reads it. */
void output_error(const char *format, ...)
{
    static char line[1 << 16];
    va_list args;
    va_start(args, format);
    CLAIM(vsnprintf(line, sizeof(line), format, args) > 0 && !strchr(line, '\n'));
    va_end(args);
    told++;
}

void output_finding(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    output_error("%s", text);
}

static void claim_numbers(const struct profile *p)
{
    CLAIM(p->port <= UINT16_MAX && (p->ask_port <= UINT16_MAX || p->ask_port == PROFILE_UNSET));
    CLAIM(p->span > 0 && p->span + CARRIER_SPAN_SIZE <= CARRIER_SPAN_END);
    CLAIM(p->packet_port > 0 && p->packet_port <= UINT16_MAX);
    CLAIM(p->seconds >= 0 && p->seconds / 1000000000 <= UINT16_MAX && p->timeout >= 0);
    for (unsigned i = 0; i < p->sequence.count; i++)
        CLAIM(p->sequence.steps[i].port > 0);
}

static void claim_whole(const struct profile *p)
{
    CLAIM(strcmp(p->name, "p") == 0 && p->host && *p->host);
    CLAIM((p->key != NULL) + (p->once != NULL) + (p->sequence.count > 0) == 1);
    CLAIM(!p->key || p->door);
    CLAIM(!p->open_for.family || (p->key && p->carrier != PACKETS_TCP));
    claim_numbers(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct profile profile;
    int fd = memfd_create("profiles", MFD_CLOEXEC);
    CLAIM(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    told = 0;
    if (profile_load(path, "p", NULL, 0, &profile))
        claim_whole(&profile);
    else
        CLAIM(told > 0);
    profile_free(&profile);
    close(fd);
    return 0;
}
