/*
 * Which job is next: those that wait, in three queues, and what their groups have shown so far. A
 * group whose commands hang takes no place from the others, and what opens waits for what deletes.
 */
#include <stdlib.h>
#include <string.h>

#include "keeper/runner_parts.h"
#include "keeper/set_command.h"
#include "lib/clock.h"

/* So long a command waits for one of its kind that runs, to go with all others that wait. */
static const int64_t gather_time = 500 * INT64_C(1000000);

/*
 * What deletes a rule of iptables-nft reads all of its table first, and does so again when anything
 * is changed meanwhile: among openings that never end it would not, either. So an opening waits for
 * a deletion, but no longer than `quiet_time`, and then again as long. One by a single command ends
 * soon where there are few rules: only one that runs for a moment already is waited for. A deletion
 * waits for openings, too, and a batch of them for another, but not for ever.
 */
static const int64_t quiet_time = 5 * CLOCK_SECOND, quiet_moment = CLOCK_SECOND / 20,
                     openings_time = CLOCK_SECOND;

/* --- what a job runs next --- */

const struct command *job_command_to_run(const struct job *job, struct command *own)
{
    *own = (struct command){0};
    bool forgives = job->doubtful && !job->plain && job->kind == JOB_UNDO &&
                    set_command_forgiving(job_command(job), own) == 0;
    return forgives ? own : job_command(job);
}

bool job_runs_forgiving(const struct job *job)
{
    struct command own;
    bool forgives = job_command_to_run(job, &own) == &own;
    free(own.text);
    return forgives;
}

/* --- which commands go together --- */

static bool find_kind(const struct job *job, struct batch_kind *out)
{
    struct command own;
    bool found = batch_kind_of(job_command_to_run(job, &own), out);
    free(own.text);
    return found;
}

/* Makes the class of a kind. */
static void begin_class(const struct runner *runner, struct batch_class *class,
                        const struct batch_kind *kind)
{
    struct command command = {0};
    *class = (struct batch_class){.kind = *kind, .most = {RUNNER_BATCH_FIRST, RUNNER_BATCH_FIRST}};
    class->changes_nft = batch_changes_nft(kind);
    class->saves = kind->checks && batch_save_command(kind, &command) == 0;
    free(command.text);
    command.text = NULL;
    class->deletes = runner->deleter && batch_delete_command(kind, runner->deleter, &command) == 0;
    free(command.text);
    /* The table is read once, however many they are. */
    if (class->deletes)
        class->most[JOB_UNDO] *= RUNNER_BATCH_GROWTH;
}

/* The class of the job's next command; NULL: it has none. */
static struct batch_class *find_class(struct runner *runner, const struct job *job)
{
    struct batch_kind kind;
    if (!find_kind(job, &kind))
        return NULL;
    for (unsigned i = 0; i < runner->class_count; i++)
        if (batch_kinds_equal(&runner->classes[i].kind, &kind))
            return &runner->classes[i];
    if (runner->class_count == BATCH_CLASSES)
        return NULL;
    struct batch_class *class = &runner->classes[runner->class_count++];
    begin_class(runner, class, &kind);
    return class;
}

/* Sets what the job's next command is of, and what it may go with. What looks whether a rule is
 * gone that couldn't be deleted runs alone: it most likely says no, by which a batch fails. */
static void classify(struct runner *runner, struct job *job)
{
    bool looks = job->quiet && job->kind == JOB_UNDO;
    job->like = find_class(runner, job);
    job->class = runner->batch && !job->alone && !looks ? job->like : NULL;
}

/* --- the queues --- */

/* What opens a door waits for no check of those that are open. */
struct job_queue *turns_queue(struct runner *runner, const struct job *job)
{
    return &runner->queues[job->kind == JOB_UNDO ? QUEUE_UNDOS
                           : job->quiet          ? QUEUE_CHECKS
                                                 : QUEUE_DOS];
}

void turns_enqueue(struct runner *runner, struct job *job)
{
    classify(runner, job);
    TAILQ_INSERT_TAIL(turns_queue(runner, job), job, link);
    job->queued = true;
}

void turns_dequeue(struct runner *runner, struct job *job)
{
    TAILQ_REMOVE(turns_queue(runner, job), job, link);
    job->queued = false;
}

void turns_put_back(struct runner *runner, struct job_queue *jobs, unsigned together)
{
    struct job *job;
    while ((job = TAILQ_LAST(jobs, job_queue))) {
        TAILQ_REMOVE(jobs, job, link);
        job->together = together;
        classify(runner, job);
        if (together == 1)
            job->class = NULL;
        job->queued = true;
        TAILQ_INSERT_HEAD(turns_queue(runner, job), job, link);
    }
    runner_kick(runner);
}

/* --- groups --- */

static unsigned group_bucket(const char *name)
{
    return runner_hash(name) % GROUP_BUCKETS;
}

struct group *turns_group(struct runner *runner, const char *name)
{
    unsigned bucket = group_bucket(name);
    struct group *group;
    for (group = LIST_FIRST(&runner->groups[bucket]); group; group = LIST_NEXT(group, link))
        if (strcmp(group->name, name) == 0)
            return group;
    size_t size = strlen(name) + 1;
    group = calloc(1, sizeof(*group) + size);
    if (!group)
        return NULL;
    memcpy(group->name, name, size);
    LIST_INSERT_HEAD(&runner->groups[bucket], group, link);
    return group;
}

static bool is_slow(const struct job *job)
{
    return job->hung || (job->member && job->member->way[job->kind] == HANGS);
}

bool turns_untried(const struct job *job)
{
    return !is_slow(job) && job->member && job->member->way[job->kind] == UNTRIED &&
           !(job->quiet && job->member->checks_end);
}

/* --- places --- */

/* What runs, and which jobs are looked for. */
struct load {
    struct runner *runner;
    bool want_slow;
    int running, opening;
    int slow[2], untried[2]; /* by enum job_kind */
};

static struct load load_of(struct runner *runner)
{
    struct load load = {.runner = runner};
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        const struct job *job = runner->slots[i].job;
        if (!job)
            continue;
        load.running++;
        load.opening += job->kind == JOB_DO;
        load.slow[job->kind] += is_slow(job);
        load.untried[job->kind] += turns_untried(job);
    }
    return load;
}

/*
 * The places that are left for a job of its kind. What opens, and what is slow, leaves two to undos
 * that aren't; and one of the two stays with undos of groups whose last one ended.
 */
static int places(const struct load *load, const struct job *job)
{
    int all = RUNNER_SLOTS - load->running;
    int behind = load->opening + load->slow[JOB_UNDO];
    int doubtful = behind + load->untried[JOB_UNDO];
    bool yields = job->kind == JOB_DO || is_slow(job);
    if ((yields || turns_untried(job)) && all > RUNNER_SLOTS - 1 - doubtful)
        all = RUNNER_SLOTS - 1 - doubtful;
    if (yields && all > RUNNER_SLOTS - RUNNER_UNDO_SLOTS - behind)
        all = RUNNER_SLOTS - RUNNER_UNDO_SLOTS - behind;
    return all;
}

static bool are_alike(const struct job *a, const struct job *b)
{
    return a->kind == b->kind && a->quiet == b->quiet;
}

/* Those of its group that run: all of them, or those that are `alike`. */
static int running_of(const struct runner *runner, const struct job *job, bool alike)
{
    int count = 0;
    for (int i = 0; job->member && i < RUNNER_SLOTS; i++) {
        const struct job *other = runner->slots[i].job;
        count += other && other->member == job->member && (!alike || are_alike(other, job));
    }
    return count;
}

/*
 * A group takes no more places than are left: half of them at most, and when the commands of a
 * second one hang as well, a third finds a place. While nothing is known of it, one has to do.
 */
static bool may_run(const struct load *load, const struct job *job)
{
    static const int untried_most[2] = {
        [JOB_DO] = RUNNER_UNTRIED_DO, [JOB_UNDO] = RUNNER_UNTRIED_UNDO};
    if (is_slow(job) && load->slow[job->kind] >= RUNNER_SLOW)
        return false;
    if (turns_untried(job) && (load->untried[job->kind] >= untried_most[job->kind] ||
                               running_of(load->runner, job, true) > 0))
        return false;
    return running_of(load->runner, job, false) < places(load, job);
}

/* --- what waits for what --- */

/* Until when an opening waits for a deletion that runs in the slot. */
static int64_t opening_waits(const struct slot *slot, int64_t now)
{
    int64_t opened = slot->runner->opened;
    /* Those that begin at one moment don't wait for each other. */
    if (now < opened + quiet_moment || (slot->count == 1 && now < slot->since + quiet_moment))
        return 0;
    return (opened > slot->since ? opened : slot->since) + quiet_time;
}

/* Until when what runs in the slot keeps the job waiting, of which it knows. */
static int64_t waits_until(const struct slot *slot, const struct job *job, int64_t now)
{
    const struct job *other = slot->job;
    bool deletes = job->kind == JOB_UNDO && job->like && job->like->deletes;
    if (!other)
        return 0;
    if (slot->deletes && job->kind == JOB_DO && job->like && job->like->changes_nft)
        return opening_waits(slot, now);
    if (slot->deletes && slot->count > 1 && deletes)
        return slot->since + quiet_time;
    if (deletes && other->kind == JOB_DO && other->like && other->like->changes_nft)
        return slot->since + openings_time;
    return job->class && !is_slow(job) && other->class == job->class && other->kind == job->kind
               ? slot->since + gather_time
               : 0;
}

/* Whether one of its kind runs, with which it would have gone, so that those which wait gather; or
 * one that it would disturb. */
static bool gathers(struct runner *runner, const struct job *job)
{
    int64_t now = clock_now();
    bool waits = false;
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        const struct slot *slot = &runner->slots[i];
        int64_t until = waits_until(slot, job, now);
        if (until <= now)
            continue;
        waits = true;
        runner->openings_next |= slot->deletes && job->kind == JOB_DO;
        if (until < runner->gathering)
            runner->gathering = until;
    }
    return waits;
}

/* --- the next one --- */

/* Slow groups take turns, so that one which has recovered doesn't wait for all of another. */
static int64_t job_rank(const struct load *load, const struct job *job)
{
    if (is_slow(job) != load->want_slow || !may_run(load, job) || gathers(load->runner, job))
        return -1;
    return load->want_slow && job->member ? job->member->turn[job->kind] : 0;
}

/* Takes out the waiting job of the lowest rank, of equal ones the first; a rank below 0 isn't
 * taken, and none is lower than 0. NULL when there is none. */
static struct job *dequeue_best(struct runner *runner, int queue, const struct load *load)
{
    struct job *best = NULL, *job;
    int64_t lowest = INT64_MAX;
    for (job = TAILQ_FIRST(&runner->queues[queue]); job; job = TAILQ_NEXT(job, link)) {
        int64_t own = job_rank(load, job);
        if (own < 0 || own >= lowest)
            continue;
        best = job;
        lowest = own;
        if (lowest == 0)
            break;
    }
    if (best)
        turns_dequeue(runner, best);
    return best;
}

/* Slow ones are last, but one of them runs at any time: they don't wait for ever. */
static struct job *dequeue_from(struct runner *runner, int queue)
{
    struct load load = load_of(runner);
    load.want_slow = load.slow[queue == QUEUE_UNDOS ? JOB_UNDO : JOB_DO] == 0;
    struct job *job = dequeue_best(runner, queue, &load);
    load.want_slow = !load.want_slow;
    return job ? job : dequeue_best(runner, queue, &load);
}

/* Whether something deletes rules of iptables-nft. */
static bool deletes_now(const struct runner *runner)
{
    for (int i = 0; i < RUNNER_SLOTS; i++)
        if (runner->slots[i].job && runner->slots[i].deletes)
            return true;
    return false;
}

struct job *turns_next(struct runner *runner)
{
    static const int order[2][QUEUES] = {{QUEUE_UNDOS, QUEUE_DOS, QUEUE_CHECKS},
                                         {QUEUE_DOS, QUEUE_UNDOS, QUEUE_CHECKS}};
    struct job *job = NULL;
    bool openings = runner->openings_next && !deletes_now(runner);
    runner->openings_next &= !openings;
    for (int i = 0; i < QUEUES && !job; i++)
        job = dequeue_from(runner, order[openings][i]);
    if (job && job->member && is_slow(job))
        job->member->turn[job->kind] = ++runner->turns;
    return job;
}

void turns_note_hung(struct job *job)
{
    job->late++;
    job->hung = true;
    if (job->member)
        job->member->way[job->kind] = HANGS;
}

void turns_note_over(struct job *job)
{
    if (job->member && job->quiet && job->late == 0 && job->started > 0)
        job->member->checks_end = true;
    if (job->quiet || job->killed || job->late > 0 || job->started == 0)
        return;
    if (job->failed == 0)
        job->hung = false;
    if (job->member)
        job->member->way[job->kind] = ENDS;
}

void turns_end(struct runner *runner)
{
    for (unsigned i = 0; i < GROUP_BUCKETS; i++) {
        while (!LIST_EMPTY(&runner->groups[i])) {
            struct group *group = LIST_FIRST(&runner->groups[i]);
            LIST_REMOVE(group, link);
            free(group);
        }
    }
}
