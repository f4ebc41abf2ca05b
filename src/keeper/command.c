/* Makes the commands of a plan for one address, and tells them apart. */
#include "keeper/command.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/set_command.h"
#include "lib/clock.h"
#include "lib/command_words.h"
#include "lib/inverse.h"

struct knock knock_plain(const struct config_door *door, const struct plan *plan,
                         const struct addr *address, const char *by)
{
    return (struct knock){.door = door,
                          .plan = plan,
                          .address = *address,
                          .port = config_own_port(door),
                          .length = door->cmd_timeout,
                          .by = by};
}

/*
 * Where nothing but keys opens a door, knockctl is the exception, for which "-" stands: no key has
 * that name. Elsewhere %KEY% would be nobody's for those who know the sequence.
 */
static const char *key_text(const struct knock *knock)
{
    const struct config_door *door = knock->door;
    bool keys_alone = door->keys.set && door->sequence.count == 0 && !door->once_path.text;
    return !keys_alone ? NULL : knock->key ? knock->key : "-";
}

void value_texts_fill(struct value_texts *t, const struct knock *knock)
{
    bool ip6 = knock->address.family == 6;
    snprintf(t->port, sizeof(t->port), "%u", knock->port.port);
    snprintf(t->timeout, sizeof(t->timeout), "%lld",
             (long long)((knock->length + CLOCK_SECOND - 1) / CLOCK_SECOND));
    t->values = (struct values){
        .ip = addr_format(&knock->address, t->ip),
        .iptables = ip6 ? "ip6tables" : "iptables",
        .family = ip6 ? "6" : "4",
        .door = knock->door->name,
        .port = knock->port.port ? t->port : NULL,
        .proto = knock->port.port ? proto_name(knock->port.proto) : NULL,
        .timeout = t->timeout,
        .key = key_text(knock),
    };
}

int command_from_words(const struct words *words, const char *program, struct command *out)
{
    size_t size = strlen(program) + 1, first = strlen(words->text) + 1;
    out->words = words->count;
    out->size = words->size - first + size;
    out->text = malloc(out->size);
    if (!out->text)
        return -1;
    memcpy(out->text, program, size);
    memcpy(out->text + size, words->text + first, words->size - first);
    return 0;
}

int command_of_program(const char *program, const char *const *arguments, struct command *out)
{
    struct words words = {.count = 1, .size = 1};
    for (; *arguments; arguments++) {
        size_t size = strlen(*arguments) + 1;
        assert(size <= sizeof(words.text) - words.size);
        memcpy(words.text + words.size, *arguments, size);
        words.size += size;
        words.count++;
    }
    return command_from_words(&words, program, out);
}

static int expand_one(const struct plan_command *plan, const struct values *values,
                      struct command *out)
{
    struct words words;
    char why[160];
    /* Only lengths can differ from the trial expansion, which took the longest texts. */
    if (!template_expand(plan->template, values, &words, why, sizeof(why)))
        return -1;
    return command_from_words(&words, plan->program, out);
}

int commands_expand(const struct plan_list *list, const struct knock *knock, struct commands *out)
{
    struct value_texts texts;
    value_texts_fill(&texts, knock);
    *out = (struct commands){.items = calloc(list->count + 1, sizeof(*out->items))};
    if (!out->items)
        return -1;
    for (unsigned i = 0; i < list->count; i++) {
        if (expand_one(&list->items[i], &texts.values, &out->items[i]) < 0) {
            commands_free(out);
            return -1;
        }
        out->count++;
    }
    return 0;
}

void commands_free(struct commands *commands)
{
    for (unsigned i = 0; i < commands->count; i++)
        free(commands->items[i].text);
    free(commands->items);
    *commands = (struct commands){0};
}

bool commands_equal(const struct commands *a, const struct commands *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->items[i].size != b->items[i].size ||
            memcmp(a->items[i].text, b->items[i].text, a->items[i].size) != 0)
            return false;
    return true;
}

int command_iptables_family(const char *program)
{
    static const char *const names[] = {"iptables",  "iptables-nft",  "iptables-legacy",
                                        "ip6tables", "ip6tables-nft", "ip6tables-legacy"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(command_base_name(program), names[i]) == 0)
            return i < 3 ? 4 : 6;
    return 0;
}

bool command_misused(const struct command *command, int status)
{
    return status == 2 && command_iptables_family(command->text) != 0;
}

bool command_did_nothing(const struct command *command, int status)
{
    struct set_form form;
    if (command_is_nft(command->text))
        return status != 0 && set_form_of_nft(command, &form);
    if (command_is_ipset(command->text))
        return status != 0 && set_form_of_ipset(command, &form);
    return (status == 2 || status == 3) && command_iptables_family(command->text) != 0;
}

bool command_says_error(const struct command *command, const char *line)
{
    static const char *const errors[] = {
        "Cannot allocate memory",  "Memory allocation problem", "No buffer space available",
        "Too many open files",     "Interrupted system call",   "Resource temporarily unavailable",
        "Device or resource busy", "Operation not permitted",   "Permission denied",
        "Input/output error",      "Failed to initialize",      "ABI is broken",
        "Operation not supported", "Protocol not supported",    "Address family not supported",
        "Connection timed out",    "No space left on device"};
    if (command_iptables_family(command->text) == 0 && !command_is_nft(command->text) &&
        !command_is_ipset(command->text))
        return false;
    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        if (strstr(line, errors[i]))
            return true;
    return false;
}

bool command_found_nothing(const struct command *command, int status)
{
    const char *word = command->text;
    if (status != 1 || command_iptables_family(command->text) == 0)
        return false;
    for (unsigned i = 0; i < command->words; i++, word += strlen(word) + 1)
        if (strcmp(word, "-D") == 0 || strcmp(word, "--delete") == 0)
            return true;
    return false;
}

bool command_undoes(const struct command *undo, const struct command *start)
{
    return inverse_texts(undo->text, undo->size, start->text, start->size);
}

const char *command_text(const struct command *command, char *out, size_t size)
{
    size_t len = command->size < size ? command->size : size;
    memcpy(out, command->text, len);
    for (size_t i = 0; i + 1 < len; i++)
        if (out[i] == '\0')
            out[i] = ' ';
    out[len - 1] = '\0';
    return out;
}
