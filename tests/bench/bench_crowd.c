/*
 * bench_crowd STATE_DIR COUNT DUE START STOP CHECK LINE: writes COUNT openings into a new store, as
 * knockd has them by the time that they are in the firewall, and prints LINE for each of them, by
 * which the firewall gets them. They are due to close at DUE, in ms since the epoch. START, STOP
 * and CHECK are their commands, CHECK "" for none; %IP% in all of these is an address of each one's
 * own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keeper/store.h"
#include "lib/clock.h"
#include "lib/command_words.h"
#include "lib/config.h"

static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "bench_crowd: %s\n", why);
    exit(EXIT_FAILURE);
}

static void read_boot_id(char out[64])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!file || !fgets(out, 64, file))
        give_up("no boot_id");
    out[strcspn(out, "\n")] = '\0';
    fclose(file);
}

/* The text with the address in the place of each %IP%. */
static char *fill_in(const char *text, const char *address)
{
    static const char place[] = "%IP%";
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);
    if (!file)
        give_up("out of memory");
    for (const char *at; (at = strstr(text, place)); text = at + strlen(place))
        fprintf(file, "%.*s%s", (int)(at - text), text, address);
    fputs(text, file);
    fclose(file);
    return out;
}

/* The command of `text`, as a configuration has it. */
static void make_command(struct command *command, const char *text, const char *address)
{
    static struct command_words split;
    char *filled = fill_in(text, address);
    size_t size;
    FILE *file = open_memstream(&command->text, &size);
    if (!file || command_words_split(filled, &split))
        give_up(text);
    command->words = 0;
    for (char **word = split.words; *word; word++, command->words++)
        fwrite(*word, strlen(*word) + 1, 1, file);
    fclose(file);
    command->size = size;
    free(filled);
}

/* What they all have. */
struct crowd {
    struct store *store;
    int64_t deadline;
    const char *start, *stop, *check, *line;
};

static void add(const struct crowd *crowd, unsigned number)
{
    struct command start, stop, check = {0};
    struct stored_door door = {.state = STORED_OPEN,
                               .name = "ssh",
                               .by = "sequence",
                               .address = {4, {10, 2, (uint8_t)(number >> 8), (uint8_t)number}},
                               .opened_wall = time(NULL),
                               .deadline = crowd->deadline,
                               .length = 3600 * CLOCK_SECOND,
                               .stop_ok = {3},
                               .start = {1, &start},
                               .stop = {1, &stop},
                               .check = {*crowd->check != '\0', &check}};
    char text[ADDR_TEXT_SIZE];
    addr_format(&door.address, text);
    make_command(&start, crowd->start, text);
    make_command(&stop, crowd->stop, text);
    if (*crowd->check)
        make_command(&check, crowd->check, text);
    if (store_add(crowd->store, &door) < 0)
        give_up(store_error(crowd->store));
    char *line = fill_in(crowd->line, text);
    puts(line);
    free(line);
    free(start.text);
    free(stop.text);
    free(check.text);
}

int main(int argc, char **argv)
{
    char boot[64], why[512];
    struct store_found found;
    if (argc != 8)
        give_up("usage: bench_crowd STATE_DIR COUNT DUE START STOP CHECK LINE");
    read_boot_id(boot);
    int64_t until_due = atoll(argv[3]) * (CLOCK_SECOND / 1000) - clock_wall();
    struct crowd crowd = {.store = store_open(argv[1], boot, 0, &found, why, sizeof(why)),
                          .deadline = clock_now() + until_due,
                          .start = argv[4],
                          .stop = argv[5],
                          .check = argv[6],
                          .line = argv[7]};
    if (!crowd.store)
        give_up(why);
    for (unsigned i = 1; i <= (unsigned)atoi(argv[2]); i++)
        add(&crowd, i);
    if (store_commit(crowd.store) < 0)
        give_up(store_error(crowd.store));
    store_close(crowd.store);
    return 0;
}
