/*
 * Doubly linked lists of numbered entries, in an array that the caller owns. The head of a list is
 * a number like any other, beyond those of the entries. Pure.
 */
#ifndef LISTENER_LINKS_H
#define LISTENER_LINKS_H

#include <stdint.h>

struct link {
    uint32_t prev, next;
};

/* Makes `head` an empty list. */
static inline void links_begin(struct link *links, uint32_t head)
{
    links[head] = (struct link){head, head};
}

/* Takes `node` out of the list that it is in. */
static inline void links_remove(struct link *links, uint32_t node)
{
    struct link link = links[node];
    links[link.prev].next = link.next;
    links[link.next].prev = link.prev;
}

/* Puts `node`, which is in no list, to the front. */
static inline void links_push(struct link *links, uint32_t head, uint32_t node)
{
    uint32_t front = links[head].next;
    links[node] = (struct link){.prev = head, .next = front};
    links[front].prev = node;
    links[head].next = node;
}

/* The entry at the back; `head` itself when there is none. */
static inline uint32_t links_last(const struct link *links, uint32_t head)
{
    return links[head].prev;
}

#endif
