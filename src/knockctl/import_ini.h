/* The configuration file of the knockd that listens to an interface, as that reads it. */
#ifndef KNOCKCTL_IMPORT_INI_H
#define KNOCKCTL_IMPORT_INI_H

#include <stdbool.h>
#include <stddef.h>

enum ini_key {
    INI_USESYSLOG,
    INI_LOGFILE,
    INI_PIDFILE,
    INI_INTERFACE,
    INI_SEQUENCE,
    INI_ONE_TIME,
    INI_SEQ_TIMEOUT,
    INI_TCPFLAGS,
    INI_TARGET,
    INI_START,
    INI_START_6,
    INI_CMD_TIMEOUT,
    INI_STOP,
    INI_STOP_6,
    INI_KEYS
};

/* What stands behind a key; text NULL: it isn't there. */
struct ini_value {
    char *text;
    int line;
};

/* What is to be said of a line. `lost`: what stands there is left out, else it needs a look. */
struct ini_note {
    int line;
    bool lost;
    char *text;
};

/* What [options] hold together, or a door. */
struct ini_section {
    char *name;
    int line;
    struct ini_value values[INI_KEYS];
    struct ini_note *notes;
    unsigned note_count;
};

/* sections[0] is [options], its line 0 where there are none; the others are doors, in their order.
 */
struct ini_file {
    struct ini_section *sections;
    unsigned count;
};

/* Reads `len` bytes. False when memory is short. *out is freed by ini_free in any case. */
bool ini_read(const char *data, size_t len, struct ini_file *out);
void ini_free(struct ini_file *file);

/* Adds a note, written as by printf; false when memory is short. */
bool ini_note(struct ini_section *section, int line, bool lost, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* How the file writes the key. */
const char *ini_key_name(enum ini_key key);

/* The number that atoi(3) makes of the text, where it has 32 bits; *clean: there is nothing else
 * behind it. */
int ini_number(const char *text, bool *clean);

#endif
