/*
 * old_state DIR: makes a state folder's store as that of a knockd that has served for long, so that
 * sealed knocks needn't wait for max_skew, which they do where the state is new.
 */
#include <stdio.h>
#include <stdlib.h>

#include "keeper/store.h"

int main(int argc, char **argv)
{
    char why[512];
    struct store_found found;
    if (argc != 2) {
        fputs("usage: old_state DIR\n", stderr);
        return EXIT_FAILURE;
    }
    struct store *store = store_open(argv[1], "another boot", 0, &found, why, sizeof(why));
    free(found.moved);
    if (!store || store_number_set(store, "refused", 0) < 0 || store_commit(store) < 0) {
        fprintf(stderr, "old_state: %s\n", store ? store_error(store) : why);
        store_close(store);
        return EXIT_FAILURE;
    }
    store_close(store);
    return EXIT_SUCCESS;
}
