/* Commands expanded for one address: what an opening keeps, so that a reload can't change its undo.
 */
#ifndef KEEPER_COMMAND_H
#define KEEPER_COMMAND_H

#include "keeper/plan.h"

/* A command ready to be executed: its words, one after the other, each with its NUL. */
struct command {
    unsigned words;
    size_t size;
    char *text;
};

struct commands {
    unsigned count;
    struct command *items;
};

/* The texts that a door's placeholders stand for; they live as long as this. */
struct value_texts {
    char ip[ADDR_TEXT_SIZE];
    char port[8];
    char timeout[24];
    struct values values; /* points into this struct and into the door */
};

/* A command of `words`, the first replaced by `program`. -1 when memory is short. */
int command_from_words(const struct words *words, const char *program, struct command *out);

/* Sets what the placeholders of `door` stand for when it opens for `address`. */
void value_texts_fill(struct value_texts *texts, const struct config_door *door,
                      const struct addr *address);

/* The commands of `list` of `door` for `address`. Returns -1 when memory is short. */
int commands_expand(const struct plan_list *list, const struct config_door *door,
                    const struct addr *address, struct commands *out);

void commands_free(struct commands *commands);
bool commands_equal(const struct commands *a, const struct commands *b);

#endif
