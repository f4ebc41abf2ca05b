#include "keeper/hooks.h"

#include <stdlib.h>
#include <string.h>

#include "keeper/process.h"

static int make_one(const struct config_text *text, const char *key, struct report *report,
                    struct command *out)
{
    static const struct values none;
    struct words words;
    char why[320];
    if (!template_expand(text->text, &none, &words, why, sizeof(why))) {
        report_error(report, text->pos, "%s: %s", key, why);
        return -1;
    }
    char *program = program_find(words.text);
    if (!program) {
        report_error(report, text->pos, "%s: %s: %s", key, words.text, program_missing(words.text));
        return -1;
    }
    int rc = command_from_words(&words, program, out);
    if (rc == 0 && !program_runs(program, why, sizeof(why))) {
        report_error(report, text->pos, "%s: %s can't be executed: %s", key, words.text, why);
        free(out->text);
        free(program);
        return -1;
    }
    free(program);
    if (rc < 0)
        report_error(report, text->pos, "%s: out of memory", key);
    return rc;
}

int hooks_make(const struct config_list *list, const char *key, struct report *report,
               struct commands *out)
{
    *out = (struct commands){.items = calloc(list->count + 1, sizeof(*out->items))};
    if (!out->items) {
        report_error(report, list->pos, "%s: out of memory", key);
        return -1;
    }
    int rc = 0;
    for (unsigned i = 0; i < list->count; i++) {
        if (make_one(&list->items[i], key, report, &out->items[out->count]) < 0)
            rc = -1;
        else
            out->count++;
    }
    return rc;
}
