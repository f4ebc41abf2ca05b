/* The commands of openings: the same come back, and those of a thousand addresses are kept once. */
#include "keeper_help.h"

#include "keeper/command_set.h"

/* Commands of words that single blanks part, up to NULL. */
static struct commands make_commands(const char *const *texts)
{
    struct commands out = {.items = calloc(8, sizeof(struct command))};
    assert_non_null(out.items);
    for (; texts && texts[out.count]; out.count++) {
        struct command *command = &out.items[out.count];
        *command = (struct command){1, strlen(texts[out.count]) + 1, strdup(texts[out.count])};
        for (char *at = command->text; (at = strchr(at, ' ')); command->words++)
            *at = '\0';
    }
    return out;
}

static const uint64_t ok[4] = {3};

static struct command_set *refer(struct command_sets *sets, const char *const *start,
                                 const char *const *stop, const char *address, const char *by)
{
    struct commands lists[COMMAND_LISTS] = {make_commands(start), make_commands(stop),
                                            make_commands(NULL), make_commands(NULL)};
    struct command_names names = {address, by};
    struct command_set *set = command_set_refer(sets, lists, ok, &names);
    assert_non_null(set);
    for (unsigned i = 0; i < COMMAND_LISTS; i++) {
        struct commands again;
        assert_int_equal(set->counts[i], lists[i].count);
        assert_int_equal(command_set_expand(set, i, &names, &again), 0);
        assert_true(commands_equal(&lists[i], &again));
        for (unsigned j = 0; j < again.count; j++)
            assert_int_equal(again.items[j].words, lists[i].items[j].words);
        commands_free(&again);
        commands_free(&lists[i]);
    }
    return set;
}

/* Whatever is in them, and wherever the names are. */
static void what_goes_in_comes_out(void **state)
{
    (void)state;
    static const char *const rows[][4] = {
        {"/bin/a 192.0.2.1 b", "/bin/a192.0.2.1192.0.2.1", "/bin/c"},
        {"/bin/a 192.0.2.10 192.0.2.1", "/bin/192.0.2"},
        {"/bin/a \1 \2 \3 \3\1 \1\3", "/bin/alice"},
        {"/bin/alicealic al \3alice\1 192.0.2.1\1", "/bin/ "},
        {NULL},
    };
    static const char *const names[][2] = {
        {"192.0.2.1", "alice"}, {"::", ""}, {"192.0.2.1", "192.0.2.1"}, {"1", "i"}, {"\1", "\3\1"}};
    struct command_sets sets;
    command_sets_init(&sets);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t j = 0; j < sizeof(names) / sizeof(*names); j++)
            for (size_t other = 0; other < sizeof(rows) / sizeof(*rows); other++)
                command_set_release(refer(&sets, rows[i], rows[other], names[j][0], names[j][1]));
}

static void one_set_is_for_all_addresses_and_keys(void **state)
{
    (void)state;
    struct command_sets sets;
    struct command_set *first = NULL;
    char start[100], stop[100], address[24], key[24];
    command_sets_init(&sets);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(address, sizeof(address), "10.1.%u.%u", i / 250, 1 + i % 250);
        snprintf(key, sizeof(key), "user%u", i);
        snprintf(start, sizeof(start), "/sbin/iptables -I INPUT -s %s --comment %s", address, key);
        snprintf(stop, sizeof(stop), "/sbin/iptables -D INPUT -s %s --comment %s", address, key);
        struct command_set *set =
            refer(&sets, (const char *[]){start, NULL}, (const char *[]){stop, NULL}, address, key);
        first = first ? first : set;
        assert_ptr_equal(set, first);
    }
    assert_int_equal(first->references, 1000);
    for (unsigned i = 0; i < 1000; i++)
        command_set_release(first);
}

static void other_commands_are_another_set(void **state)
{
    (void)state;
    struct command_sets sets;
    command_sets_init(&sets);
    static const char *const a[] = {"/bin/a 10.0.0.1", NULL},
                             *const b[] = {"/bin/b 10.0.0.1", NULL}, *const none[] = {NULL};
    struct command_set *both = refer(&sets, a, b, "10.0.0.1", "k"),
                       *turned = refer(&sets, b, a, "10.0.0.1", "k"),
                       *one = refer(&sets, a, none, "10.0.0.1", "k"),
                       *other = refer(&sets, none, a, "10.0.0.1", "k");
    assert_ptr_not_equal(both, turned);
    assert_ptr_not_equal(one, other);
    command_set_release(both);
    /* Gone with its last reference, and made again. */
    both = refer(&sets, a, b, "10.0.0.1", "k");
    assert_int_equal(both->references, 1);
    command_set_release(both);
    command_set_release(turned);
    command_set_release(one);
    command_set_release(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(one_set_is_for_all_addresses_and_keys),
        cmocka_unit_test(other_commands_are_another_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
