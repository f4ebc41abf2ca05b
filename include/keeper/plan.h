/*
 * What each door runs, for IPv4 and for IPv6: the configuration's commands checked by a trial
 * expansion and their programs looked up, or the commands that follow from `rule`.
 */
#ifndef KEEPER_PLAN_H
#define KEEPER_PLAN_H

#include "keeper/rule_comments.h"
#include "keeper/template.h"
#include "lib/config.h"

struct plan_command {
    char *program;  /* absolute path */
    char *template; /* the whole command, its first word included */
};

struct plan_list {
    unsigned count;
    struct plan_command *items;
};

/* The commands of a door for one family. */
struct plan {
    bool usable;   /* false: the door doesn't open for this family */
    bool together; /* what opens and closes it for many can run in batches (keeper/batch.h) */
    struct plan_list start;
    struct plan_list stop;
    struct plan_list extend;
    struct plan_list check;
};

struct plans;

/*
 * Plans for all doors of `config`, which must live as long. Rules get a comment where a family's
 * `comments` aren't missing; NULL: no rule does. Mistakes go to `report`; NULL if there was one. A
 * missing ip6tables is only warned of: the door opens for IPv4 then.
 */
struct plans *plans_make(const struct config *config, const struct rule_comments *comments,
                         struct report *report);
void plans_free(struct plans *plans);

/* The plan of door number `door` for `family`, 4 or 6. */
const struct plan *plans_get(const struct plans *plans, unsigned door, uint8_t family);

#endif
