/*
 * What the readers of a line's items have in common: an item is a key and a value, and a blank
 * behind it, which may be missing at the line's end. Pure.
 */
#ifndef LISTENER_ITEMS_H
#define LISTENER_ITEMS_H

#include "listener/scan.h"

/* Where the reading is in the grammar, the same for all items of one packet. */
struct items {
    const char *end;
    bool ulogd;
    bool inner;    /* the packet that an ICMP error quotes, up to its "]" */
    bool fragment; /* a later one: no header of the transport follows */
};

/* "KEY=" number " ": an item that others must follow, so its blank can't have been stripped. */
#define FIELD(p, end, key, max, out) SCAN(scan_number(SCAN(p, end, key), end, max, out), end, " ")

/* Behind an item that may be the line's last: its blank, or the end of the packet. */
static inline const char *item_end(const char *p, const struct items *it)
{
    if (!p || p == it->end)
        return p;
    if (*p == ' ')
        return p + 1;
    return it->inner && *p == ']' ? p : NULL;
}

#define LAST_FIELD(p, it, key, max, out)                                                           \
    item_end(scan_number(SCAN(p, (it)->end, key), (it)->end, max, out), it)

#endif
