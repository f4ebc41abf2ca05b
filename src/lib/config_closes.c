/*
 * Doors that close others. A door without an undo of its own is open until another door closes it,
 * which says `closes`, or whose commands visibly take away what this one's add: then that door's
 * start commands are the undo.
 */
#include <string.h>

#include "lib/config_check.h"
#include "lib/config_section.h"
#include "lib/inverse.h"

static bool starts(const struct config_door *door)
{
    return door->ip4.start.count > 0 || door->ip6.start.count > 0;
}

/* Whether it has start commands, and nothing that undoes them. */
static bool lacks_undo(const struct config_door *door)
{
    return starts(door) && door->rules.count == 0 && door->ip4.stop.count == 0 &&
           door->ip6.stop.count == 0;
}

/* --- which door closes which --- */

static void check_closer(struct parse_context *context, const struct config_door *door)
{
    if (door->rules.count > 0 || door->ip4.stop.count > 0 || door->ip6.stop.count > 0)
        report_error(context->report, door->closes.pos,
                     "door \"%s\" closes another one: it can't have %s as well", door->name,
                     door->rules.count > 0 ? "rule" : "stop_command");
    if (door->closes.count == 0)
        report_error(context->report, door->closes.pos, "closes: expected the name of a door");
}

static void check_closed(struct parse_context *context, struct config *config,
                         const struct config_door *door, const struct config_text *name)
{
    const struct config_door *other = config_find_door(config, name->text);
    if (!other)
        report_error(context->report, name->pos, "closes: there is no door \"%s\"", name->text);
    else if (other == door || other->closes.set)
        report_error(context->report, name->pos,
                     "closes: door \"%s\" opens nothing that could be closed", name->text);
}

/* The start commands of `door` become the undo of `other`, unless it has one. */
static void set_closer(struct config_door *door, struct config_door *other)
{
    if (other->closer || !starts(door) || !lacks_undo(other))
        return;
    other->closer = door;
    door->is_undo = true;
}

static void settle_named(struct parse_context *context, struct config *config,
                         struct config_door *door)
{
    check_closer(context, door);
    for (unsigned i = 0; i < door->closes.count; i++) {
        const struct config_text *name = &door->closes.items[i];
        struct config_door *other = config_find_door(config, name->text);
        check_closed(context, config, door, name);
        if (other && other != door && !other->closes.set)
            set_closer(door, other);
    }
}

/* Whether each command of one list undoes the one at its place of the other. */
static bool undoes_all(const struct config_list *undo, const struct config_list *start)
{
    if (undo->count == 0 || undo->count != start->count)
        return false;
    for (unsigned i = 0; i < start->count; i++) {
        const char *a = undo->items[i].text, *b = start->items[i].text;
        if (!inverse_texts(a, strlen(a), b, strlen(b)))
            return false;
    }
    return true;
}

static bool undoes_door(const struct config_door *door, const struct config_door *other)
{
    const struct config_list *a4 = &door->ip4.start, *b4 = &other->ip4.start;
    const struct config_list *a6 = &door->ip6.start, *b6 = &other->ip6.start;
    bool good =
        (a4->count > 0 || a6->count > 0) && a4->count == b4->count && a6->count == b6->count;
    return good && (a4->count == 0 || undoes_all(a4, b4)) && (a6->count == 0 || undoes_all(a6, b6));
}

/* A door without `closes` whose commands delete what those of another one add. */
static void settle_inverse(struct parse_context *context, struct config *config,
                           struct config_door *door)
{
    for (unsigned i = 0; i < config->door_count; i++) {
        struct config_door *other = &config->doors[i];
        if (other == door || other->closes.count > 0 || other->closer || !lacks_undo(other) ||
            !undoes_door(door, other))
            continue;
        if (!config_list_add(&door->closes, other->name, door->pos)) {
            context->no_memory = true;
            return;
        }
        set_closer(door, other);
    }
}

/* --- what follows for each --- */

/* Whether the text has %TIMEOUT%, and not as part of "%%TIMEOUT%". */
static bool has_timeout(const struct config_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        for (const char *p = list->items[i].text; (p = strchr(p, '%'));)
            if (strncmp(p, "%TIMEOUT%", 9) == 0)
                return true;
            else
                p += p[1] == '%' ? 2 : 1;
    return false;
}

static void settle_time(struct config_door *door)
{
    bool none = lacks_undo(door) && door->closes.count == 0;
    bool on_purpose = door->ip4.stop.set || door->ip6.stop.set;
    bool timed = has_timeout(&door->ip4.start) || has_timeout(&door->ip6.start);
    door->expires = none && timed && !on_purpose && !door->closer;
    door->lasts = none && !door->expires && (!on_purpose || door->closer);
}

static void warn_of_time(struct parse_context *context, const struct config_door *door)
{
    bool timed = has_timeout(&door->ip4.start) || has_timeout(&door->ip6.start);
    bool acts = door->closes.count > 0 || (lacks_undo(door) && !door->lasts && !door->expires);
    const struct config_list *check = door->ip4.check.set ? &door->ip4.check : &door->ip6.check;
    if (door->timeout_pos.line > 0 && !timed && (door->lasts || acts))
        report_warning(context->report, door->timeout_pos,
                       "door \"%s\": cmd_timeout has no effect: %s", door->name,
                       door->lasts ? "no stop_command closes it, so it is open until it is closed"
                                   : "nothing stays open that could be closed");
    if (check->set && check->count > 0 && acts)
        report_warning(context->report, check->pos,
                       "door \"%s\": check_command has no effect: nothing stays open that it could "
                       "be asked about",
                       door->name);
    const struct config_list *start =
        door->ip4.start.count > 0 ? &door->ip4.start : &door->ip6.start;
    if (acts && door->closes.count == 0 && start->count > 0 &&
        inverse_inserts(start->items[0].text, strlen(start->items[0].text)))
        report_warning(context->report, start->items[0].pos,
                       "door \"%s\": with stop_command = \"\" each knock inserts one more rule: "
                       "leave stop_command out, or write the command that deletes the rule",
                       door->name);
}

void config_settle_closes(struct parse_context *context, struct config *config)
{
    for (unsigned i = 0; i < config->door_count; i++)
        if (config->doors[i].closes.set)
            settle_named(context, config, &config->doors[i]);
    for (unsigned i = 0; i < config->door_count; i++)
        if (!config->doors[i].closes.set && lacks_undo(&config->doors[i]))
            settle_inverse(context, config, &config->doors[i]);
    for (unsigned i = 0; i < config->door_count; i++)
        settle_time(&config->doors[i]);
    /* Beside an error these warnings would only confuse. */
    for (unsigned i = 0; context->report->errors == 0 && i < config->door_count; i++)
        warn_of_time(context, &config->doors[i]);
}
