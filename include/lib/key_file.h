/*
 * The file of one sealed key, the same on both sides (libconfuse syntax, mode 0600):
 *
 *   key     = "64 hex digits"
 *   server  = "gate.example"
 *   expires = "2027-12-31"       # server: the last day (UTC) on which it is good
 *   door    = { "ssh" }          # server: no other doors, whatever their key lists say
 */
#ifndef LIB_KEY_FILE_H
#define LIB_KEY_FILE_H

#include <limits.h>

#include "lib/config.h"
#include "lib/report.h"
#include "lib/sealed.h"

enum { KEY_PATH_SIZE = PATH_MAX + CONFIG_NAME_MAX + sizeof("/.key") };

struct key_file {
    char *path;
    uint8_t secret[SEALED_SECRET_SIZE];
    char server[SEALED_SERVER_MAX + 1];
    int64_t expires; /* s since 1970, the first moment at which it isn't good; INT64_MAX: never */
    struct config_list doors; /* names; not set: any */
};

/*
 * Reads the key file at `path`, which may be a symbolic link to it. Refuses one that isn't a
 * regular file, that doesn't belong to root or the caller, or on which others have any permission.
 * Reports an error and returns false; no message has a part of the secret. The caller frees *out by
 * key_file_free either way, which wipes it; memory of crypto_alloc suits it.
 */
bool key_file_read(const char *path, struct report *report, struct key_file *out);
void key_file_free(struct key_file *key);

/* Writes the path of the key file of `name` in the folder `key_dir` and returns `out`. */
const char *key_file_path(const char *key_dir, const char *name, char out[KEY_PATH_SIZE]);

/* Reads "YYYY-MM-DD" as the seconds since 1970 at which that day ends in UTC. False when it is no
 * day of the calendar. */
bool key_file_day(const char *text, int64_t *out);

/* The keys of the file. */
struct config_schema;
const struct config_schema *key_file_schema(void);

#endif
