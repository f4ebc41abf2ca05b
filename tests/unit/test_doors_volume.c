/*
 * Ten thousand open doors: what each takes of the memory, and that what happens to one costs about
 * as much as with a thousand. Instructions are counted, or where the kernel doesn't let us, the
 * time on a processor is.
 */
#include "writeback_help.h"

#include <linux/perf_event.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer))
#else
#define SANITIZED 0
#endif

enum { FEW = 1000, MANY = 10000, EVENTS = 200, DOOR_MOST = 512 };

#define OPEN_FOR (3600 * CLOCK_SECOND)

static struct addr address_number(unsigned i)
{
    return (struct addr){4, {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

/* As of a rule with a comment. */
static const char rule[] = "-w 5 %s INPUT -s %s -p tcp --dport 22 -m comment --comment "
                           "\"knockd ssh\" -j ACCEPT";

static struct commands rule_command_of(const char *action, const struct addr *address)
{
    struct commands out = {.count = 1, .items = calloc(1, sizeof(struct command))};
    char text[ADDR_TEXT_SIZE], *made;
    assert_non_null(out.items);
    addr_format(address, text);
    int len = asprintf(&made, rule, action, text);
    assert_true(len > 0);
    out.items[0] = (struct command){1, (size_t)len + 1, made};
    return out;
}

/* So many are open, as the store says. */
static void fill_store(struct store *store, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct stored_door door = {.state = STORED_OPEN,
                                   .name = "ssh",
                                   .address = address_number(i),
                                   .by = "sequence",
                                   .length = OPEN_FOR,
                                   .deadline = clock_now() + OPEN_FOR,
                                   .stop_ok = {3}};
        door.start = rule_command_of("-I", &door.address);
        door.stop = rule_command_of("-D", &door.address);
        assert_int_equal(store_add(store, &door), 0);
        stored_door_free(&door);
        if (i % EVENTS == 0)
            assert_int_equal(store_commit(store), 0);
    }
    assert_int_equal(store_commit(store), 0);
}

static void pass_over(void *arg, struct stored_door *door)
{
    (void)arg;
    (void)door;
}

/* A world with so many open doors. What SQLite keeps of them is in its cache before. */
static size_t take_up(struct kept_world *k, unsigned count)
{
    memset(k, 0, sizeof(*k));
    make_world(&k->w, OPEN_FOR, AT_ONCE, AT_ONCE, NULL);
    folder_make(&k->folder);
    kept_begin(k);
    fill_store(k->store, count);
    assert_int_equal(store_each(k->store, pass_over, NULL), 0);
    size_t before = 0, after = 0;
#ifdef __GLIBC__
    before = mallinfo2().uordblks;
#endif
    assert_int_equal(doors_resume(k->w.doors), 0);
#ifdef __GLIBC__
    after = mallinfo2().uordblks;
#endif
    assert_int_equal(doors_count(k->w.doors), count);
    return after - before;
}

static void an_open_door_is_small(void **state)
{
    (void)state;
    struct kept_world k;
#ifndef __GLIBC__
    skip();
#endif
    if (SANITIZED) {
        puts("# not measured: a build with sanitizers keeps what was freed");
        return;
    }
    size_t few = take_up(&k, FEW);
    kept_die(&k);
    kept_end(&k);
    size_t many = take_up(&k, MANY), each = (many - few) / (MANY - FEW);
    printf("# %zu bytes for each open door\n", each);
    assert_in_range(each, 100, DOOR_MOST);
    kept_die(&k);
    kept_end(&k);
}

/* A counter of our instructions; -1: the kernel has none for us. */
static int count_instructions(void)
{
    struct perf_event_attr what = {.type = PERF_TYPE_HARDWARE,
                                   .size = sizeof(what),
                                   .config = PERF_COUNT_HW_INSTRUCTIONS,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t read_cost(int counter)
{
    uint64_t count = 0;
    struct timespec time;
    if (counter >= 0 && read(counter, &count, sizeof(count)) == sizeof(count))
        return count;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

enum event { OPENS, IS_RECORDED, CLOSES, EXTENDS, KINDS };

static const char *const event_names[KINDS] = {"opens", "is recorded", "closes", "is extended"};

/* What so many events of each kind cost, all of doors that are somewhere among the others. */
static void measure(struct kept_world *k, int counter, unsigned others, uint64_t costs[KINDS])
{
    uint64_t at[KINDS + 1];
    at[OPENS] = read_cost(counter);
    for (unsigned i = 0; i < EVENTS; i++)
        knock_as(&k->w, &(struct addr){4, {11, 0, (uint8_t)(i >> 8), (uint8_t)i}});
    at[IS_RECORDED] = read_cost(counter);
    assert_int_equal(doors_record(k->w.doors), 0);
    at[CLOSES] = read_cost(counter);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct addr address = {4, {11, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        struct doors_choice choice = {.door = "ssh", .address = &address};
        assert_int_equal(doors_close(k->w.doors, &choice), 1);
    }
    assert_int_equal(doors_record(k->w.doors), 0);
    at[EXTENDS] = read_cost(counter);
    k->w.plan.start.count = 0;
    for (unsigned i = 0; i < EVENTS; i++) {
        struct addr address = address_number(i * (others / EVENTS));
        struct doors_choice choice = {.door = "ssh", .address = &address};
        struct open_door open = {0};
        assert_true(doors_next(k->w.doors, &choice, &open));
        knock_as(&k->w, &address);
    }
    k->w.plan.start.count = 1;
    at[KINDS] = read_cost(counter);
    assert_int_equal(doors_record(k->w.doors), 0);
    for (unsigned i = 0; i < KINDS; i++)
        costs[i] = at[i + 1] - at[i];
}

/* The least of some measurements: others use the processors, too. */
static void measure_least(unsigned others, uint64_t least[KINDS])
{
    for (unsigned round = 0; round < 3; round++) {
        struct kept_world k;
        uint64_t costs[KINDS];
        int counter = count_instructions();
        take_up(&k, others);
        measure(&k, counter, others, costs);
        for (unsigned i = 0; i < KINDS; i++)
            least[i] = round == 0 || costs[i] < least[i] ? costs[i] : least[i];
        if (counter >= 0)
            close(counter);
        kept_die(&k);
        kept_end(&k);
    }
}

static void an_event_costs_no_more_beside_many(void **state)
{
    (void)state;
    uint64_t few[KINDS], many[KINDS];
    measure_least(FEW, few);
    measure_least(MANY, many);
    for (unsigned i = 0; i < KINDS; i++) {
        printf("# a door %s: %.0f beside %d, %.0f beside %d\n", event_names[i],
               (double)few[i] / EVENTS, FEW, (double)many[i] / EVENTS, MANY);
        assert_true(many[i] < 4 * few[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_door_is_small),
        cmocka_unit_test(an_event_costs_no_more_beside_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
