/* The texts of the conversion: values of ours, comments of what needs a look, and what the file's
 * author meant by a value. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/import_door.h"
#include "lib/log.h"

void import_value(FILE *out, const char *text)
{
    char quote = strchr(text, '"') && !strchr(text, '\'') ? '\'' : '"';
    fputc(quote, out);
    for (; *text; text++) {
        if (*text == quote || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc(quote, out);
}

void import_comment(FILE *out, const char *indent, const char *text)
{
    enum { WIDTH = 88 };
    size_t room = WIDTH - strlen(indent);
    while (*text) {
        size_t len = strlen(text);
        for (size_t i = len > room ? room : 0; i > 0; i--)
            if (text[i] == ' ') {
                len = i;
                break;
            }
        fprintf(out, "%s# %.*s\n", indent, (int)len, text);
        text += len;
        text += *text == ' ';
    }
}

/* "MARK (line 12): ..." */
static void put_marked(struct import *im, const char *mark, int line, const char *text)
{
    char *whole = NULL, place[32] = "";
    if (im->quiet)
        return;
    if (line > 0)
        snprintf(place, sizeof(place), " (line %d)", line);
    if (asprintf(&whole, "%s%s: %s", mark, place, text) < 0) {
        im->no_memory = true;
        return;
    }
    import_comment(im->out, im->indent, whole);
    free(whole);
}

/* The text, to be freed; NULL when memory is short, which is noted. */
static char *format_text(struct import *im, const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) >= 0)
        return text;
    im->no_memory = true;
    return NULL;
}

void import_look(struct import *im, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(im, format, args);
    va_end(args);
    if (text)
        put_marked(im, "LOOK", line, text);
    free(text);
}

void import_lose(struct import *im, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(im, format, args);
    va_end(args);
    if (!text)
        return;
    put_marked(im, "NOT CONVERTED", line, text);
    if (!im->quiet) {
        im->result->lost++;
        fprintf(im->errors, "%s:%d: %s\n", im->setting->name, line, text);
    }
    free(text);
}

const char *import_shown(const char *text, char out[IMPORT_SHOWN_SIZE])
{
    enum { MOST = (IMPORT_SHOWN_SIZE - 8) / 4 };
    size_t len = strlen(text);
    log_encode(text, len < MOST ? len : MOST, out, IMPORT_SHOWN_SIZE - 4);
    if (len > MOST)
        strcat(out, "...");
    return out;
}

/* What the file's author meant where the other knockd takes a comment or quotes for the value. */
char *import_clean(struct import *im, const struct ini_value *value, enum ini_key key)
{
    char *text = strdup(value->text), shown[IMPORT_SHOWN_SIZE];
    if (!text) {
        im->no_memory = true;
        return NULL;
    }
    size_t len = strlen(text);
    for (char *p = text; (p = strchr(p, '#')); p++)
        if (p > text && isblank((unsigned char)p[-1])) {
            len = (size_t)(p - text);
            break;
        }
    while (len > 0 && isblank((unsigned char)text[len - 1]))
        len--;
    text[len] = '\0';
    if (len < strlen(value->text))
        import_look(im, value->line,
                    "knockd 0.8 knows no comment behind a value, and takes \"%s\" for part of %s; "
                    "it is left out here",
                    import_shown(value->text + len, shown), ini_key_name(key));
    if (len >= 2 && (*text == '"' || *text == '\'') && text[len - 1] == *text) {
        import_look(im, value->line,
                    "knockd 0.8 takes the quotes for part of %s; they are left "
                    "out here",
                    ini_key_name(key));
        memmove(text, text + 1, len - 2);
        text[len - 2] = '\0';
    }
    return text;
}
