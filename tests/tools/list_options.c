/*
 * Prints the tables that the programs read their command lines by, and those of the configuration
 * files, for what is made of them and compared with them: a line each, with tabs between.
 *
 *   command  PROGRAM  NAME     WORDS     HELP
 *   option   PROGRAM  COMMAND  --NAME  -LETTER  ARGUMENT  HELP       "-": there is none
 *   replaced PROGRAM  -  --NAME  -LETTER  -  -            what another program's options are
 *   key      FILE     SECTION  NAME
 */
#include <string.h>

#include "knock/options.h"
#include "knock/profile.h"
#include "knockctl/knockctl.h"
#include "lib/config_schema.h"
#include "lib/config_values.h"
#include "lib/key_file.h"

/* Of knockd/options.h, whose `struct options` is another than the client's. */
const struct option_row *knockd_option(unsigned number);
const struct option *knockd_replaced_option(unsigned number);

static void print_option(const char *program, const char *command, const struct option_row *row)
{
    char letter[] = {'-', (char)row->letter, '\0'};
    printf("option\t%s\t%s\t--%s\t%s\t%s\t%s\n", program, command, row->name,
           row->letter < OPTION_LONG_ONLY ? letter : "-", row->argument ? row->argument : "-",
           row->help);
}

static void print_program(const char *program, const struct option_row *row(unsigned number))
{
    for (unsigned i = 0; row(i); i++)
        print_option(program, "-", row(i));
}

static void print_replaced(void)
{
    for (unsigned i = 0; knockd_replaced_option(i); i++)
        printf("replaced\tknockd\t-\t--%s\t-%c\t-\t-\n", knockd_replaced_option(i)->name,
               knockd_replaced_option(i)->val);
}

static void print_command(const struct command *command)
{
    const unsigned always = TAKES(HELP);
    printf("command\tknockctl\t%s\t%s\t%s\n", command->name, *command->words ? command->words : "-",
           command->help);
    for (int id = 0; id < OPTION_IDS; id++) {
        struct option_row row = arguments_option_of(command, (enum option_id)id);
        if ((command->takes | always) >> id & 1)
            print_option("knockctl", command->name, &row);
    }
}

static void print_keys(const char *file, const struct config_schema *schema)
{
    for (unsigned i = 0; i < schema->kind_count; i++) {
        const struct config_kind *kind = &schema->kinds[i];
        for (const struct config_key *key = kind->keys; key->name; key++)
            if (key->read && key->read != read_gone)
                printf("key\t%s\t%s\t%s\n", file, kind->name ? kind->name : "-", key->name);
    }
}

int main(void)
{
    print_program("knock", knock_option);
    print_program("knockd", knockd_option);
    print_replaced();
    print_option("knockctl", "-", arguments_option(OPTION_VERSION));
    print_option("knockctl", "-", arguments_option(OPTION_HELP));
    for (unsigned i = 0; knockctl_command(i); i++)
        print_command(knockctl_command(i));
    print_keys("knockd.conf", config_schema());
    print_keys("knock.conf", profile_schema());
    print_keys("NAME.key", key_file_schema());
    return 0;
}
