/* What the targets share: how a property is claimed, and how an input is taken apart. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's entries. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Ends the run, and libFuzzer keeps the input, unless the property holds. */
#define CLAIM(holds)                                                                               \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "%s:%d: doesn't hold: %s\n", __FILE__, __LINE__, #holds);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What is left of an input. */
struct input {
    const char *p, *end;
};

static inline struct input input_of(const uint8_t *data, size_t size)
{
    return (struct input){(const char *)data, (const char *)data + size};
}

/* 0 at the end. */
static inline uint8_t input_byte(struct input *in)
{
    return in->p < in->end ? (uint8_t)*in->p++ : 0;
}

/* Up to `size` bytes; returns how many there were. */
static inline size_t input_bytes(struct input *in, void *out, size_t size)
{
    size_t left = (size_t)(in->end - in->p), len = size < left ? size : left;
    memcpy(out, in->p, len);
    in->p += len;
    return len;
}

/* Up to the next NUL, in a buffer of exactly that size, which the caller frees. */
static inline char *input_text(struct input *in)
{
    size_t len = strnlen(in->p, (size_t)(in->end - in->p));
    char *text = malloc(len + 1);
    CLAIM(text);
    memcpy(text, in->p, len);
    text[len] = '\0';
    in->p += len + (in->p + len < in->end);
    return text;
}

#endif
