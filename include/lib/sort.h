/*
 * Sorting and searching without memory or system calls of its own: what qsort does instead differs
 * from C library to C library (glibc asks for the size of the machine's memory, and allocates).
 * Pure.
 */
#ifndef LIB_SORT_H
#define LIB_SORT_H

#include <stddef.h>

/* The most bytes that one item may have. */
enum { SORT_ITEM_MAX = 64 };

/*
 * Sorts `count` items of `size` bytes at `items` in ascending order, in place, in O(n log n) steps
 * whatever their order is. Equal items may change places.
 */
void sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *));

/* Sorts, and keeps one of each group of equal items, at the front. Returns how many remain. */
size_t sort_unique(void *items, size_t count, size_t size,
                   int (*compare)(const void *, const void *));

#endif
