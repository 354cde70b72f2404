#ifndef MOOT_BASE_CALENDAR_H
#define MOOT_BASE_CALENDAR_H

/* Dates that others write, as Unix time. */
#include <stdbool.h>
#include <stdint.h>

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar: years are counted from
 * March, so that the leap day is the last of its year. `year` >= 1, `month` 1..12. */
static inline int64_t moot__days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

#endif
