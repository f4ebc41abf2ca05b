/* The escapes of the tables of lines, tests/data/loglines.txt and hostile.txt. */
#ifndef TEST_TABLE_HELP_H
#define TEST_TABLE_HELP_H

#include <stddef.h>
#include <string.h>

/* Replaces them in place and returns the new length. */
static inline size_t unescape(char *text)
{
    static const char from[] = "tnr0s\\", to[] = "\t\n\r\0 \\";
    char *out = text;
    for (const char *p = text; *p; p++) {
        const char *which = *p == '\\' && p[1] ? strchr(from, p[1]) : NULL;
        *out++ = which ? to[which - from] : *p;
        p += which != NULL;
    }
    *out = '\0';
    return (size_t)(out - text);
}

#endif
