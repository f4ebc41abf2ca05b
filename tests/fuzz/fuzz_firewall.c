/*
 * A firewall in force, as iptables-save or nft print it: whatever the text says, packets only get
 * lost on their way, nobody is shown ports that weren't asked about, and the way ends. The first
 * byte chooses the format and the packets, the rest is the text.
 */
#include "fuzz.h"

#include <netinet/in.h>

#include "knockctl/firewall.h"

enum { IPTABLES, IP6TABLES, NFT, NFT_BESIDE_IPTABLES, FORMATS };

static struct port_set asked;

static bool is_within(const struct port_set *ports, const struct port_set *others)
{
    struct port_set rest = *ports;
    port_set_remove(&rest, others);
    return port_set_is_empty(&rest);
}

static void visit(void *arg, const struct firewall_chain *chain, const struct firewall_rule *rule,
                  const struct port_set *ports, bool surely)
{
    const struct firewall *firewall = arg;
    (void)surely;
    CLAIM(chain >= firewall->chains && chain < firewall->chains + firewall->count);
    CLAIM(!rule || (rule >= chain->rules && rule < chain->rules + chain->count));
    CLAIM(!port_set_is_empty(ports) && is_within(ports, &asked));
}

static bool read_text(struct firewall *firewall, unsigned format, const char *text)
{
    if (format <= IP6TABLES)
        return firewall_read_iptables(firewall, text,
                                      format == IPTABLES ? FIREWALL_IP4 : FIREWALL_IP6);
    return firewall_read_nft(firewall, text, format == NFT_BESIDE_IPTABLES);
}

static void claim_rules(const struct firewall *firewall)
{
    for (unsigned i = 0; i < firewall->count; i++) {
        const struct firewall_chain *chain = &firewall->chains[i];
        CLAIM(chain->table && chain->name && (chain->families & ~(unsigned)FIREWALL_BOTH) == 0);
        for (unsigned j = 0; j < chain->count; j++)
            CLAIM(*chain->rules[j].text && !strchr(chain->rules[j].text, '\n'));
    }
}

/* Those of the first chains: sanitizers take their time. */
static void claim_ways(struct firewall *firewall, enum firewall_family family,
                       enum firewall_packet kind)
{
    const struct firewall_visitor visitor = {visit, firewall};
    for (unsigned i = 0; i < firewall->count && i < 2; i++) {
        struct port_set ports = asked;
        if (!firewall->chains[i].input || !(firewall->chains[i].families & family))
            continue;
        firewall_walk(firewall, &firewall->chains[i], family, kind, &ports, &visitor);
        CLAIM(is_within(&ports, &asked));
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    port_set_add(&asked, IPPROTO_TCP, 22, 22);
    port_set_add(&asked, IPPROTO_TCP, 7000, 9000);
    port_set_add(&asked, IPPROTO_UDP, 20000, 32287);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    unsigned how = input_byte(&in);
    struct firewall firewall = {0};
    char *text = input_text(&in);
    CLAIM(read_text(&firewall, how % FORMATS, text));
    claim_rules(&firewall);
    claim_ways(&firewall, how & 4 ? FIREWALL_IP4 : FIREWALL_IP6,
               how & 8 ? FIREWALL_STANDING : FIREWALL_NEW);
    firewall_free(&firewall);
    free(text);
    return 0;
}
