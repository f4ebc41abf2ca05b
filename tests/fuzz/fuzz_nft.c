/*
 * A firewall in force, as nft prints it in JSON and as text: what is read of it keeps the claims of
 * fuzz_firewall.h, what isn't is refused with a reason, and of a rule that has a statement which
 * nobody knows nothing is claimed. The first byte chooses the packets; the JSON follows, and behind
 * a NUL the text.
 */
#include "fuzz_firewall.h"

#include <jansson.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    ask();
    return 0;
}

static bool read_json(struct firewall *firewall, const char *json, bool iptables)
{
    char why[FIREWALL_WHY_SIZE] = "";
    bool good = firewall_read_nft(firewall, json, iptables, why);
    CLAIM(good == (*why == '\0'));
    return good;
}

/* The ruleset with a statement that nobody knows in front of all others of each rule. */
static char *with_unknown(const char *json)
{
    json_t *root = json_loads(json, 0, NULL), *list = json_object_get(root, "nftables");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *rule = json_object_get(json_array_get(list, i), "rule");
        json_array_insert_new(json_object_get(rule, "expr"), 0, json_pack("{s:n}", "?"));
    }
    char *text = json_dumps(root, 0);
    json_decref(root);
    CLAIM(text);
    return text;
}

static void claim_unknown(const char *json, bool iptables)
{
    struct firewall firewall = {0};
    char *odd = with_unknown(json);
    CLAIM(read_json(&firewall, odd, iptables));
    for (unsigned i = 0; i < firewall.count; i++)
        for (unsigned j = 0; j < firewall.chains[i].count; j++)
            CLAIM(firewall.chains[i].rules[j].partly);
    firewall_free(&firewall);
    free(odd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    unsigned how = input_byte(&in);
    struct firewall firewall = {0};
    char *json = input_text(&in), *listed = input_text(&in);
    if (read_json(&firewall, json, how & 1)) {
        claim_unknown(json, how & 1);
        CLAIM(firewall_name_nft(&firewall, listed));
        claim_rules(&firewall);
        claim_ways(&firewall, how & 4 ? FIREWALL_IP4 : FIREWALL_IP6,
                   how & 8 ? FIREWALL_STANDING : FIREWALL_NEW);
    }
    firewall_free(&firewall);
    free(json);
    free(listed);
    return 0;
}
