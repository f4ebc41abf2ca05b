/* knockctl close --stray and rules --check: rules of doors in the firewall that no opening owns. */
#include <string.h>

#include "control/request_parts.h"
#include "keeper/strays.h"
#include "lib/clock.h"

/* knockctl is told in this time that it takes longer; from then on the keeper does nothing else. */
static const int64_t pause = CLOCK_SECOND / 50;

/* How long all of it may take: iptables waits 5 s for its lock. The listener owes its sign of life
 * for longer. */
static const int64_t look_limit = 10 * CLOCK_SECOND;
static const int64_t removal_limit = 10 * CLOCK_SECOND;

void requests_serve_strays(void *arg, struct answer *answer, char *const *words)
{
    struct requests *requests = arg;
    bool remove = words[1] != NULL;
    if (remove && strcmp(words[1], "remove") != 0) {
        answer_wrong_argument(answer, "\"%s\": expected remove, or nothing", words[1]);
        return;
    }
    struct pending *pending =
        pending_begin(&requests->pending, PENDING_STRAYS, answer, clock_now() + pause);
    pending->remove = remove;
}

/* How many are listed: an answer has its limit. */
enum { LISTED_MAX = 1000 };

static void list_stray(struct answer *answer, const struct stray *stray, bool remove)
{
    static const char *const kinds[] = {
        [STRAY_OURS] = "ours", [STRAY_UNKNOWN] = "unknown-door", [STRAY_ALIKE] = "alike"};
    char command[ROW_MAX / 3];
    struct row row;
    row_begin(&row, 0, "stray");
    row_text(&row, "kind", kinds[stray->kind]);
    row_number(&row, "family", stray->ip6 ? 6 : 4);
    row_text(&row, "door", stray->door);
    row_text(&row, "table", stray->table);
    if (remove)
        row_flag(&row, "removed", stray->removed);
    row_text(&row, "command", stray_command(stray, command, sizeof(command)));
    answer_row(answer, &row);
}

/* Lists them, and at the end how many there are of each family, or (`remove`) were removed. */
static void list_strays(struct answer *answer, const struct strays *strays, bool remove)
{
    unsigned listed = 0, removed = 0, left = 0, found[2] = {0};
    struct row row;
    for (unsigned i = 0; i < strays->count; i++) {
        const struct stray *stray = &strays->items[i];
        if (remove && stray->kind != STRAY_OURS)
            continue;
        if (listed++ < LISTED_MAX)
            list_stray(answer, stray, remove);
        found[stray->ip6]++;
        removed += stray->removed;
        left += !stray->removed;
    }
    row_begin(&row, 0, "strays");
    if (remove) {
        row_number(&row, "removed", removed);
        row_number(&row, "left", left);
    } else {
        row_number(&row, "ipv4", found[0]);
        row_number(&row, "ipv6", found[1]);
    }
    answer_row(answer, &row);
}

void requests_find_strays(void *arg, struct answer *answer, bool remove)
{
    struct requests *requests = arg;
    struct requests_state state = requests_state(requests);
    int64_t now = clock_now();
    struct strays strays;
    strays_find(requests->services.doors, state.config, state.plans, now + look_limit, &strays);
    char why[sizeof(strays.why)];
    memcpy(why, strays.why, sizeof(why));
    if (remove && strays.count > 0) {
        strays_remove(&strays, clock_now() + removal_limit);
        strays_log_removed(&strays);
    }
    answer_begin(answer, ANSWER_LIST);
    list_strays(answer, &strays, remove);
    /* What was found is told, and after it that it wasn't all. */
    if (why[0] || strays.why[0])
        answer_error(answer, "%s", why[0] ? why : strays.why);
    else
        answer_end(answer);
    strays_free(&strays);
}
