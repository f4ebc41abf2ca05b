/*
 * The file of another knockd: whatever is in it, what is made of it is a configuration that is
 * taken, with as many doors as were said to be converted.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "knockctl/import.h"
#include "knockctl/import_convert.h"
#include "lib/config.h"
#include "lib/config_file.h"

static void hear(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        fprintf(stderr, "%s\n", text);
}

/* By the length of its name, so that both are met. */
static bool find(void *arg, const char *name, char *path, size_t size)
{
    (void)arg;
    snprintf(path, size, "%s", strcmp(name, "knock_add") == 0 ? "/usr/local/sbin/knock_add" : "");
    return strlen(name) % 4 != 1;
}

/* As a file of one-time sequences any has its own name for a text. */
static bool read_file(void *arg, const char *path, char **data, size_t *len, const char **why)
{
    (void)arg;
    *why = "it isn't there";
    *data = strdup(path + 1);
    CLAIM(*path == '/' && *data);
    *len = strlen(*data);
    return true;
}

static void claim_taken(char *text, size_t size, const struct import_result *result)
{
    char path[64];
    struct report report = {.say = hear};
    for (size_t i = 0; i < size; i++)
        CLAIM((unsigned char)text[i] >= 0x20 || text[i] == '\n' || text[i] == '\t');
    if (result->doors == 0 || size > CONFIG_FILE_SIZE_MAX)
        return;
    int fd = memfd_create("config", MFD_CLOEXEC);
    CLAIM(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct config *config = config_load(path, &report);
    CLAIM(config && config->door_count == result->doors);
    config_free(config);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct import_setting setting = {
        .name = "old", .programs = {find, NULL}, .read_file = read_file};
    struct import_options options;
    struct import_result result;
    struct ini_file ini;
    struct input in = input_of(data, size);
    char *text = NULL, *errors = NULL, *defaults = input_text(&in);
    size_t text_size, errors_size;
    FILE *out = open_memstream(&text, &text_size), *said = open_memstream(&errors, &errors_size);
    CLAIM(out && said);
    import_read_defaults(defaults, &options);
    setting.interface = *options.interface ? options.interface : NULL;
    setting.file = *options.file ? options.file : NULL;
    setting.only_ip4 = options.only_ip4;
    CLAIM(ini_read(in.p, (size_t)(in.end - in.p), &ini));
    CLAIM(import_convert(&ini, &setting, out, said, &result));
    CLAIM(result.lost > 0 || result.doors == ini.count - 1);
    CLAIM(result.doors < ini.count);
    fclose(out);
    fclose(said);
    CLAIM((result.lost > 0) == (errors_size > 0));
    claim_taken(text, text_size, &result);
    ini_free(&ini);
    free(defaults);
    free(errors);
    free(text);
    return 0;
}
