/*
 * Reads the files of one-time sequences, and knows which lines of them are used up: asked of the
 * store once, remembered here.
 */
#include "keeper/one_time.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/carrier.h"
#include "lib/config_file.h"
#include "lib/grow.h"
#include "lib/log.h"
#include "lib/service.h"

enum { LINE_LONGEST = 1024 };

static const char used_up[] = "that one-time sequence is used up";

/* What is being read, and where. */
struct reader {
    const struct config_door *door;
    unsigned index;       /* of the door */
    unsigned span;        /* first port of those that carry sealed knocks; 0: there are none */
    unsigned packet_port; /* the UDP port that takes them in one packet */
    struct config_pos pos;
    struct one_time *one_time;
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
    for (unsigned i = 0; r->span && i < sequence->count; i++) {
        struct port_proto step = sequence->steps[i];
        if (carrier_has((uint16_t)r->span, step.proto, step.port) ||
            (step.proto == IPPROTO_UDP && step.port == r->packet_port))
            return true;
    }
    return false;
}

static bool add_line(struct reader *r, const struct sequence *sequence)
{
    struct one_time *one_time = r->one_time;
    if (one_time->count == ONE_TIME_LINES_MAX) {
        report_error(r->report, r->pos, "more than %d one-time sequences in all: remove some",
                     ONE_TIME_LINES_MAX);
        return false;
    }
    struct one_time_line *lines = grow(one_time->lines, one_time->count, sizeof(*lines));
    if (lines)
        one_time->lines = lines;
    char *text = lines ? canonical(sequence) : NULL;
    if (!text) {
        report_error(r->report, r->pos, "out of memory");
        return false;
    }
    unsigned index = one_time->count++;
    bool begins = index == 0 || lines[index - 1].door != r->index;
    unsigned first = begins ? index : lines[index - 1].first;
    lines[index] = (struct one_time_line){.door = r->index,
                                          .first = first,
                                          .unused = first,
                                          .line = r->pos.line,
                                          .sequence = *sequence,
                                          .text = text};
    return true;
}

/* Without the end of the line, which on other systems begins with a CR. */
static bool read_line(struct reader *r, char *text, size_t len)
{
    struct sequence sequence = {0};
    const char *why;
    if (strlen(text) < len) {
        report_error(r->report, r->pos, "the line has a NUL byte: expected text");
        return false;
    }
    if (len > 0 && text[len - 1] == '\r')
        text[--len] = '\0';
    if (len >= LINE_LONGEST - 1) {
        report_error(r->report, r->pos, "the line is longer than %d characters", LINE_LONGEST - 2);
        return false;
    }
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
            "\"%.80s\" uses a port from %u to %u, or %u:udp, which carry sealed knocks: choose others",
            text, r->span, r->span + CARRIER_SPAN_SIZE - 1, r->packet_port);
        return false;
    }
    return add_line(r, &sequence);
}

/* It is a list of keys: who can write it can open the door, and who can read it as well. */
static bool read_whole(struct reader *r, struct config_file *file)
{
    static const struct config_file_rule rule = {
        .what = "the file of one-time sequences", .forbidden = 022, .advice = "chmod 600 it"};
    const char *path = r->door->once_path.text, *why;
    if (!config_file_read_list(path, file, &why)) {
        report_error(r->report, r->door->once_path.pos, "one_time_sequences: can't read %s: %s%s",
                     path, why, service_note(path));
        return false;
    }
    if (config_file_trusted(file, &rule, r->pos, r->report)) {
        if (file->mode & 044)
            report_warning(r->report, r->door->once_path.pos,
                           "one_time_sequences: others may read %s (mode %04o): chmod 600 it", path,
                           file->mode);
        return true;
    }
    config_file_free(file);
    return false;
}

static bool read_lines(struct reader *r, const struct config_file *file)
{
    const char *next = file->data, *end = file->data + file->len;
    char line[LINE_LONGEST];
    bool good = true;
    while (good && next < end) {
        const char *stop = memchr(next, '\n', (size_t)(end - next));
        size_t len = (size_t)((stop ? stop : end) - next);
        len = len < sizeof(line) ? len : sizeof(line) - 1;
        memcpy(line, next, len);
        line[len] = '\0';
        next = stop ? stop + 1 : end;
        r->pos.line++;
        good = read_line(r, line, len);
    }
    return good;
}

static bool read_file(struct reader *r)
{
    struct config_file file;
    r->pos = (struct config_pos){r->door->once_path.text, 0};
    if (!read_whole(r, &file))
        return false;
    bool good = read_lines(r, &file);
    config_file_free(&file);
    return good;
}

static bool opens_by_scan(const struct sequence *sequence)
{
    return sequence_different(sequence) < STEPS_SAFE;
}

/* One warning for the lines from `first` on: of the first, and how many there are. */
static void warn_of_scans(const struct reader *r, unsigned first)
{
    const struct one_time *one_time = r->one_time;
    unsigned count = 0;
    struct config_pos pos = r->pos;
    for (unsigned i = first; i < one_time->count; i++)
        if (opens_by_scan(&one_time->lines[i].sequence) && count++ == 0)
            pos.line = one_time->lines[i].line;
    if (count > 0)
        report_warning(r->report, pos,
                       "door \"%s\": one-time sequences of fewer than 3 different steps are opened "
                       "by many port scans: add steps (this line is the first of %u)",
                       r->door->name, count);
}

static int by_text(const void *a, const void *b)
{
    const struct one_time_line *one = *(const struct one_time_line *const *)a;
    const struct one_time_line *other = *(const struct one_time_line *const *)b;
    int order = strcmp(one->text, other->text);
    return order ? order : (one->line > other->line) - (one->line < other->line);
}

/* Warns of the first line that repeats an earlier one of `lines`, which are in order. */
static void warn_of_first_equal(const struct reader *r, const struct one_time_line *const *lines,
                                unsigned count)
{
    const struct one_time_line *first = NULL, *second = NULL;
    for (unsigned i = 1; i < count; i++)
        if (strcmp(lines[i - 1]->text, lines[i]->text) == 0 &&
            (!second || lines[i]->line < second->line)) {
            first = lines[i - 1];
            second = lines[i];
        }
    if (second)
        report_warning(
            r->report, (struct config_pos){r->pos.file, second->line},
            "door \"%s\": this one-time sequence is that of line %d as well, and used up "
            "with it: write another one",
            r->door->name, first->line);
}

static void warn_of_equals(const struct reader *r, unsigned first)
{
    unsigned count = r->one_time->count - first;
    const struct one_time_line **lines = calloc(count + 1, sizeof(const struct one_time_line *));
    if (!lines)
        return;
    for (unsigned i = 0; i < count; i++)
        lines[i] = &r->one_time->lines[first + i];
    qsort(lines, count, sizeof(*lines), by_text);
    warn_of_first_equal(r, lines, count);
    free(lines);
}

/* Reads the file of the door, if it has one, and says what is doubtful in it. */
static bool load_door(struct reader *r)
{
    unsigned first = r->one_time->count;
    if (!r->door->once_path.text)
        return true;
    if (!read_file(r))
        return false;
    warn_of_scans(r, first);
    warn_of_equals(r, first);
    return true;
}

bool one_time_load(const struct config *config, struct one_time *one_time, struct report *report)
{
    bool good = true;
    *one_time = (struct one_time){0};
    for (unsigned i = 0; i < config->door_count; i++) {
        struct reader r = {.door = &config->doors[i],
                           .index = i,
                           .span = config->sealed.span,
                           .packet_port = config->sealed.packet_port,
                           .one_time = one_time,
                           .report = report};
        good &= load_door(&r);
    }
    return good;
}

void one_time_free(struct one_time *one_time)
{
    for (unsigned i = 0; i < one_time->count; i++)
        free(one_time->lines[i].text);
    free(one_time->lines);
    *one_time = (struct one_time){0};
}

unsigned one_time_door(const struct one_time *one_time, unsigned doors, uint32_t number)
{
    if (number < doors)
        return number;
    number -= doors;
    return one_time && number < one_time->count ? one_time->lines[number].door : doors;
}

/* Line `index` is used up. */
static void note_used(struct one_time *one_time, unsigned index)
{
    struct one_time_line *first = &one_time->lines[one_time->lines[index].first];
    one_time->lines[index].used = true;
    while (first->unused < one_time->count && one_time->lines[first->unused].door == first->door &&
           one_time->lines[first->unused].used)
        first->unused++;
}

int one_time_recall(struct one_time *one_time, const struct config *config, struct store *store)
{
    for (unsigned i = 0; !one_time->known && i < one_time->count; i++) {
        const struct one_time_line *line = &one_time->lines[i];
        int used = store_once_used(store, config->doors[line->door].name, line->text);
        if (used < 0)
            return -1;
        if (used > 0)
            note_used(one_time, i);
    }
    one_time->known = true;
    return 0;
}

/* The first line of the door of `index` that isn't used up; it may be one after the door's last. */
static unsigned first_unused(const struct one_time *one_time, unsigned index)
{
    return one_time->lines[one_time->lines[index].first].unused;
}

const char *one_time_refuse(const struct one_time *one_time, unsigned index)
{
    unsigned before = 0;
    if (one_time->lines[index].used)
        return used_up;
    for (unsigned i = first_unused(one_time, index); i < index && before < ONE_TIME_AHEAD; i++)
        before += !one_time->lines[i].used;
    return before < ONE_TIME_AHEAD
               ? NULL
               : "that one-time sequence is too far ahead of the next unused one";
}

/* Says so before the last one is gone. */
static void warn_of_end(const struct one_time *one_time, unsigned index, const char *door)
{
    unsigned left = 0;
    for (unsigned i = index + 1; i < one_time->count; i++)
        left += one_time->lines[i].door == one_time->lines[index].door;
    if (left == 0)
        log_warning("door %s: its last one-time sequence was used; add new ones and reload", door);
    else if (left < 5)
        log_warning("door %s: %u one-time sequence%s left", door, left,
                    left == 1 ? " is" : "s are");
}

bool one_time_record(struct one_time *one_time, const struct config *config, struct store *store)
{
    unsigned unrecorded = 0;
    int64_t now = time(NULL);
    for (unsigned i = 0; i < one_time->count; i++) {
        const struct one_time_line *line = &one_time->lines[i];
        if (!line->unrecorded)
            continue;
        unrecorded++;
        if (store_once_use(store, config->doors[line->door].name, line->text, now) < 0)
            return false;
    }
    if (unrecorded > 0 && store_commit(store) < 0)
        return false;
    for (unsigned i = 0; unrecorded > 0 && i < one_time->count; i++)
        one_time->lines[i].unrecorded = false;
    return true;
}

/* A line that is twice in the file is used up by its first use. */
const char *one_time_spend(struct one_time *one_time, unsigned index, const struct config *config,
                           struct store *store)
{
    const char *door = config->doors[one_time->lines[index].door].name;
    int rc = store_once_use(store, door, one_time->lines[index].text, time(NULL));
    if (rc > 0) {
        /* It began a transaction all the same. */
        store_commit(store);
        note_used(one_time, index);
        return used_up;
    }
    for (unsigned i = one_time->lines[index].first; i <= index; i++) {
        struct one_time_line *line = &one_time->lines[i];
        line->unrecorded |= !line->used;
        note_used(one_time, i);
    }
    if (rc < 0 || !one_time_record(one_time, config, store))
        return "the use of its one-time sequence can't be recorded";
    warn_of_end(one_time, index, door);
    return NULL;
}

void one_time_follow(struct one_time *one_time, const struct config *config,
                     const struct one_time *before, const struct config *config_before)
{
    for (unsigned i = 0; i < before->count; i++) {
        const struct one_time_line *old = &before->lines[i];
        const char *door = config_before->doors[old->door].name;
        for (unsigned j = 0; old->unrecorded && j < one_time->count; j++) {
            struct one_time_line *line = &one_time->lines[j];
            if (strcmp(line->text, old->text) != 0 ||
                strcmp(config->doors[line->door].name, door) != 0)
                continue;
            line->unrecorded = true;
            note_used(one_time, j);
        }
    }
}

void one_time_warn(struct one_time *one_time, const struct config *config, struct store *store)
{
    if (one_time_recall(one_time, config, store) < 0)
        log_error("%s", store_error(store));
    for (unsigned door = 0; one_time->known && door < config->door_count; door++) {
        bool unused = config->doors[door].once_path.text == NULL;
        for (unsigned i = 0; !unused && i < one_time->count; i++)
            unused = one_time->lines[i].door == door && !one_time->lines[i].used;
        if (!unused)
            log_warning("door %s: all of its one-time sequences are used up; add new ones and "
                        "reload",
                        config->doors[door].name);
    }
}
