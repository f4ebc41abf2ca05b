/* Checks, copies and compares the names of hosts that stand in lines of logs. */
#include "lib/host_name.h"

#include <string.h>
#include <strings.h>

bool host_name_has(char ch)
{
    unsigned letter = ((unsigned char)ch | 0x20u) - 'a';
    return letter < 26 || (ch >= '-' && ch <= ':' && ch != '/') || ch == '_';
}

void host_name_copy(const char *name, size_t len, char out[HOST_NAME_SIZE])
{
    memset(out, 0, HOST_NAME_SIZE);
    for (size_t i = 0; i < len; i++)
        if (!host_name_has(name[i]))
            return;
    if (len == 1 && *name == '-')
        return;
    if (len > 0)
        memcpy(out, name, len < HOST_NAME_SIZE ? len : HOST_NAME_SIZE - 1);
}

bool host_name_is_valid(const char text[HOST_NAME_SIZE])
{
    size_t len = 0;
    while (len < HOST_NAME_SIZE && host_name_has(text[len]))
        len++;
    if (len == HOST_NAME_SIZE)
        return false;
    for (size_t i = len; i < HOST_NAME_SIZE; i++)
        if (text[i] != '\0')
            return false;
    return true;
}

bool host_name_equal(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), common = a_len < b_len ? a_len : b_len;
    if (common == 0 || strncasecmp(a, b, common) != 0)
        return false;
    return a_len == b_len || (a_len < b_len ? b : a)[common] == '.';
}
