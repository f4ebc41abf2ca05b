/* An array that grows item by item, and doubles its room when that is used up. */
#ifndef LIB_GROW_H
#define LIB_GROW_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * Makes room for one more item of `size` bytes behind the `count` items at `items`, all of which
 * were added with this. Returns where they are now; NULL when memory is short, and *items stays.
 */
static inline void *grow(void *items, size_t count, size_t size)
{
    if (items && (count & (count - 1)) != 0)
        return items;
    return count > SIZE_MAX / 2 / size ? NULL : realloc(items, (count ? 2 * count : 1) * size);
}

#endif
