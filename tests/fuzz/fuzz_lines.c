/*
 * Bytes into lines: however they are cut to pieces, the lines are those of a plain reading. The
 * first four bytes are the sizes of the pieces, in turn; then a byte 0xff and another one stand
 * for a long run of the latter, so that lines get too long.
 */
#include "fuzz.h"

#include "listener/lines.h"

enum { RUN = 3000, TEXT_MAX = 60000 };

static char text[TEXT_MAX];
static struct lines lines;

/* Where the plain reading stands. */
struct plain {
    const char *p, *end;
    uint64_t too_long;
};

static size_t expand(struct input *in)
{
    size_t len = 0;
    while (in->p < in->end) {
        int byte = input_byte(in), run = 1;
        if (byte == 0xff) {
            byte = input_byte(in);
            run = RUN;
        }
        if (len + (size_t)run > TEXT_MAX)
            break;
        memset(text + len, byte, (size_t)run);
        len += (size_t)run;
    }
    return len;
}

/* The next line that is to be told of; NULL if there is none. NULs before a line are a hole. */
static const char *next_line(struct plain *plain, size_t *len)
{
    const char *newline;
    while ((newline = memchr(plain->p, '\n', (size_t)(plain->end - plain->p)))) {
        const char *start = plain->p;
        while (start < newline && *start == '\0')
            start++;
        plain->p = newline + 1;
        *len = (size_t)(newline - start);
        if (*len <= LINES_LONGEST)
            return start;
        plain->too_long++;
    }
    return NULL;
}

static void claim_line(struct plain *plain, const char *line, size_t len)
{
    size_t expected_len = 0;
    const char *expected = next_line(plain, &expected_len);
    CLAIM(expected && len == expected_len && memcmp(line, expected, len) == 0);
}

/* A line that isn't whole yet may be known to be too long already. */
static bool rest_is_too_long(const struct plain *plain)
{
    const char *start = plain->p;
    while (start < plain->end && *start == '\0')
        start++;
    return plain->end - start > LINES_LONGEST;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    uint8_t pieces[4] = {0};
    input_bytes(&in, pieces, sizeof(pieces));
    size_t len = expand(&in), rest_len;
    struct plain plain = {.p = text, .end = text + len};
    lines_reset(&lines, false);
    lines.too_long = 0;
    for (size_t done = 0, i = 0; done < len; i++) {
        size_t piece = 1 + (size_t)pieces[i % 4] * pieces[i % 4], room;
        char *into = lines_room(&lines, &room);
        CLAIM(room > 0);
        piece = piece < room ? piece : room;
        piece = piece < len - done ? piece : len - done;
        memcpy(into, text + done, piece);
        done += piece;
        const char *line;
        size_t line_len;
        lines_add(&lines, piece);
        while (lines_next(&lines, &line, &line_len))
            claim_line(&plain, line, line_len);
    }
    CLAIM(!next_line(&plain, &rest_len));
    CLAIM(lines.too_long == plain.too_long + rest_is_too_long(&plain));
    return 0;
}
