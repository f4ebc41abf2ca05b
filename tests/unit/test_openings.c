/* The table of openings against a plain list of them: the same finds, counts and order, whatever
 * comes and goes. */
#include "keeper_help.h"

#include <netinet/in.h>
#include <time.h>

#include "keeper/openings.h"

enum { DOORS = 4, ADDRESSES = 5, PORTS = 3, MOST = 40, STEPS = 4000 };

static const char *const names[DOORS] = {"ssh", "web", "mail", "a"};

struct model {
    struct bench bench;
    struct openings table;
    struct opening_context context;
    struct opening *list[MOST]; /* the oldest first */
    unsigned count;
};

static void never_due(void *opening)
{
    (void)opening;
    fail();
}

static struct addr address_number(int i)
{
    return (struct addr){4, {192, 0, 2, (uint8_t)i}};
}

static struct port_proto port_number(int i)
{
    return i == 0 ? (struct port_proto){0} : (struct port_proto){(uint16_t)(20 + i), IPPROTO_TCP};
}

static struct opening *make_opening(struct model *m, int door, int address, int port)
{
    struct opening_name name = {.door = names[door],
                                .address = address_number(address),
                                .port = port_number(port),
                                .by = "sequence"};
    struct opening *o = opening_new(&m->context, &name, never_due, never_due);
    assert_non_null(o);
    return o;
}

static int set_up(void **state)
{
    struct model *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    bench_make(&m->bench);
    m->context.loop = m->bench.loop;
    m->context.openings = &m->table;
    assert_int_equal(openings_init(&m->table), 0);
    *state = m;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const made[] = {NULL};
    struct model *m = *state;
    openings_free(&m->table);
    bench_end(&m->bench, made);
    free(m);
    return 0;
}

static void model_add(struct model *m)
{
    struct opening *o = make_opening(m, rand() % DOORS, rand() % ADDRESSES, rand() % PORTS);
    o->lasts = rand() % 2;
    o->state = rand() % 2 ? OPEN : STOPPING;
    openings_add(&m->table, o);
    m->list[m->count++] = o;
}

static void model_remove(struct model *m, unsigned i)
{
    openings_remove(&m->table, m->list[i]);
    opening_free(m->list[i]);
    m->count--;
    memmove(&m->list[i], &m->list[i + 1], (m->count - i) * sizeof(*m->list));
}

static bool model_is_of(const struct opening *o, int door, int address)
{
    struct addr a = address_number(address);
    return strcmp(o->name, names[door]) == 0 && addr_equal(&o->address, &a);
}

/* One that fits is found, if there is any. */
static void compare_found(const struct model *m, int door, int address, int port)
{
    struct addr a = address_number(address);
    struct port_proto wanted = port_number(port);
    const struct opening *found = openings_find(&m->table, names[door], &a, wanted);
    bool any = false;
    for (unsigned i = 0; i < m->count; i++)
        any |= model_is_of(m->list[i], door, address) && doors_same_port(m->list[i]->port, wanted);
    assert_int_equal(found != NULL, any);
    assert_true(!found ||
                (model_is_of(found, door, address) && doors_same_port(found->port, wanted)));
}

static void compare_counts(const struct model *m, int door, int address)
{
    struct addr a = address_number(address);
    unsigned of_door = 0, of_both = 0, walked = 0;
    for (unsigned i = 0; i < m->count; i++) {
        of_door += strcmp(m->list[i]->name, names[door]) == 0;
        of_both += model_is_of(m->list[i], door, address);
    }
    for (struct opening *o = openings_first(&m->table, names[door], &a); o;
         o = openings_next(o, names[door], &a)) {
        assert_true(model_is_of(o, door, address));
        walked++;
    }
    assert_int_equal(walked, of_both);
    assert_int_equal(openings_of_door(&m->table, names[door]), of_door);
}

/* All come in the order of their age, as do those of one door; so does the oldest that lasts. */
static void compare_order(const struct model *m, int door)
{
    const struct opening *lasting = NULL, *all = openings_first(&m->table, NULL, NULL),
                         *of_door = openings_first(&m->table, names[door], NULL);
    for (unsigned i = 0; i < m->count; i++) {
        const struct opening *o = m->list[i];
        assert_ptr_equal(all, o);
        all = openings_next(all, NULL, NULL);
        if (!lasting && o->lasts && o->state == OPEN)
            lasting = o;
        if (strcmp(o->name, names[door]) != 0)
            continue;
        assert_ptr_equal(of_door, o);
        of_door = openings_next(of_door, names[door], NULL);
    }
    assert_null(all);
    assert_null(of_door);
    assert_ptr_equal(openings_oldest_lasting(&m->table), lasting);
    assert_int_equal(m->table.count, m->count);
}

static void finds_and_counts_as_a_list_does(void **state)
{
    struct model *m = *state;
    for (int step = 0; step < STEPS; step++) {
        if (m->count < MOST && (m->count == 0 || rand() % 2))
            model_add(m);
        else
            model_remove(m, (unsigned)rand() % m->count);
        int door = rand() % DOORS, address = rand() % ADDRESSES;
        compare_found(m, door, address, rand() % PORTS);
        compare_counts(m, door, address);
        compare_order(m, door);
    }
}

/* Each may be removed on the way, once the next one is known. */
static void may_be_removed_on_the_way(void **state)
{
    struct model *m = *state;
    while (m->count < MOST)
        model_add(m);
    unsigned visited = 0;
    for (struct opening *o = openings_first(&m->table, NULL, NULL), *next; o; o = next) {
        next = openings_next(o, NULL, NULL);
        openings_remove(&m->table, o);
        opening_free(o);
        visited++;
    }
    assert_int_equal(visited, MOST);
    assert_null(openings_first(&m->table, NULL, NULL));
    for (int i = 0; i < DOORS; i++)
        assert_int_equal(openings_of_door(&m->table, names[i]), 0);
}

/* A knock that waits to reopen is of the door, too, but isn't counted. */
static void what_is_in_no_table_is_not_counted(void **state)
{
    struct model *m = *state;
    struct opening *open = make_opening(m, 0, 1, 1), *waits = make_opening(m, 0, 1, 1);
    openings_add(&m->table, open);
    assert_int_equal(openings_of_door(&m->table, names[0]), 1);
    openings_remove(&m->table, open);
    opening_free(open);
    assert_int_equal(openings_of_door(&m->table, names[0]), 0);
    openings_add(&m->table, waits);
    assert_int_equal(openings_of_door(&m->table, names[0]), 1);
}

int main(void)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    printf("# SEED=%u\n", seed);
    srand(seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_and_counts_as_a_list_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(may_be_removed_on_the_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_in_no_table_is_not_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
