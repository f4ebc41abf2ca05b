/*
 * A door of the other knockd: read first, so that what can't be had is known before doors name each
 * other; then written.
 */
#include "knockctl/import_door.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/addr.h"
#include "lib/command_words.h"
#include "lib/config.h"
#include "lib/inverse.h"

enum { HOUR = 3600, DAY = 86400, ONE_TIME_LINE_MAX = 1022 };

static const enum ini_key command_keys[IMPORT_COMMANDS] = {
    [IMPORT_START] = INI_START,
    [IMPORT_STOP] = INI_STOP,
    [IMPORT_START_6] = INI_START_6,
    [IMPORT_STOP_6] = INI_STOP_6,
};

/* Leaves the door out, since the value of `key` won't do. */
static void lose(struct import_door *door, enum ini_key key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void lose(struct import_door *door, enum ini_key key, const char *format, ...)
{
    va_list args;
    if (door->why[0])
        return;
    va_start(args, format);
    vsnprintf(door->why, sizeof(door->why), format, args);
    va_end(args);
    door->why_line = door->ini->values[key].line;
}

static const char *text_of(const struct import_door *door, enum ini_key key)
{
    return door->ini->values[key].text;
}

/* Whether there is a command; an empty one is none. */
static bool has(const struct import_door *door, enum ini_key key)
{
    const char *text = text_of(door, key);
    return text && *text;
}

/* --- the sequence, as knockd 0.8 reads it --- */

/* Copies the field up to one of `ends` off *text. False at the end of the text. */
static bool take_field(const char **text, const char *ends, char *out, size_t size)
{
    if (!*text)
        return false;
    size_t len = strcspn(*text, ends);
    snprintf(out, size, "%.*s", (int)len, *text);
    *text = (*text)[len] ? *text + len + 1 : NULL;
    return true;
}

/* "tcp" or "udp" in any case, with blanks around it; 0: neither. */
static uint8_t proto_of(const char *text)
{
    size_t from = strspn(text, " \t"), len = strlen(text);
    while (len > from && isblank((unsigned char)text[len - 1]))
        len--;
    if (len - from != 3)
        return 0;
    return strncasecmp(text + from, "tcp", 3) == 0   ? IPPROTO_TCP
           : strncasecmp(text + from, "udp", 3) == 0 ? IPPROTO_UDP
                                                     : 0;
}

static void read_step(struct import_door *door, const char *item, bool *clean)
{
    char port[128], proto[128] = "tcp", shown[IMPORT_SHOWN_SIZE];
    const char *rest = item;
    *clean = false;
    if (door->sequence.count == STEPS_MAX) {
        lose(door, INI_SEQUENCE, "its sequence has more than %d ports", STEPS_MAX);
        return;
    }
    if (!take_field(&rest, ":", port, sizeof(port)))
        port[0] = '\0';
    struct port_proto step = {.port = (uint16_t)ini_number(port, clean)};
    take_field(&rest, ":", proto, sizeof(proto));
    step.proto = proto_of(proto);
    *clean &= !rest;
    if (step.port == 0)
        lose(door, INI_SEQUENCE,
             "its sequence has \"%s\", which knockd 0.8 reads as port 0: it never opened",
             import_shown(item, shown));
    else if (step.proto == 0)
        lose(door, INI_SEQUENCE, "its sequence has \"%s\", which names neither tcp nor udp",
             import_shown(item, shown));
    else
        door->sequence.steps[door->sequence.count++] = step;
}

/* Each item, and what is made of it. `look`: to tell of those that were hardly meant so. */
static void read_sequence(struct import *im, struct import_door *door, bool look)
{
    const struct ini_value *value = &door->ini->values[INI_SEQUENCE];
    const char *rest = value->text;
    char item[256], shown[IMPORT_SHOWN_SIZE];
    bool clean;
    door->sequence.count = 0;
    while (!door->why[0] && take_field(&rest, ",", item, sizeof(item))) {
        read_step(door, item, &clean);
        if (!look || clean || door->why[0])
            continue;
        const char *port = item + strspn(item, " \t");
        bool blanks = strchr(port, ' ') || strchr(port, '\t');
        import_look(im, value->line, "knockd 0.8 reads \"%s\" as %u%s", import_shown(port, shown),
                    door->sequence.steps[door->sequence.count - 1].port,
                    blanks ? " alone, since blanks part no ports; write commas between them, if "
                             "that is what was meant"
                           : "; see that this is what was meant");
    }
}

static bool on_one_distance(const struct sequence *s)
{
    int distance = s->count > 1 ? s->steps[1].port - s->steps[0].port : 0;
    for (unsigned i = 2; i < s->count; i++)
        if (s->steps[i].port - s->steps[i - 1].port != distance)
            return false;
    return s->count > 2;
}

static bool ascends(const struct sequence *s)
{
    for (unsigned i = 1; i < s->count; i++)
        if (s->steps[i].port <= s->steps[i - 1].port)
            return false;
    return s->count > 1;
}

static void look_at_sequence(struct import *im, const struct import_door *door)
{
    const struct sequence *s = &door->sequence;
    const char *why = sequence_different(s) < STEPS_SAFE ? "fewer than three different ports are"
                      : on_one_distance(s)               ? "ports at one distance are"
                      : ascends(s)                       ? "an ascending sequence is"
                                                         : NULL;
    if (why)
        import_look(im, door->ini->values[INI_SEQUENCE].line,
                    "%s what port scans hit upon; draw another one by `knockctl sequence`, and "
                    "give it to those who knock",
                    why);
}

static void put_sequence(struct import *im, struct import_door *door)
{
    if (!text_of(door, INI_SEQUENCE) || text_of(door, INI_ONE_TIME))
        return;
    read_sequence(im, door, true);
    look_at_sequence(im, door);
    fputs("    sequence        = { ", im->out);
    for (unsigned i = 0; i < door->sequence.count; i++)
        fprintf(im->out, "%s%u%s", i > 0 ? ", " : "", door->sequence.steps[i].port,
                door->sequence.steps[i].proto == IPPROTO_UDP ? ":udp" : "");
    fputs(" }\n", im->out);
}

/* --- one-time sequences --- */

/* Whether ours reads the line; `used`: it is none. */
static const char *check_line(const char *line, bool *used)
{
    struct sequence sequence = {0};
    const char *why;
    line += strspn(line, " \t");
    *used = *line == '\0' || *line == '#';
    return *used || sequence_append(&sequence, line, &why) ? NULL : why;
}

/* The number of the first line that ours won't read, and why; 0: there is none. */
static int find_bad_line(const char *data, size_t len, const char **why, unsigned *good)
{
    int number = 0;
    for (const char *end = data + len; data < end;) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t size = (size_t)((newline ? newline : end) - data);
        char line[ONE_TIME_LINE_MAX + 1];
        bool used;
        number++;
        *why = "it is longer than 1022 characters";
        if (size > ONE_TIME_LINE_MAX)
            return number;
        memcpy(line, data, size);
        line[size] = '\0';
        line[strcspn(line, "\r")] = '\0';
        *why = check_line(line, &used);
        if (*why)
            return number;
        *good += !used;
        data += size + 1;
    }
    return 0;
}

static bool holds_control(const char *text)
{
    while (*text && (!iscntrl((unsigned char)*text) || *text == '\t'))
        text++;
    return *text != '\0';
}

static void put_one_time(struct import *im, struct import_door *door)
{
    const struct ini_value *value = &door->ini->values[INI_ONE_TIME];
    char *data = NULL, *path = value->text ? import_clean(im, value, INI_ONE_TIME) : NULL;
    char *absolute = NULL, shown[IMPORT_SHOWN_SIZE];
    size_t len = 0;
    unsigned good = 0;
    const char *why = "";
    if (!path)
        return;
    if (*path != '/')
        import_look(im, value->line,
                    "the path was looked up from the folder that knockd was "
                    "started in; it is / for a service");
    if (asprintf(&absolute, "%s%s", *path == '/' ? "" : "/", path) < 0) {
        im->no_memory = true;
        free(path);
        return;
    }
    import_shown(absolute, shown);
    if (holds_control(absolute))
        lose(door, INI_ONE_TIME, "the name of its file holds a control character: %s", shown);
    else if (!im->setting->read_file(im->setting->programs.arg, absolute, &data, &len, &why)) {
        lose(door, INI_ONE_TIME, "its file %s can't be read: %s", shown, why);
    } else {
        int line = find_bad_line(data, len, &why, &good);
        if (line > 0)
            lose(door, INI_ONE_TIME,
                 "line %d of %s won't do: %s; write it as 7000,8000:udp,9000, or put a # before it",
                 line, shown, why);
        if (good == 0)
            import_look(im, value->line, "no sequence in it is left: the door doesn't open");
    }
    if (text_of(door, INI_SEQUENCE))
        import_look(im, door->ini->values[INI_SEQUENCE].line,
                    "the door had sequence as well, which was good once at most; it is left out");
    import_look(
        im, value->line,
        "knockd doesn't write to this file: which lines are used up stands "
        "in its state_dir; a knock by any of the next 16 opens, and uses up those before it");
    fputs("    one_time_sequences = ", im->out);
    import_value(im->out, absolute);
    fputc('\n', im->out);
    free(data);
    free(absolute);
    free(path);
}

/* --- times, flags, addresses --- */

static void put_seconds(struct import *im, const struct import_door *door, enum ini_key key,
                        int most)
{
    const struct ini_value *value = &door->ini->values[key];
    char shown[IMPORT_SHOWN_SIZE];
    bool clean, cut = key == INI_CMD_TIMEOUT;
    if (!value->text)
        return;
    int seconds = ini_number(value->text, &clean);
    int within = seconds < 0 && cut ? most : seconds < 1 ? 1 : seconds > most ? most : seconds;
    if (!clean)
        import_look(im, value->line, "knockd 0.8 reads \"%s\" as %d seconds",
                    import_shown(value->text, shown), seconds);
    if (within != seconds)
        import_look(im, value->line, "%s = %d isn't to be had: 1 to %d seconds are",
                    ini_key_name(key), seconds, most);
    fprintf(im->out, "    %-15s = %ds\n", ini_key_name(key), within);
}

/* Reads one flag as the other knockd would, had it been written without blanks. */
static bool read_flag(const char *text, struct flag_match *flags)
{
    struct flag_match one = {0};
    const char *why;
    if (strcasecmp(text, "any") == 0 || !flags_parse(text, &one, &why))
        return false;
    flags->set = (uint8_t)((flags->set & ~one.clear) | one.set);
    flags->clear = (uint8_t)((flags->clear & ~one.set) | one.clear);
    return true;
}

static void trim_flag(char *flag, bool *blank)
{
    size_t from = strspn(flag, " \t\"'"), len = strlen(flag);
    while (len > from && strchr(" \t\"'", flag[len - 1]))
        len--;
    *blank |= from > 0 || flag[len];
    memmove(flag, flag + from, len - from);
    flag[len - from] = '\0';
    for (char *p = flag; *p; p++)
        *p = (char)tolower((unsigned char)*p);
}

static void print_flags(FILE *out, struct flag_match flags)
{
    static const char *const names[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"};
    const char *comma = "";
    fputs("    tcpflags        = \"", out);
    for (int i = 0; i < 8; i++) {
        if (!((flags.set | flags.clear) >> i & 1))
            continue;
        fprintf(out, "%s%s%s", comma, flags.clear >> i & 1 ? "!" : "", names[i]);
        comma = ",";
    }
    fputs(*comma ? "\"\n" : "any\"\n", out);
}

static void put_flags(struct import *im, struct import_door *door)
{
    const struct ini_value *value = &door->ini->values[INI_TCPFLAGS];
    struct flag_match flags = {0};
    bool blank = false;
    char flag[64], shown[IMPORT_SHOWN_SIZE];
    char *text = value->text ? import_clean(im, value, INI_TCPFLAGS) : NULL;
    const char *rest = text;
    while (take_field(&rest, ",", flag, sizeof(flag))) {
        trim_flag(flag, &blank);
        if (!read_flag(flag, &flags))
            lose(door, INI_TCPFLAGS, "tcpflags has \"%s\", which is no flag",
                 import_shown(flag, shown));
    }
    free(text);
    if (blank)
        import_look(im, value->line,
                    "a flag with a blank or a quote before or behind it, with "
                    "which knockd 0.8 doesn't start");
    if (!value->text)
        import_look(im, door->ini->line,
                    "no tcpflags, so any TCP packet counts; knocks are \"syn,!ack\"");
    print_flags(im->out, flags);
}

static void put_target(struct import *im, struct import_door *door)
{
    const struct ini_value *value = &door->ini->values[INI_TARGET];
    struct addr addr;
    char shown[IMPORT_SHOWN_SIZE], canonical[ADDR_TEXT_SIZE];
    char *text = value->text ? import_clean(im, value, INI_TARGET) : NULL;
    if (!text)
        return;
    if (addr_parse(text, strlen(text), &addr))
        fprintf(im->out, "    target          = \"%s\"\n", addr_format(&addr, canonical));
    else
        lose(door, INI_TARGET, "target \"%s\" is no address, and names aren't looked up",
             import_shown(text, shown));
    free(text);
}

/* --- commands --- */

/* The program of a plain command, by its last name; "" of others. */
static const char *program_of(const struct import_command *command)
{
    return command->text && !command->shell ? command_base_name(command->name) : "";
}

static bool read_commands(struct import *im, struct import_door *door)
{
    for (int i = 0; i < IMPORT_COMMANDS; i++) {
        struct import_command *command = &door->commands[i];
        enum ini_key key = command_keys[i];
        if (!has(door, key))
            continue;
        if (!import_command(text_of(door, key), &im->setting->programs, false, command))
            return false;
        if (!command->text)
            lose(door, key, "its %s can't be taken over: %s", ini_key_name(key), command->why);
        if (command->sleeps > im->sleeps)
            im->sleeps = command->sleeps;
    }
    return true;
}

static const struct import_command *own_or(const struct import_door *door,
                                           enum import_command_kind own,
                                           enum import_command_kind common)
{
    return &door->commands[text_of(door, command_keys[own]) ? own : common];
}

/* The rule that the commands of both families are, or of IPv4 where IPv6 has none. */
static bool read_rule(struct import_door *door)
{
    struct import_rule rule6 = {0};
    if (!import_rule(&door->commands[IMPORT_START], &door->commands[IMPORT_STOP], &door->rule))
        return false;
    bool good = door->rule.text && !door->rule.ip6;
    if (good && !door->only_ip4 && has(door, INI_START_6)) {
        if (!import_rule(&door->commands[IMPORT_START_6], own_or(door, IMPORT_STOP_6, IMPORT_STOP),
                         &rule6))
            return false;
        good = rule6.text && rule6.ip6 && strcmp(rule6.text, door->rule.text) == 0 &&
               !rule6.one_family;
        door->rule_6 = good;
        free(rule6.text);
    }
    if (!good) {
        free(door->rule.text);
        door->rule.text = NULL;
    }
    return true;
}

/* Whether the door opens for anyone, by the rule that iptables takes no address of IPv6. */
static bool opens(const struct import_door *door)
{
    const struct import_command *start6 = own_or(door, IMPORT_START_6, IMPORT_START);
    bool ip4 = door->commands[IMPORT_START].text &&
               strcmp(program_of(&door->commands[IMPORT_START]), "ip6tables") != 0;
    return ip4 || (!door->only_ip4 && start6->text && strcmp(program_of(start6), "iptables") != 0);
}

static bool read_families(struct import *im, struct import_door *door)
{
    struct import_command *start = &door->commands[IMPORT_START];
    door->only_ip4 = im->setting->only_ip4;
    if (!read_rule(door))
        return false;
    bool iptables = strcmp(program_of(start), "iptables") == 0;
    if (!door->rule_6 && (door->rule.text || (iptables && !text_of(door, INI_START_6))))
        door->only_ip4 = true;
    if (door->only_ip4 && !start->text) {
        lose(door, INI_START_6, "it opens for IPv6 alone, and knockd was started with -4");
        return true;
    }
    if (door->rule.text || opens(door))
        return true;
    /* A program that is known to take no such address isn't even tried, but by a shell. */
    enum import_command_kind kind = start->text ? IMPORT_START : IMPORT_START_6;
    import_command_free(&door->commands[kind]);
    return import_command(text_of(door, command_keys[kind]), &im->setting->programs, true,
                          &door->commands[kind]);
}

static void look_at_command(struct import *im, const struct import_door *door,
                            enum import_command_kind kind)
{
    const struct import_command *command = &door->commands[kind];
    int line = door->ini->values[command_keys[kind]].line;
    char shown[IMPORT_SHOWN_SIZE];
    if (command->missing)
        import_look(im, line,
                    "there is no program %s here, or not where PATH is "
                    "/usr/sbin:/usr/bin:/sbin:/bin; so a shell is to find it",
                    import_shown(command->name, shown));
    if (command->quoted)
        import_look(im, line,
                    "the quotes make one word of the whole, and no program has such a "
                    "name: leave them out");
    if (command->commented)
        import_look(im, line, "the shell took what begins with # for a comment; it is left out");
    if (command->arguments)
        import_look(im, line,
                    "it uses an argument of the shell, which was empty before; now $1 is "
                    "the address");
    if (command->sleeps > 0)
        import_look(im, line,
                    "it sleeps; knockd waits for it, and kills what takes longer than "
                    "run_timeout");
    if (command->background)
        import_look(im, line,
                    "it leaves something in the background, which would be killed; so it "
                    "waits for that, up to run_timeout, and never tells whether that failed");
    if (command->both)
        import_look(im, line,
                    "its &> leaves something in the background where /bin/sh is dash, and never "
                    "tells whether that failed: write >FILE 2>&1 instead");
}

static void put_command(struct import *im, const struct import_door *door,
                        enum import_command_kind kind)
{
    const char *text = door->commands[kind].text;
    if (!text_of(door, command_keys[kind]))
        return;
    if (text)
        look_at_command(im, door, kind);
    fprintf(im->out, "    %-15s = ", ini_key_name(command_keys[kind]));
    import_value(im->out, text ? text : "");
    fputc('\n', im->out);
}

static void put_families(struct import *im, const struct import_door *door)
{
    if (!door->only_ip4)
        return;
    if (im->setting->only_ip4)
        import_look(im, 0,
                    "knockd was started with -4; without the next line the door opens for "
                    "IPv6, too");
    else if (door->rule.text)
        import_look(im, door->ini->values[INI_START].line,
                    "iptables takes IPv4 alone; without the "
                    "next line the rule opens for IPv6 as well, by ip6tables");
    else
        import_look(im, door->ini->values[INI_START].line,
                    "iptables takes IPv4 alone, so a knock "
                    "by IPv6 opened nothing");
    fputs("    allow           = { \"0.0.0.0/0\" }\n", im->out);
}

static bool is_step(const struct sequence *sequence, unsigned port, bool udp)
{
    for (unsigned i = 0; i < sequence->count; i++)
        if (sequence->steps[i].port == port && (sequence->steps[i].proto == IPPROTO_UDP) == udp)
            return true;
    return false;
}

static void put_rule(struct import *im, const struct import_door *door)
{
    const struct import_rule *rule = &door->rule;
    if (rule->port > 0 && !is_step(&door->sequence, rule->port, rule->udp) &&
        !text_of(door, INI_ONE_TIME))
        fprintf(im->out, "    port            = %u%s\n", rule->port, rule->udp ? ":udp" : "");
    if (rule->appended)
        import_look(im, door->ini->values[INI_START].line,
                    "-A put the rule to the end of its chain; rule puts it to the top, before what "
                    "denies");
    fputs("    rule            = ", im->out);
    import_value(im->out, rule->text);
    fputc('\n', im->out);
}

/* --- doors that have no undo of their own --- */

static void put_without_undo(struct import *im, const struct import_door *door)
{
    const struct import_command *start = &door->commands[IMPORT_START];
    if (!start->text)
        start = &door->commands[IMPORT_START_6];
    if (text_of(door, INI_CMD_TIMEOUT))
        import_look(im, door->ini->values[INI_CMD_TIMEOUT].line,
                    "cmd_timeout had no effect without stop_command; it is left out");
    if (door->closed || door->closes)
        return;
    if (inverse_inserts(start->text, strlen(start->text))) {
        import_look(im, door->ini->line,
                    "no stop_command and no other door closes this: it stays "
                    "open; write stop_command, or make it a rule");
        return;
    }
    import_look(im, door->ini->line,
                "without stop_command each knock runs start_command, and "
                "nothing is undone; so says the empty one");
    fputs("    stop_command    = \"\"\n", im->out);
}

static void put_closes(struct import *im, const struct import_door *door)
{
    const char *comma = "";
    fputs("    closes          = { ", im->out);
    for (unsigned i = 0; i < im->door_count; i++) {
        if (!door->closes[i])
            continue;
        fprintf(im->out, "%s\"%s\"", comma, im->doors[i].name);
        comma = ", ";
    }
    fputs(" }\n", im->out);
}

static bool has_stop(const struct import_door *door)
{
    return has(door, INI_STOP) || has(door, INI_STOP_6);
}

static void put_commands(struct import *im, struct import_door *door)
{
    bool stop6 =
        !door->commands[IMPORT_START].text && has(door, INI_STOP) && !text_of(door, INI_STOP_6);
    if (!door->closes_alone) {
        if (has(door, INI_START))
            put_command(im, door, IMPORT_START);
        put_command(im, door, IMPORT_START_6);
    }
    if (!has_stop(door)) {
        put_without_undo(im, door);
        return;
    }
    if (import_deletes_by_number(&door->commands[IMPORT_START], &door->commands[IMPORT_STOP]))
        import_look(
            im, door->ini->values[INI_STOP].line,
            "this deletes a rule by its number, which "
            "is another rule's by then, if two doors are open; a rule, or -D with the words "
            "of start_command, deletes the right one");
    if (has(door, INI_STOP) && !stop6)
        put_command(im, door, IMPORT_STOP);
    if (stop6) {
        fputs("    stop_command_6  = ", im->out);
        import_value(im->out, door->commands[IMPORT_STOP].text);
        fputc('\n', im->out);
    }
    put_command(im, door, IMPORT_STOP_6);
    if (!has(door, INI_STOP) && has(door, INI_START))
        fputs("    stop_command    = \"\"\n", im->out);
}

/* --- which door closes which --- */

static bool undoes(const struct import_door *door, const struct import_door *other,
                   enum import_command_kind kind)
{
    const char *undo = door->commands[kind].text, *start = other->commands[kind].text;
    if (!undo || !start)
        return !undo && !start;
    return inverse_texts(undo, strlen(undo), start, strlen(start)) && strstr(start, "%IP%");
}

static bool closes(const struct import_door *door, const struct import_door *other)
{
    bool empty = text_of(door, INI_START_6) && !has(door, INI_START_6);
    bool other_empty = text_of(other, INI_START_6) && !has(other, INI_START_6);
    return door != other && !door->why[0] && !other->why[0] && !has_stop(door) &&
           door->commands[IMPORT_START].text && empty == other_empty &&
           undoes(door, other, IMPORT_START) && undoes(door, other, IMPORT_START_6);
}

static void pair_door(struct import *im, struct import_door *door)
{
    for (unsigned i = 0; i < im->door_count; i++) {
        struct import_door *other = &im->doors[i];
        if (other->closes || !closes(door, other))
            continue;
        if (!door->closes)
            door->closes = calloc(im->door_count, sizeof(*door->closes));
        if (!door->closes) {
            im->no_memory = true;
            return;
        }
        door->closes[i] = true;
    }
}

/* A door that is closed by others doesn't close any itself. */
static bool is_closed(const struct import *im, unsigned number)
{
    for (unsigned i = 0; i < im->door_count; i++)
        if (im->doors[i].closes && im->doors[i].closes[number])
            return true;
    return false;
}

void import_doors_pair(struct import *im)
{
    for (unsigned i = 0; i < im->door_count; i++)
        if (!is_closed(im, i))
            pair_door(im, &im->doors[i]);
    for (unsigned i = 0; i < im->door_count; i++)
        im->doors[i].closed = is_closed(im, i) && !has_stop(&im->doors[i]);
    for (unsigned i = 0; i < im->door_count; i++) {
        struct import_door *door = &im->doors[i];
        door->closes_alone = door->closes != NULL;
        for (unsigned k = 0; door->closes && k < im->door_count; k++)
            if (door->closes[k] && im->doors[k].closed)
                door->closes_alone = false;
    }
}

/* --- all --- */

bool import_door_read(struct import *im, struct import_door *door)
{
    if (!text_of(door, INI_SEQUENCE) && !text_of(door, INI_ONE_TIME))
        lose(door, INI_SEQUENCE, "it has no sequence, and knockd 0.8 doesn't start with it");
    else if (!text_of(door, INI_ONE_TIME))
        read_sequence(im, door, false);
    if (!has(door, INI_START) && !has(door, INI_START_6))
        lose(door, INI_START, "it has no start_command, so a knock did nothing");
    return door->why[0] || (read_commands(im, door) && (door->why[0] || read_families(im, door)));
}

void import_door_put(struct import *im, struct import_door *door)
{
    im->indent = "";
    if (strcmp(door->name, door->ini->name) != 0) {
        char shown[IMPORT_SHOWN_SIZE];
        import_look(im, door->ini->line, "[%s] is called %s here",
                    import_shown(door->ini->name, shown), door->name);
    }
    fprintf(im->out, "door \"%s\" {\n", door->name);
    im->indent = "    ";
    put_sequence(im, door);
    put_one_time(im, door);
    put_seconds(im, door, INI_SEQ_TIMEOUT, HOUR);
    put_flags(im, door);
    put_target(im, door);
    put_families(im, door);
    if (door->rule.text)
        put_rule(im, door);
    else
        put_commands(im, door);
    if (door->closes)
        put_closes(im, door);
    if (has_stop(door))
        put_seconds(im, door, INI_CMD_TIMEOUT, 30 * DAY);
    fputs("}\n", im->out);
    im->indent = "";
}

void import_door_free(struct import_door *door)
{
    for (int i = 0; i < IMPORT_COMMANDS; i++)
        import_command_free(&door->commands[i]);
    free(door->rule.text);
    free(door->closes);
}
