/*
 * Reads the file of the other knockd line by line, exactly as that does: what it ignores is
 * ignored, what it refuses is noted. A line is cut at 4095 bytes, where the next one begins for it.
 */
#include "knockctl/import_ini.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/grow.h"
#include "lib/log.h"

enum { LINE_MAX_BYTES = 4095, SHOWN_MAX = 120 };

/* `global`: it stands in [options], else in a door. */
static const struct {
    const char *name;
    enum ini_key key;
    bool global;
} keys[] = {
    {"UseSyslog", INI_USESYSLOG, true},      {"LogFile", INI_LOGFILE, true},
    {"PidFile", INI_PIDFILE, true},          {"Interface", INI_INTERFACE, true},
    {"sequence", INI_SEQUENCE, false},       {"one_time_sequences", INI_ONE_TIME, false},
    {"seq_timeout", INI_SEQ_TIMEOUT, false}, {"timeout", INI_SEQ_TIMEOUT, false},
    {"tcpflags", INI_TCPFLAGS, false},       {"target", INI_TARGET, false},
    {"start_command", INI_START, false},     {"command", INI_START, false},
    {"start_command_6", INI_START_6, false}, {"command_6", INI_START_6, false},
    {"cmd_timeout", INI_CMD_TIMEOUT, false}, {"stop_command", INI_STOP, false},
    {"stop_command_6", INI_STOP_6, false},
};

enum { KEY_NAMES = sizeof(keys) / sizeof(*keys) };

/* What is being read. */
struct reading {
    struct ini_file *file;
    unsigned section; /* number of the one that lines belong to */
    bool begun;       /* there was a section */
    int line;
};

static struct ini_section *current(struct reading *r)
{
    return &r->file->sections[r->section];
}

bool ini_note(struct ini_section *section, int line, bool lost, const char *format, ...)
{
    struct ini_note *notes = grow(section->notes, section->note_count, sizeof(*notes));
    if (!notes)
        return false;
    section->notes = notes;
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0)
        return false;
    notes[section->note_count++] = (struct ini_note){line, lost, text};
    return true;
}

const char *ini_key_name(enum ini_key key)
{
    unsigned i = 0;
    while (i < KEY_NAMES - 1 && keys[i].key != key)
        i++;
    return keys[i].name;
}

int ini_number(const char *text, bool *clean)
{
    char *end;
    int value = (int)strtol(text, &end, 10);
    *clean = end > text && end[strspn(end, " \t")] == '\0';
    return value;
}

/* Texts of the file as notes quote them. */
static const char *shown(const char *text, char out[4 * SHOWN_MAX + 8])
{
    size_t len = strlen(text);
    log_encode(text, len < SHOWN_MAX ? len : SHOWN_MAX, out, 4 * SHOWN_MAX + 1);
    if (len > SHOWN_MAX)
        strcat(out, "...");
    return out;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

static bool add_section(struct ini_file *file, const char *name, int line)
{
    struct ini_section *sections = grow(file->sections, file->count, sizeof(*sections));
    if (!sections)
        return false;
    file->sections = sections;
    char *copy = strdup(name);
    if (!copy)
        return false;
    sections[file->count++] = (struct ini_section){.name = copy, .line = line};
    return true;
}

static bool begin_section(struct reading *r, const char *name)
{
    r->begun = true;
    r->section = 0;
    if (strcmp(name, "options") == 0) {
        current(r)->line = r->line;
        return true;
    }
    if (!add_section(r->file, name, r->line))
        return false;
    r->section = r->file->count - 1;
    if (*name == '\0')
        return ini_note(current(r), r->line, false,
                        "a section without a name: knockd 0.8 didn't start with it");
    return strcasecmp(name, "options") != 0 ||
           ini_note(current(r), r->line, false,
                    "[options] is written in lower case; knockd 0.8 took this for a door");
}

/* Flags of several lines add up; of other keys the last one counts, but for the interface. */
static bool set_value(struct reading *r, enum ini_key key, const char *text)
{
    struct ini_section *section = current(r);
    struct ini_value *value = &section->values[key];
    char *copy = NULL;
    if (value->text && key == INI_INTERFACE)
        return ini_note(section, r->line, false, "a second Interface: that of line %d counted",
                        value->line);
    if (value->text && key == INI_TCPFLAGS) {
        if (asprintf(&copy, "%s,%s", value->text, text) < 0)
            copy = NULL;
    } else {
        copy = strdup(text);
    }
    if (!copy)
        return false;
    bool good = !value->text || key == INI_TCPFLAGS || key == INI_USESYSLOG ||
                ini_note(section, r->line, false,
                         "%s of line %d counts no more, since line %d has "
                         "it again",
                         ini_key_name(key), value->line, r->line);
    free(value->text);
    *value = (struct ini_value){copy, r->line};
    return good;
}

static bool refuse(struct reading *r, const char *line, const char *why)
{
    char text[4 * SHOWN_MAX + 8];
    return ini_note(current(r), r->line, true, "\"%s\": %s", shown(line, text), why);
}

static bool read_setting(struct reading *r, char *line)
{
    char *equals = strchr(line, '=');
    char copy[LINE_MAX_BYTES + 1];
    strcpy(copy, line);
    if (equals)
        *equals = '\0';
    const char *name = trim(line), *text = equals ? trim(equals + 1) : "";
    unsigned i = 0;
    while (i < KEY_NAMES && strcasecmp(keys[i].name, name) != 0)
        i++;
    bool syslog = i < KEY_NAMES && keys[i].key == INI_USESYSLOG;
    if (!r->begun)
        return refuse(r, copy, "it stands before the first section, which knockd 0.8 refuses");
    if (i == KEY_NAMES)
        return refuse(r, copy,
                      equals ? "knockd 0.8 knows no such key, and refuses the file"
                             : "it is no KEY = VALUE, and knockd 0.8 refuses the file");
    if (!equals && !syslog)
        return refuse(r, copy, "there is no = behind the key, and knockd 0.8 refuses the file");
    if (keys[i].global != (r->section == 0) && !syslog)
        return refuse(r, copy,
                      keys[i].global ? "the key belongs to [options]"
                                     : "the key belongs to the section of a door");
    if (!syslog)
        return set_value(r, keys[i].key, text);
    unsigned section = r->section;
    r->section = 0;
    bool good = set_value(r, INI_USESYSLOG, text);
    r->section = section;
    return good;
}

static bool read_line(struct reading *r, char *line)
{
    line = trim(line);
    size_t len = strlen(line);
    if (len == 0 || *line == '#')
        return true;
    if (*line != '[' || line[len - 1] != ']')
        return read_setting(r, line);
    line[len - 1] = '\0';
    return begin_section(r, line + 1);
}

/* Takes up to 4095 bytes off *data, a newline and what is before it. */
static size_t take_line(const char *data, size_t len)
{
    size_t most = len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES;
    const char *end = memchr(data, '\n', most);
    return end ? (size_t)(end - data) + 1 : most;
}

static bool read_piece(struct reading *r, const char *data, size_t len)
{
    char line[LINE_MAX_BYTES + 1];
    memcpy(line, data, len);
    line[len] = '\0';
    bool cut = len == LINE_MAX_BYTES && line[len - 1] != '\n';
    bool nul = strlen(line) < len;
    if (!read_line(r, line))
        return false;
    if (cut && !ini_note(current(r), r->line, false,
                         "the line is longer than 4095 bytes; knockd 0.8 takes what is behind them "
                         "for another line"))
        return false;
    return !nul || ini_note(current(r), r->line, false,
                            "a NUL byte; knockd 0.8 doesn't read what is behind it on the line");
}

bool ini_read(const char *data, size_t len, struct ini_file *out)
{
    struct reading r = {.file = out, .line = 1};
    *out = (struct ini_file){0};
    if (!add_section(out, "options", 0))
        return false;
    if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        data += 3;
        len -= 3;
        if (!ini_note(current(&r), 1, false,
                      "the file begins with a byte order mark, which knockd 0.8 doesn't know"))
            return false;
    }
    while (len > 0) {
        size_t piece = take_line(data, len);
        if (!read_piece(&r, data, piece))
            return false;
        r.line += data[piece - 1] == '\n';
        data += piece;
        len -= piece;
    }
    return true;
}

void ini_free(struct ini_file *file)
{
    for (unsigned i = 0; i < file->count; i++) {
        struct ini_section *section = &file->sections[i];
        for (unsigned k = 0; k < INI_KEYS; k++)
            free(section->values[k].text);
        for (unsigned k = 0; k < section->note_count; k++)
            free(section->notes[k].text);
        free(section->notes);
        free(section->name);
    }
    free(file->sections);
    *file = (struct ini_file){0};
}
