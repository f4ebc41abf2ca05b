/* Indexes the doors by the ports of their steps, and by what else they ask of a packet. */
#include "listener/match_index.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sort.h"

/* What an entry of the index is about; the roles of a port are bits of these. */
enum kind { KIND_FIRST, KIND_PAIR, KIND_LAST, KIND_STEP };

/* A role besides: some door ignores the port. */
enum { ROLE_IGNORED = 1 << (KIND_STEP + 1) };

/* What doors name and packets have: a target, or an interface's name. 17 bytes without padding, so
 * memcmp compares them. */
struct word {
    uint8_t kind; /* 4, 6: address; WORD_INTERFACE */
    uint8_t bytes[16];
};
enum { WORD_INTERFACE = 1 };
_Static_assert(sizeof(struct word) == 17 && IF_NAMESIZE <= 16, "a name fits a word");

/* Which packets a door sees. */
struct view {
    struct flag_match flags;
    uint16_t target, interface; /* words, 0: any */
};

struct match_index {
    /* All by TCP or UDP, and port. Most packets need to look no further than the roles. */
    uint8_t roles[2][65536];
    /* A bit for the ports that begin or end sequences: small enough to stay in the nearest cache,
     * since nearly every packet asks for it. */
    uint8_t concerned[2][65536 / 8];
    uint8_t begun_with[2][65536]; /* packets of the first run of any door */
    bool flags[256];
    struct word *words; /* sorted */
    unsigned word_count;
    struct view *views;
    unsigned view_count;
    uint32_t *door_views;
    struct index_entry *entries; /* sorted, none twice */
    unsigned entry_count;
};

static int compare_words(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct word));
}

static struct word address_word(const struct addr *address)
{
    struct word word = {.kind = address->family};
    memcpy(word.bytes, address->bytes, sizeof(word.bytes));
    return word;
}

static struct word interface_word(const char *name, size_t len)
{
    struct word word = {.kind = WORD_INTERFACE};
    memcpy(word.bytes, name, len);
    return word;
}

/* The number of a word, from 1; 0: no door asks for it. */
static uint16_t word_number(const struct match_index *index, struct word word)
{
    if (index->word_count == 0)
        return 0;
    const struct word *found =
        bsearch(&word, index->words, index->word_count, sizeof(word), compare_words);
    return found ? (uint16_t)(found - index->words + 1) : 0;
}

static uint16_t interface_number(const struct match_index *index, const char *name, size_t len)
{
    return len < IF_NAMESIZE ? word_number(index, interface_word(name, len)) : 0;
}

static void collect_words(struct match_index *index, const struct match_door *doors, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct match_door *door = &doors[i];
        if (door->target.family != 0)
            index->words[n++] = address_word(&door->target);
        if (door->interface[0] != '\0')
            index->words[n++] =
                interface_word(door->interface, strnlen(door->interface, IF_NAMESIZE - 1));
    }
    index->word_count =
        (unsigned)sort_unique(index->words, n, sizeof(*index->words), compare_words);
}

/* The number of the view that `door` has of packets; a new one if no earlier door has it. */
static uint32_t intern_view(struct match_index *index, const struct match_door *door)
{
    struct view view = {.flags = door->flags};
    if (door->target.family != 0)
        view.target = word_number(index, address_word(&door->target));
    if (door->interface[0] != '\0')
        view.interface =
            interface_number(index, door->interface, strnlen(door->interface, IF_NAMESIZE - 1));
    for (uint32_t i = 0; i < index->view_count; i++)
        if (memcmp(&index->views[i], &view, sizeof(view)) == 0)
            return i;
    index->views[index->view_count] = view;
    return index->view_count++;
}

static uint64_t port_proto_key(uint8_t proto, uint16_t port)
{
    return (proto == IPPROTO_UDP ? 1u << 16 : 0) | port;
}

static uint64_t entry_key(enum kind kind, uint64_t earlier, uint64_t later)
{
    return (uint64_t)kind << 40 | earlier << 20 | later;
}

static void add_entry(struct match_index *index, enum kind kind, const struct port_proto *earlier,
                      const struct port_proto *later, uint32_t value)
{
    uint64_t from = earlier ? port_proto_key(earlier->proto, earlier->port) : 0;
    uint64_t key = entry_key(kind, from, port_proto_key(later->proto, later->port));
    index->entries[index->entry_count++] = (struct index_entry){key, value};
    bool udp = later->proto == IPPROTO_UDP;
    index->roles[udp][later->port] |= (uint8_t)(1 << kind);
    /* The middle of a sequence is for addresses that are known, which are looked for anyway. */
    if (kind != KIND_STEP)
        index->concerned[udp][later->port / 8] |= (uint8_t)(1 << later->port % 8);
}

static int compare_entries(const void *a, const void *b)
{
    const struct index_entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static void add_door(struct match_index *index, const struct match_door *door, uint32_t number)
{
    const struct port_proto *steps = door->sequence.steps;
    uint32_t view = intern_view(index, door);
    unsigned run = 1;
    index->door_views[number] = view;
    for (unsigned i = 0; i < door->ignore_count; i++)
        index->roles[door->ignore[i].proto == IPPROTO_UDP][door->ignore[i].port] |= ROLE_IGNORED;
    if (door->sequence.count == 0)
        return; /* sealed knocks alone open it */
    for (unsigned flags = 0; flags < 256; flags++)
        index->flags[flags] |= flags_match(door->flags, (uint8_t)flags);
    while (run < door->sequence.count && port_proto_equal(steps[run], steps[0]))
        run++;
    uint8_t *most = &index->begun_with[steps[0].proto == IPPROTO_UDP][steps[0].port];
    if (*most < run)
        *most = (uint8_t)run;
    add_entry(index, KIND_FIRST, NULL, &steps[0], view);
    add_entry(index, KIND_LAST, NULL, &steps[door->sequence.count - 1], number);
    if (door->sequence.count > 1)
        add_entry(index, KIND_PAIR, &steps[0], &steps[1], view);
    for (unsigned i = 0; i < door->sequence.count; i++)
        add_entry(index, KIND_STEP, NULL, &steps[i], number);
}

/* A door's entries: one of each kind, but of KIND_STEP one a step. */
static size_t count_entries(const struct match_door *doors, unsigned count)
{
    size_t entries = 1; /* calloc(0) may give NULL */
    for (unsigned i = 0; i < count; i++)
        entries += KIND_STEP + doors[i].sequence.count;
    return entries;
}

struct match_index *match_index_new(const struct match_door *doors, unsigned count)
{
    assert(count < UINT16_MAX / 2); /* words are numbered with 16 bits, two a door */
    struct match_index *index = calloc(1, sizeof(*index));
    if (!index)
        return NULL;
    size_t room = (size_t)count + 1; /* calloc(0) may give NULL */
    index->words = calloc(2 * room, sizeof(*index->words));
    index->views = calloc(room, sizeof(*index->views));
    index->door_views = calloc(room, sizeof(*index->door_views));
    index->entries = calloc(count_entries(doors, count), sizeof(*index->entries));
    if (!index->words || !index->views || !index->door_views || !index->entries) {
        match_index_free(index);
        return NULL;
    }
    collect_words(index, doors, count);
    for (unsigned i = 0; i < count; i++)
        add_door(index, &doors[i], i);
    index->entry_count = (unsigned)sort_unique(index->entries, index->entry_count,
                                               sizeof(*index->entries), compare_entries);
    return index;
}

void match_index_free(struct match_index *index)
{
    if (!index)
        return;
    free(index->words);
    free(index->views);
    free(index->door_views);
    free(index->entries);
    free(index);
}

bool match_index_flags(const struct match_index *index, uint8_t flags)
{
    return index->flags[flags];
}

static bool has_role(const struct match_index *index, const struct packet_key *packet,
                     enum kind kind)
{
    return index->roles[packet->proto == IPPROTO_UDP][packet->dpt] & 1 << kind;
}

static bool view_sees(const struct view *view, const struct packet_key *packet)
{
    return (packet->proto == IPPROTO_UDP || flags_match(view->flags, packet->flags)) &&
           (view->target == 0 || view->target == packet->target) &&
           (view->interface == 0 || view->interface == packet->interface);
}

bool match_index_sees(const struct match_index *index, unsigned door,
                      const struct packet_key *packet)
{
    return view_sees(&index->views[index->door_views[door]], packet);
}

/* The first entry whose key isn't below `key`. */
static const struct index_entry *lower_bound(const struct match_index *index, uint64_t key)
{
    const struct index_entry *base = index->entries;
    for (size_t left = index->entry_count; left > 0;) {
        size_t half = left / 2;
        if (base[half].key < key) {
            base += half + 1;
            left -= half + 1;
        } else {
            left = half;
        }
    }
    return base;
}

static struct index_range find_entries(const struct match_index *index, uint64_t key)
{
    return (struct index_range){lower_bound(index, key), lower_bound(index, key + 1)};
}

static bool begins(const struct match_index *index, const struct packet_key *packet)
{
    if (!has_role(index, packet, KIND_FIRST))
        return false;
    uint64_t key = entry_key(KIND_FIRST, 0, port_proto_key(packet->proto, packet->dpt));
    struct index_range range = find_entries(index, key);
    for (const struct index_entry *entry = range.begin; entry < range.end; entry++)
        if (view_sees(&index->views[entry->value], packet))
            return true;
    return false;
}

bool match_index_concerns(const struct match_index *index, const struct packet *packet)
{
    bool udp = packet->proto == IPPROTO_UDP;
    return index->concerned[udp][packet->dpt / 8] & 1 << packet->dpt % 8;
}

bool match_index_knows(const struct match_index *index, const struct packet *packet)
{
    return index->roles[packet->proto == IPPROTO_UDP][packet->dpt] != 0;
}

void match_index_digest(const struct match_index *index, const struct packet *packet,
                        struct packet_key *out)
{
    *out = (struct packet_key){
        .dpt = packet->dpt,
        .target = word_number(index, address_word(&packet->dst)),
        .interface = interface_number(index, packet->in, packet->in_len),
        .proto = (uint8_t)packet->proto,
        .flags = packet->proto == IPPROTO_TCP ? packet->flags : 0,
    };
    out->first = begins(index, out);
    out->second = has_role(index, out, KIND_PAIR);
}

bool match_index_pair(const struct match_index *index, const struct packet_key *earlier,
                      const struct packet_key *later)
{
    if (!earlier->first)
        return false;
    uint64_t key = entry_key(KIND_PAIR, port_proto_key(earlier->proto, earlier->dpt),
                             port_proto_key(later->proto, later->dpt));
    struct index_range range = find_entries(index, key);
    for (const struct index_entry *entry = range.begin; entry < range.end; entry++) {
        const struct view *view = &index->views[entry->value];
        if (view_sees(view, earlier) && view_sees(view, later))
            return true;
    }
    return false;
}

unsigned match_index_begun_with(const struct match_index *index, const struct packet_key *packet)
{
    unsigned most = index->begun_with[packet->proto == IPPROTO_UDP][packet->dpt];
    return most > 1 ? most : 1;
}

struct index_range match_index_ending(const struct match_index *index,
                                      const struct packet_key *packet)
{
    if (!has_role(index, packet, KIND_LAST))
        return (struct index_range){NULL, NULL};
    return find_entries(index, entry_key(KIND_LAST, 0, port_proto_key(packet->proto, packet->dpt)));
}

struct index_range match_index_steps(const struct match_index *index,
                                     const struct packet_key *packet)
{
    if (!has_role(index, packet, KIND_STEP))
        return (struct index_range){NULL, NULL};
    return find_entries(index, entry_key(KIND_STEP, 0, port_proto_key(packet->proto, packet->dpt)));
}
