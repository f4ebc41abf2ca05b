/*
 * Reads a log of any collector from its beginning to its end, for a replay, and passes on the
 * packets of its lines.
 *
 * Each line is read as the kernel's of any collector, or as a record of /dev/kmsg if it begins like
 * one, with the prefixes of all sources of the configuration together, but those of captures, which
 * have none; with any prefix if one source has none, or without configuration. If a source has the
 * format ulogd, lines that aren't the kernel's are tried as ulogd's, with the prefixes of such
 * sources alone. The colours of dmesg and journalctl are left out.
 */
#ifndef KNOCKD_LOG_READER_H
#define KNOCKD_LOG_READER_H

#include "knockd/replay_input.h"
#include "lib/config.h"
#include "listener/line_cache.h"
#include "listener/lines.h"
#include "listener/logline.h"
#include "listener/stats.h"

enum { LOG_FORMATS = LOG_ULOGD + 1, LINE_VERDICTS = LINE_PARTIAL + 1 };

/* The longest line whose colours are left out: twice what the kernel writes. */
enum { LOG_PLAIN = 2048 };

struct log_calls {
    /* A line of a packet, and the format in which it was read. */
    void (*packet)(void *arg, enum log_format format, const char *line, size_t len,
                   const struct packet *packet);
    /* Any other line, and the last format in which it was tried; may be NULL. */
    void (*other)(void *arg, enum log_format format, const char *line, size_t len);
    /* After each read, several hundred lines of a file; `live`: more may be long in coming. False
     * ends the reading. */
    bool (*pause)(void *arg, bool live);
    void *arg;
};

struct log_reader {
    struct log_calls calls;
    struct line_spec specs[LOG_FORMATS]; /* by enum log_format */
    struct line_cache line_cache[LOG_FORMATS];
    const char **prefixes;
    bool has_ulogd;
    struct lines *lines;              /* its too_long counts lines without a verdict */
    uint64_t verdicts[LINE_VERDICTS]; /* lines by enum line_verdict */
    struct foreign foreign;           /* LINE_FOREIGN, of the firewall by all appearance */
    struct stats prefixes_seen;       /* of LINE_PREFIX alone: the most frequent ones */
    char plain[LOG_PLAIN];
};

/* `config` must live as long; NULL: none. False when memory is short; log_reader_free is due then
 * as well. */
bool log_reader_init(struct log_reader *reader, const struct config *config,
                     struct log_calls calls);
void log_reader_free(struct log_reader *reader);

/*
 * Reads all of `input`. A line that the end of the file cuts is one: nothing more will come.
 * Returns 0, or errno when it can't be read.
 */
int log_reader_run(struct log_reader *reader, struct replay_input *input);

#endif
