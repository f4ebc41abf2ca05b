/* Doors that are elements of sets and maps of nft: what a command that was killed may have added is
 * deleted, and a map's element, too, when it isn't known whether it is there. By a program that
 * stands for nft. */
#include "writeback_help.h"

#include <sys/stat.h>

enum { MANY = 12 };

/*
 * What is in the set stands in the file "set", one a line. With a file "hang" it does what it is
 * told, and hangs then. With a file "map" it adds no element, as of a map without its data.
 */
static const char script[] =
    "#!/bin/bash\n"
    "cd \"${0%/*}\"; echo call >>out; exec 9<nft; flock 9\n"
    "text=\"$*\"; [ \"$1\" != -f ] || IFS= read -r -d '' text\n"
    "mapfile -t lines <<<\"${text//; /$'\\n'}\"\n"
    "declare -A there; while read -r address; do there[$address]=1; done <set\n"
    "for line in \"${lines[@]}\"; do\n"
    "    read -r verb element family table set brace address rest <<<\"$line\"\n"
    "    case $verb in\n"
    "    '') ;;\n"
    "    add) [ ! -e map ] || exit 1; there[$address]=1 ;;\n"
    "    *) [ \"${there[$address]}\" ] || exit 1; unset \"there[$address]\" ;;\n"
    "    esac\n"
    "done\n"
    "for address in \"${!there[@]}\"; do echo $address; done >set.new; mv set.new set\n"
    "exec 9<&-; [ ! -e hang ] || sleep 1000\n";

static void add_nft(struct kept_world *k, struct plan_list *list, const char *template)
{
    char path[128];
    bench_path(&k->w.bench, "nft", path);
    for (unsigned i = 0; i < list->count; i++) {
        free(list->items[i].program);
        free(list->items[i].template);
    }
    list->count = 1;
    list->items[0] = (struct plan_command){strdup(path), strdup(template)};
}

static void begin(struct kept_world *k)
{
    char path[128];
    memset(k, 0, sizeof(*k));
    kept_make(k, 3600 * CLOCK_SECOND, AT_ONCE, AT_ONCE);
    runner_set_limit(k->w.runner, 1500 * MS);
    bench_write(&k->w.bench, "nft", script);
    bench_write(&k->w.bench, "set", "");
    bench_path(&k->w.bench, "nft", path);
    assert_int_equal(chmod(path, 0700), 0);
    add_nft(k, &k->w.plan.start, "nft add element inet t s { %IP% }");
    add_nft(k, &k->w.plan.stop, "nft delete element inet t s { %IP% }");
}

static void end(struct kept_world *k)
{
    static const char *const made[] = {"nft", "set", "hang", "map", "set.new"};
    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
        bench_remove(&k->w.bench, made[i]);
    kept_end(k);
}

static bool is_set(void *arg)
{
    struct kept_world *k = arg;
    char text[4096];
    return strcmp(bench_read(&k->w.bench, "set", text, sizeof(text)), k->w.wanted) == 0;
}

/* Waits until all that is in the set is `text`. */
static void wait_set(struct kept_world *k, const char *text)
{
    char now[4096];
    k->w.wanted = text;
    if (bench_within(&k->w.bench, PATIENCE, is_set, k))
        return;
    bench_speak(&k->w.bench);
    fail_msg("waited for \"%s\" in vain, there is \"%s\"", text,
             bench_read(&k->w.bench, "set", now, sizeof(now)));
}

/* Of the door, one has ended by itself: others run together from here on. */
static void try_door(struct kept_world *k)
{
    knock_from(&k->w, "192.0.2.200");
    wait_log(&k->w, "opened for 192.0.2.200");
}

static void knock_often(struct kept_world *k)
{
    char address[32];
    for (int i = 1; i <= MANY; i++) {
        snprintf(address, sizeof(address), "192.0.2.%d", i);
        knock_from(&k->w, address);
    }
}

static unsigned count_set(struct kept_world *k)
{
    return bench_count(&k->w.bench, "set", "192");
}

static bool is_full(void *arg)
{
    return count_set(arg) == 1 + MANY;
}

static bool has_calls(void *arg)
{
    struct kept_world *k = arg;
    return bench_count(&k->w.bench, "out", "call") >= 3;
}

/* The batch did all before it was killed; most of its commands wait to be run again. */
static void what_waits_to_be_run_again_is_undone(void **state)
{
    (void)state;
    struct kept_world k;
    begin(&k);
    try_door(&k);
    bench_write(&k.w.bench, "hang", "");
    knock_often(&k);
    bench_until(&k.w.bench, is_full, &k);
    bench_until(&k.w.bench, has_calls, &k);
    bench_remove(&k.w.bench, "hang");
    doors_close(k.w.doors, &(struct doors_choice){0});
    bench_until(&k.w.bench, all_gone, &k.w);
    wait_set(&k, "");
    end(&k);
}

/* An element of a map can be deleted, but not added, without its data. */
static void what_is_of_an_earlier_run_goes_out_of_a_map(void **state)
{
    (void)state;
    struct kept_world k;
    begin(&k);
    try_door(&k);
    wait_set(&k, "192.0.2.200\n");
    bench_write(&k.w.bench, "map", "");
    kept_die(&k);
    kept_begin(&k);
    assert_int_equal(doors_resume(k.w.doors), 0);
    doors_close(k.w.doors, &(struct doors_choice){0});
    wait_set(&k, "");
    bench_until(&k.w.bench, all_gone, &k.w);
    end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_to_be_run_again_is_undone),
        cmocka_unit_test(what_is_of_an_earlier_run_goes_out_of_a_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
