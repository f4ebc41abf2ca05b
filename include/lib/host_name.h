/* Names of hosts as the headers of log lines have them. */
#ifndef LIB_HOST_NAME_H
#define LIB_HOST_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Room for a name with its NUL; a longer one is cut. */
enum { HOST_NAME_SIZE = 64 };

/* Whether the byte may stand in a name or an address: a letter, a digit or one of "-.:_". */
bool host_name_has(char ch);

/* Copies the `len` bytes of a name, as far as there is room; "" if one of them may not stand in it,
 * or it is "-", which is how RFC 5424 writes that there is none. */
void host_name_copy(const char *name, size_t len, char out[HOST_NAME_SIZE]);

/* Whether `text` is what host_name_copy writes: right bytes, and NULs up to the end. */
bool host_name_is_valid(const char text[HOST_NAME_SIZE]);

/* Whether two names are those of one host: also where one lacks the domain, whatever the case. */
bool host_name_equal(const char *a, const char *b);

/* The name if it is another host's than this one's, else NULL; NULL for "" as well. */
const char *host_name_other(const char *name);

#endif
