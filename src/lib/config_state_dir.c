/*
 * The state folder and the control socket out of a file that is wrong somewhere: the doors that an
 * earlier run left open are closed all the same, and a knockd that runs is asked. So nothing here
 * is ever an error; what isn't found isn't there.
 */
#include <stdio.h>
#include <string.h>

#include "lib/config.h"
#include "lib/config_file.h"
#include "lib/config_scan.h"
#include "lib/config_schema.h"

/* The value of a token, which is a word, or a text in quotes; one without its second quote ends
 * with the line: that may be the very mistake. */
static size_t value_of(const struct config_token *token, const char **value)
{
    bool closed = token->kind == TOKEN_QUOTED, quoted = closed || token->kind == TOKEN_OPEN_QUOTE;
    *value = token->text + quoted;
    return quoted || token->kind == TOKEN_WORD ? token->len - quoted - closed : 0;
}

bool config_scan_path(const char *text, size_t len, const char *name, char *out, size_t size)
{
    struct config_scan scan = {text, text + len, 1};
    struct config_token key = {0}, equal = {0}, token = {0};
    bool found = false;
    do {
        key = equal;
        equal = token;
        token = config_scan_next(&scan);
        found = key.kind == TOKEN_WORD && config_token_equals(&key, name) &&
                config_token_is(&equal, '=');
    } while (token.kind != TOKEN_END && !found);
    const char *value;
    size_t got = value_of(&token, &value);
    if (!found || got == 0 || got >= size || *value != '/' || memchr(value, '\\', got) ||
        memchr(value, '\0', got))
        return false;
    memcpy(out, value, got);
    out[got] = '\0';
    return true;
}

static void ignore_finding(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    (void)text;
}

/* What is wrong with the file was reported when it was loaded. */
static bool from_config(const char *path, char *out, size_t size)
{
    struct report report = {.say = ignore_finding};
    struct config *config = config_load(path, &report);
    size_t len = config ? strlen(config->state_dir) : 0;
    bool good = config && len < size;
    if (good)
        memcpy(out, config->state_dir, len + 1);
    config_free(config);
    return good;
}

bool config_find_state_dir(const char *path, char *out, size_t size)
{
    struct config_file file;
    const char *why;
    if (from_config(path, out, size))
        return true;
    if (!config_file_read(path, &file, &why))
        return false;
    if (!config_scan_path(file.data, file.len, "state_dir", out, size))
        snprintf(out, size, "%s", CONFIG_STATE_DIR);
    config_file_free(&file);
    return true;
}

bool config_scan_control(const char *path, char *out, size_t size)
{
    struct report report = {.say = ignore_finding};
    struct config_file file;
    const char *why;
    if (!config_file_read(path, &file, &why))
        return false;
    if (!config_schema()->check_file(&file, path, &report) ||
        !config_scan_path(file.data, file.len, "control", out, size))
        snprintf(out, size, "%s", CONFIG_CONTROL);
    config_file_free(&file);
    return true;
}
