/*
 * Section by section: each setting is read as the other knockd does, written as ours, and told of
 * by a comment right above it where a reader should look. A door that can't be had as it was is
 * left out as a whole, its lines kept as comments.
 */
#include "knockctl/import_convert.h"

#include <ctype.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/import_door.h"
#include "lib/config.h"

/* --- sections before the doors --- */

static void put_head(struct import *im)
{
    char shown[IMPORT_SHOWN_SIZE];
    fprintf(im->out, "# Made by `knockctl import` from %s, the file of another knockd.\n",
            import_shown(im->setting->name, shown));
    fputs("# LOOK marks what needs a look, NOT CONVERTED what was left out. Check the file by\n"
          "# `knockd -t -c FILE`. For all doors this is new:\n"
          "# - A knock at an open door makes it stay open for longer, and runs no start_command.\n"
          "# - The exit statuses of commands count: a stop_command that fails is tried again.\n"
          "# - Other packets between two knocks may break a sequence, so a scan opens nothing;\n"
          "#   see strays in knockd.conf(5).\n"
          "# - On a router, packets that pass through count, too, unless a door has target.\n\n",
          im->out);
}

static void put_logs(struct import *im, const struct ini_section *options)
{
    static const struct {
        enum ini_key key;
        const char *instead;
    } gone[] = {
        {INI_USESYSLOG, "knockd always logs to syslog; the key facility says as what"},
        {INI_LOGFILE, "knockd logs to syslog, and in the foreground to standard error; under "
                      "systemd, `journalctl -u knockd` shows it"},
        {INI_PIDFILE, "there is no pid file; `pgrep -o -x knockd` finds the process, and a lock in "
                      "state_dir decides that knockd runs once"},
    };
    char shown[IMPORT_SHOWN_SIZE];
    bool any = false;
    for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++) {
        const struct ini_value *value = &options->values[gone[i].key];
        if (!value->text)
            continue;
        char *text = NULL;
        if (asprintf(&text, "%s%s%s: %s", ini_key_name(gone[i].key), *value->text ? " = " : "",
                     import_shown(value->text, shown), gone[i].instead) < 0) {
            im->no_memory = true;
            continue;
        }
        import_comment(im->out, im->indent, text);
        free(text);
        any = true;
    }
    if (any)
        fputc('\n', im->out);
}

/* As the configuration takes it. */
static bool is_interface(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len >= IF_NAMESIZE || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        name[len - 1] == '+')
        return false;
    for (const char *p = name; *p; p++)
        if (!isgraph((unsigned char)*p) || strchr("/:@*?,", *p))
            return false;
    return true;
}

static void put_source(struct import *im, const struct ini_section *options)
{
    const char *option = im->setting->interface;
    struct ini_value value = options->values[INI_INTERFACE];
    char shown[IMPORT_SHOWN_SIZE];
    fputs("source \"wire\" {\n    type      = pcap\n", im->out);
    im->indent = "    ";
    if (option && value.text)
        import_look(im, value.line, "Interface = %s didn't count, since knockd was started with -i",
                    import_shown(value.text, shown));
    char *name = option       ? strdup(option)
                 : value.text ? import_clean(im, &value, INI_INTERFACE)
                              : strdup("eth0");
    if (!name) {
        im->no_memory = true;
        return;
    }
    char *label = strchr(name, ':');
    if (label && label > name) {
        import_look(im, value.line, "%s is a label of an address; its interface is written here",
                    import_shown(name, shown));
        *label = '\0';
    }
    if (!option && !value.text)
        import_look(im, 0, "no interface was named, so knockd 0.8 heard eth0");
    if (is_interface(name)) {
        fputs("    interface = ", im->out);
        import_value(im->out, name);
    } else {
        import_lose(im, value.line, "interface \"%s\" is none; any is written here",
                    import_shown(name, shown));
        fputs("    interface = any", im->out);
    }
    fputs("\n}\n", im->out);
    im->indent = "";
    free(name);
}

static void put_notes(struct import *im, const struct ini_section *section)
{
    for (unsigned i = 0; i < section->note_count; i++) {
        const struct ini_note *note = &section->notes[i];
        if (note->lost)
            import_lose(im, note->line, "%s", note->text);
        else
            import_look(im, note->line, "%s", note->text);
    }
}

/* A command that takes longer is killed, so that what it opened would stay open. */
static void put_run_timeout(struct import *im)
{
    enum { DEFAULT = 10, MOST = 600 };
    if (im->sleeps == 0)
        return;
    unsigned seconds = im->sleeps + DEFAULT;
    import_look(im, 0,
                "commands sleep, which this gives them the time for; better have the door "
                "closed by stop_command after cmd_timeout");
    if (seconds > MOST)
        import_look(im, 0,
                    "one sleeps for longer than the 10 minutes that a command may take at "
                    "most; it is killed then");
    fprintf(im->out, "run_timeout = %us\n\n", seconds > MOST ? MOST : seconds);
}

static void put_setting(struct import *im)
{
    char shown[IMPORT_SHOWN_SIZE];
    if (im->setting->unclear)
        import_look(im, 0,
                    "the options in KNOCKD_OPTS hold what only a shell knows: see that "
                    "interface is right");
    if (im->setting->file)
        import_look(im, 0, "knockd was started with -c %s: import that file, if this isn't it",
                    import_shown(im->setting->file, shown));
}

/* --- doors --- */

/* Each gets a name that ours takes and that no other door has. */
static void name_doors(struct import *im)
{
    for (unsigned i = 0; i < im->door_count; i++) {
        struct import_door *door = &im->doors[i];
        const char *name = door->ini->name;
        size_t len = 0;
        for (; *name && len < sizeof(door->name) - 8; name++)
            door->name[len++] =
                (char)(isalnum((unsigned char)*name) || strchr("_.-", *name) ? *name : '-');
        door->name[len] = '\0';
        if (len == 0)
            strcpy(door->name, "door");
        if (*door->name == '-')
            *door->name = '_';
        len = strlen(door->name);
        for (unsigned n = i + 1, k = 0; k < i;) {
            if (strcmp(im->doors[k].name, door->name) != 0) {
                k++;
                continue;
            }
            snprintf(door->name + len, sizeof(door->name) - len, "-%u", n++);
            k = 0;
        }
    }
}

static void put_lost_door(struct import *im, const struct import_door *door)
{
    char shown[IMPORT_SHOWN_SIZE];
    fprintf(im->out, "# [%s]\n", import_shown(door->ini->name, shown));
    for (int key = 0; key < INI_KEYS; key++)
        if (door->ini->values[key].text)
            fprintf(im->out, "#     %s = %s\n", ini_key_name((enum ini_key)key),
                    import_shown(door->ini->values[key].text, shown));
}

/* Tries to write it: that tells whether it can be had. */
static bool try_door(struct import *im, struct import_door *door)
{
    char *text = NULL;
    size_t size;
    FILE *out = im->out, *scratch = open_memstream(&text, &size);
    if (!scratch)
        return false;
    im->out = scratch;
    im->quiet = true;
    import_door_put(im, door);
    im->quiet = false;
    im->out = out;
    bool good = fclose(scratch) == 0;
    free(text);
    return good;
}

static void put_door(struct import *im, struct import_door *door)
{
    char shown[IMPORT_SHOWN_SIZE];
    fputc('\n', im->out);
    put_notes(im, door->ini);
    if (!door->why[0]) {
        import_door_put(im, door);
        return;
    }
    import_lose(im, door->why_line > 0 ? door->why_line : door->ini->line, "[%s] is left out: %s",
                import_shown(door->ini->name, shown), door->why);
    put_lost_door(im, door);
}

static bool put_doors(struct import *im)
{
    name_doors(im);
    for (unsigned i = 0; i < im->door_count; i++) {
        struct import_door *door = &im->doors[i];
        if (!import_door_read(im, door) || (!door->why[0] && !try_door(im, door)))
            return false;
        im->result->doors += !door->why[0];
    }
    import_doors_pair(im);
    for (unsigned i = 0; i < im->door_count; i++)
        put_door(im, &im->doors[i]);
    return true;
}

static bool convert(struct import *im, const struct ini_file *file, FILE *out)
{
    char *doors = NULL;
    size_t size;
    im->out = open_memstream(&doors, &size);
    if (!im->out)
        return false;
    bool good = put_doors(im);
    good &= fclose(im->out) == 0;
    im->out = out;
    if (good) {
        put_head(im);
        put_setting(im);
        put_notes(im, &file->sections[0]);
        put_logs(im, &file->sections[0]);
        put_run_timeout(im);
        put_source(im, &file->sections[0]);
        if (file->count - 1 > im->door_count)
            import_lose(im, file->sections[im->door_count + 1].line,
                        "more than %d doors: what follows is left out", CONFIG_DOORS_MAX);
        if (im->result->doors == 0)
            import_lose(im, 1, "no section is left that could be a door");
        fwrite(doors, 1, size, out);
    }
    free(doors);
    return good && !im->no_memory;
}

bool import_convert(const struct ini_file *file, const struct import_setting *setting, FILE *out,
                    FILE *errors, struct import_result *result)
{
    struct import im = {.setting = setting,
                        .errors = errors,
                        .indent = "",
                        .result = result,
                        .door_count =
                            file->count - 1 < CONFIG_DOORS_MAX ? file->count - 1 : CONFIG_DOORS_MAX,
                        .doors = calloc(file->count, sizeof(*im.doors))};
    *result = (struct import_result){0};
    for (unsigned i = 0; im.doors && i < im.door_count; i++)
        im.doors[i].ini = &file->sections[i + 1];
    bool good = im.doors && convert(&im, file, out);
    for (unsigned i = 0; im.doors && i < im.door_count; i++)
        import_door_free(&im.doors[i]);
    free(im.doors);
    return good;
}
