#include "listener/calendar.h"

#include <stdio.h>

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* `month` may be 13: all days of the year. */
static int days_before_month(int year, int month)
{
    static const int days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    return days[month - 1] + (month > 2 && is_leap(year));
}

/* Since 1970, which 719162 days of this calendar precede. */
static int days_before_year(int year)
{
    int past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400 - 719162;
}

bool calendar_exists(int year, int month, int day)
{
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= days_before_month(year, month + 1) - days_before_month(year, month);
}

int64_t calendar_midnight(int year, int month, int day)
{
    return (days_before_year(year) + days_before_month(year, month) + day - 1) * CALENDAR_DAY;
}

int calendar_year(int64_t time)
{
    int64_t days = time / CALENDAR_DAY;
    /* No year is longer, so this is never too late. */
    int year = 1970 + (int)(days / 366);
    while (days >= days_before_year(year + 1))
        year++;
    return year;
}

void calendar_date(int64_t time, int *year, int *month, int *day)
{
    *year = calendar_year(time);
    *day = (int)(time / CALENDAR_DAY) - days_before_year(*year);
    for (*month = 12; days_before_month(*year, *month) > *day;)
        --*month;
    *day += 1 - days_before_month(*year, *month);
}

int calendar_format(int64_t time, char *out, size_t size)
{
    int year, month, day;
    calendar_date(time, &year, &month, &day);
    int clock = (int)(time % CALENDAR_DAY / CALENDAR_SECOND);
    return snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, clock / 3600,
                    clock / 60 % 60, clock % 60);
}
