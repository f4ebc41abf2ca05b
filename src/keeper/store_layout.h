/* The tables of the store, in each version that there was, and the statements on them. */
#ifndef KEEPER_STORE_LAYOUT_H
#define KEEPER_STORE_LAYOUT_H

#include "keeper/database.h"

enum store_statement {
    ADD_HISTORY,
    TRIM_HISTORY,
    ADD_OPENING,
    UPDATE_OPENING,
    REMOVE_OPENING,
    END_HISTORY,
    USE_ONCE,
    USE_SEALED,
    BEGIN_SEALED,
    DELAY_SEALED,
    FORCE_SEALED,
    END_FORCE,
    SET_MARK,
    ADD_SERIAL,
    EACH_OPENING,
    EACH_HISTORY,
    USED_ONCE,
    LAST_SEALED,
    FORCED_SEALED,
    NEWEST_SEALED,
    BEGIN_OF_SEALED,
    GET_MARK,
    STATEMENTS,
};

const struct database_layout *store_layout(void);

#endif
