#include "keeper/once.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/carrier.h"
#include "lib/log.h"

enum { LINE_LONGEST = 1024 };

/* What is being read, and where. */
struct reader {
    const struct config_door *door;
    unsigned index; /* of the door */
    unsigned span;  /* first port of those that carry sealed knocks; 0: there are none */
    struct config_pos pos;
    struct once *once;
    struct report *report;
};

static char *canonical(const struct sequence *sequence)
{
    char text[STEPS_MAX * 10 + 1];
    size_t used = 0;
    for (unsigned i = 0; i < sequence->count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u:%s", i ? "," : "",
                                 sequence->steps[i].port, proto_name(sequence->steps[i].proto));
    return strdup(text);
}

static bool carries_sealed(const struct reader *r, const struct sequence *sequence)
{
    for (unsigned i = 0; r->span && i < sequence->count; i++)
        if (carrier_has((uint16_t)r->span, sequence->steps[i].proto, sequence->steps[i].port))
            return true;
    return false;
}

static bool add_line(struct reader *r, const struct sequence *sequence)
{
    struct once *once = r->once;
    if (once->count == ONCE_LINES_MAX) {
        report_error(r->report, r->pos, "more than %d one-time sequences in all: remove some",
                     ONCE_LINES_MAX);
        return false;
    }
    struct once_line *lines = realloc(once->lines, (once->count + 1) * sizeof(*lines));
    if (lines)
        once->lines = lines;
    char *text = lines ? canonical(sequence) : NULL;
    if (!text) {
        report_error(r->report, r->pos, "out of memory");
        return false;
    }
    struct once_line *line = &lines[once->count++];
    line->door = r->index;
    line->sequence = *sequence;
    line->text = text;
    return true;
}

static bool read_line(struct reader *r, char *text)
{
    struct sequence sequence = {0};
    const char *why;
    if (!strchr(text, '\n') && strlen(text) >= LINE_LONGEST - 1) {
        report_error(r->report, r->pos, "the line is longer than %d characters", LINE_LONGEST - 2);
        return false;
    }
    text[strcspn(text, "\r\n")] = '\0';
    text += strspn(text, " \t");
    if (*text == '\0' || *text == '#')
        return true;
    if (!sequence_append(&sequence, text, &why)) {
        report_error(r->report, r->pos, "\"%.80s\" is no sequence: %s", text, why);
        return false;
    }
    if (carries_sealed(r, &sequence)) {
        report_error(
            r->report, r->pos,
            "\"%.80s\" uses a port from %u to %u, which carry sealed knocks: choose others", text,
            r->span, r->span + CARRIER_SPAN_SIZE - 1);
        return false;
    }
    return add_line(r, &sequence);
}

/* It is a list of keys: whoever can read it can open the door, whoever can write it as well. */
static FILE *open_file(struct reader *r)
{
    struct stat st;
    int fd = open(r->door->once_path.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        report_error(r->report, r->door->once_path.pos, "one_time_sequences: can't read %s: %s",
                     r->door->once_path.text, fd < 0 ? strerror(errno) : "not a regular file");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    if (st.st_mode & 077)
        report_warning(r->report, r->door->once_path.pos,
                       "one_time_sequences: others may read or write %s: chmod 600 it",
                       r->door->once_path.text);
    return fdopen(fd, "r");
}

static bool read_file(struct reader *r)
{
    FILE *file = open_file(r);
    char line[LINE_LONGEST];
    bool good = file != NULL;
    r->pos = (struct config_pos){r->door->once_path.text, 0};
    while (good && fgets(line, sizeof(line), file)) {
        r->pos.line++;
        good = read_line(r, line);
    }
    if (file)
        fclose(file);
    return good;
}

bool once_load(const struct config *config, struct once *once, struct report *report)
{
    bool good = true;
    *once = (struct once){0};
    for (unsigned i = 0; i < config->door_count; i++) {
        struct reader r = {.door = &config->doors[i],
                           .index = i,
                           .span = config->sealed.span,
                           .once = once,
                           .report = report};
        if (r.door->once_path.text && !read_file(&r))
            good = false;
    }
    return good;
}

void once_free(struct once *once)
{
    for (unsigned i = 0; i < once->count; i++)
        free(once->lines[i].text);
    free(once->lines);
    *once = (struct once){0};
}

/* Counts the unused lines of the same door before `index`; -1 if one can't be looked up. */
static int unused_before(const struct once *once, unsigned index, const char *door,
                         struct store *store)
{
    int unused = 0;
    for (unsigned i = 0; i < index && unused < ONCE_AHEAD; i++) {
        if (once->lines[i].door != once->lines[index].door)
            continue;
        int used = store_once_used(store, door, once->lines[i].text);
        if (used < 0)
            return -1;
        unused += !used;
    }
    return unused;
}

/* Says so before the last one is gone. */
static void warn_of_end(const struct once *once, unsigned index, const char *door)
{
    unsigned left = 0;
    for (unsigned i = index + 1; i < once->count; i++)
        left += once->lines[i].door == once->lines[index].door;
    if (left == 0)
        log_warning("door %s: its last one-time sequence was used; add new ones and reload", door);
    else if (left < 5)
        log_warning("door %s: %u one-time sequences are left", door, left);
}

int once_spend(const struct once *once, unsigned index, const struct config *config,
               struct store *store, const char **why)
{
    const struct once_line *line = &once->lines[index];
    const char *door = config->doors[line->door].name;
    int64_t now = time(NULL);
    int used = store_once_used(store, door, line->text);
    int before = used == 0 ? unused_before(once, index, door, store) : 0;
    *why = used > 0               ? "that one-time sequence is used up"
           : before >= ONCE_AHEAD ? "that one-time sequence is too far ahead of the next unused one"
                                  : "the use of its one-time sequence can't be recorded";
    if (used != 0 || before < 0 || before >= ONCE_AHEAD)
        return -1;
    for (unsigned i = 0; i <= index; i++)
        if (once->lines[i].door == line->door &&
            store_once_use(store, door, once->lines[i].text, now) < 0)
            return -1;
    if (store_commit(store) < 0)
        return -1;
    warn_of_end(once, index, door);
    return 0;
}

void once_warn(const struct once *once, const struct config *config, struct store *store)
{
    for (unsigned door = 0; door < config->door_count; door++) {
        const char *name = config->doors[door].name;
        bool unused = config->doors[door].once_path.text == NULL;
        for (unsigned i = 0; !unused && i < once->count; i++)
            unused = once->lines[i].door == door &&
                     store_once_used(store, name, once->lines[i].text) == 0;
        if (!unused)
            log_warning("door %s: all of its one-time sequences are used up; add new ones and "
                        "reload",
                        name);
    }
}
