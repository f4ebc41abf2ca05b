/* Random knocks at a door whose commands fail at random: they never overlap, and all is undone. */
#include "doors_help.h"

enum { ADDRESSES = 6 };
static const int64_t duration = 1500 * MS;

/* Files of one address: a trace "(s)(e)(t)". %% is for the template, $$ a number at random. */
#define TRACE(letter, body)                                                                        \
    "sh -c \"cd %s; printf '(" letter "' >>%%IP%%; " body "; rc=$?; printf ')' >>%%IP%%; exit $rc\""
#define SOMETIMES "sleep 0.0$(($$ %%%% 8)); [ $(($$ %%%% 4)) -ne 0 ]"

static void set_one(struct doors_world *w, struct plan_list *list, const char *format)
{
    list_free(list);
    *list = (struct plan_list){1, calloc(1, sizeof(*list->items))};
    assert_non_null(list->items);
    list->items[0].program = strdup("/bin/sh");
    assert_true(asprintf(&list->items[0].template, format, w->bench.dir) > 0);
}

/* Another set of commands that does the same, as after a reload. */
static void reload(struct doors_world *w, bool other)
{
    set_one(w, &w->plan.start, other ? TRACE("s", SOMETIMES) " x" : TRACE("s", SOMETIMES));
    set_one(w, &w->plan.stop, TRACE("t", "sleep 0.02"));
    set_one(w, &w->plan.extend, TRACE("e", SOMETIMES));
}

static void knock_at_random(void *arg)
{
    struct doors_world *w = arg;
    struct addr a = {4, {192, 0, 2, (uint8_t)(1 + rand() % ADDRESSES)}};
    if (rand() % 16 == 0)
        reload(w, rand() % 2);
    w->door.cmd_timeout = (1 + rand() % 120) * MS;
    knock_as(w, &a);
}

/* A command ends before another begins; each start is undone before the next one. */
static void assert_in_order(const struct bench *b, const char *name, const char *trace)
{
    bool open = false;
    const char *p = trace;
    for (; p[0] == '(' && p[1] && p[2] == ')'; p += 3) {
        if (p[1] == 's' ? open : !open)
            break;
        open = p[1] != 't';
    }
    if (!*p && !open)
        return;
    bench_speak(b);
    fail_msg("%s, at '%s': %s", name, p, trace);
}

struct knocks {
    struct doors_world world;
    struct timer timer;
    unsigned count;
};

static void on_time(void *arg)
{
    struct knocks *k = arg;
    knock_at_random(&k->world);
    k->count++;
    loop_timer_set(k->world.bench.loop, &k->timer, clock_now() + rand() % 10 * MS);
}

static void commands_never_overlap(void **state)
{
    (void)state;
    static struct knocks k;
    static char text[1 << 16];
    struct doors_world *w = &k.world;
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)clock_now();
    printf("# SEED=%u\n", seed);
    srand(seed);
    make_world(w, 50 * MS, AT_ONCE, AT_ONCE, AT_ONCE);
    reload(w, false);
    assert_int_equal(loop_timer_register(w->bench.loop, &k.timer, on_time, &k), 0);
    loop_timer_set(w->bench.loop, &k.timer, clock_now());
    serve(w, duration);
    loop_timer_unregister(w->bench.loop, &k.timer);
    doors_close_all(w->doors, on_closed, w);
    bench_until(&w->bench, is_closed, w);
    assert_int_equal(doors_count(w->doors), 0);
    assert_int_equal(w->closed, 1);
    assert_true(k.count > 0);
    for (int i = 1; i <= ADDRESSES; i++) {
        char name[16];
        snprintf(name, sizeof(name), "192.0.2.%d", i);
        assert_in_order(&w->bench, name, bench_read(&w->bench, name, text, sizeof(text)));
        bench_remove(&w->bench, name);
    }
    end_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_never_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
