/* Heapsort, since it needs neither memory nor luck. */
#include "lib/sort.h"

#include <assert.h>
#include <string.h>

struct heap {
    char *items;
    size_t size;
    int (*compare)(const void *, const void *);
};

/* Item `number` of the heap. */
static char *heap_item(const struct heap *heap, size_t number)
{
    return heap->items + number * heap->size;
}

/* Puts `item` where `hole` is, or as far below as larger items stand there. Items from `count` on
 * are no part of the heap. */
static void heap_sift(const struct heap *heap, size_t hole, size_t count, const char *item)
{
    for (size_t child = 2 * hole + 1; child < count; child = 2 * hole + 1) {
        if (child + 1 < count &&
            heap->compare(heap_item(heap, child), heap_item(heap, child + 1)) < 0)
            child++;
        if (heap->compare(item, heap_item(heap, child)) >= 0)
            break;
        memcpy(heap_item(heap, hole), heap_item(heap, child), heap->size);
        hole = child;
    }
    memcpy(heap_item(heap, hole), item, heap->size);
}

void sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    struct heap heap = {items, size, compare};
    _Alignas(max_align_t) char item[SORT_ITEM_MAX];
    assert(size <= sizeof(item));
    for (size_t i = count / 2; i > 0; i--) {
        memcpy(item, heap_item(&heap, i - 1), size);
        heap_sift(&heap, i - 1, count, item);
    }
    for (size_t left = count; left > 1; left--) {
        memcpy(item, heap_item(&heap, left - 1), size);
        memcpy(heap_item(&heap, left - 1), heap_item(&heap, 0), size);
        heap_sift(&heap, 0, left - 1, item);
    }
}

size_t sort_unique(void *items, size_t count, size_t size,
                   int (*compare)(const void *, const void *))
{
    char *base = items;
    size_t kept = 0;
    sort(items, count, size, compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || compare(base + (kept - 1) * size, base + i * size) != 0)
            memmove(base + kept++ * size, base + i * size, size);
    return kept;
}
