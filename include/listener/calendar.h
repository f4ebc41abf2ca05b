/* The Gregorian calendar, for the dates of log lines. Pure, without the C library's time zones. */
#ifndef LISTENER_CALENDAR_H
#define LISTENER_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALENDAR_SECOND INT64_C(1000000000)
#define CALENDAR_DAY    (86400 * CALENDAR_SECOND)

/* Whether there is such a date, in the years whose ns since 1970 fit in 64 bits: to 2261. */
bool calendar_exists(int year, int month, int day);

/* The beginning of an existing date, in ns since that of 1970. */
int64_t calendar_midnight(int year, int month, int day);

/* The year in which `time` lies, ns since 1970, not before. */
int calendar_year(int64_t time);

/* The date of `time`, ns since 1970, not before; months and days are counted from 1. */
void calendar_date(int64_t time, int *year, int *month, int *day);

/* Writes `time` as "2026-11-23T14:28:52" and returns its length; 20 bytes are enough. */
int calendar_format(int64_t time, char *out, size_t size);

#endif
