/* Counts and hands on what is wrong with a configuration. */
#include "lib/report.h"

#include <stdarg.h>
#include <stdio.h>

static void report_finding(struct report *report, bool error, struct config_pos pos,
                           const char *format, va_list args)
{
    char text[1024];
    int used = pos.line > 0 ? snprintf(text, sizeof(text), "%s:%d: ", pos.file, pos.line)
                            : snprintf(text, sizeof(text), "%s: ", pos.file);
    if (!error && !report->bare && used >= 0 && (size_t)used < sizeof(text))
        used += snprintf(text + used, sizeof(text) - (size_t)used, "warning: ");
    if (used >= 0 && (size_t)used < sizeof(text))
        vsnprintf(text + used, sizeof(text) - (size_t)used, format, args);
    report->say(report->arg, error, text);
}

void report_error(struct report *report, struct config_pos pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_finding(report, true, pos, format, args);
    va_end(args);
    report->errors++;
}

void report_warning(struct report *report, struct config_pos pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_finding(report, false, pos, format, args);
    va_end(args);
    report->warnings++;
}
