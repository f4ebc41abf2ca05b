/* Commands of the configuration that take no placeholders: to their words and their program. */
#include "keeper/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/template.h"

/* The file of the program that `words` name, which the kernel can execute; NULL after telling
 * `report`. The caller frees it. */
static char *find_usable(const struct words *words, struct config_pos pos, const char *what,
                         struct report *report)
{
    char why[320], *path = program_find(words->text);
    if (!path) {
        report_error(report, pos, "%s: %s: %s", what, words->text, program_missing(words->text));
        return NULL;
    }
    if (program_runs(path, why, sizeof(why)))
        return path;
    report_error(report, pos, "%s: %s can't be executed: %s", what, words->text, why);
    free(path);
    return NULL;
}

int program_command(const struct config_text *text, const char *what, struct report *report,
                    struct command *out)
{
    static const struct values none;
    struct words words;
    char why[160];
    *out = (struct command){0};
    if (!template_expand(text->text, &none, &words, why, sizeof(why))) {
        report_error(report, text->pos, "%s: %s", what, why);
        return -1;
    }
    char *path = find_usable(&words, text->pos, what, report);
    if (!path)
        return -1;
    int rc = command_from_words(&words, path, out);
    free(path);
    if (rc < 0)
        report_error(report, text->pos, "%s: out of memory", what);
    return rc;
}

int program_commands(const struct config_list *texts, const char *what, struct report *report,
                     struct commands *out)
{
    *out = (struct commands){.items = calloc(texts->count + 1, sizeof(*out->items))};
    if (!out->items) {
        report_error(report, texts->pos, "%s: out of memory", what);
        return -1;
    }
    int rc = 0;
    for (unsigned i = 0; i < texts->count; i++) {
        if (program_command(&texts->items[i], what, report, &out->items[out->count]) < 0)
            rc = -1;
        else
            out->count++;
    }
    return rc;
}
