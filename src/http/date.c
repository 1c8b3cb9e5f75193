/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates without the C library, whose calls look at the locale and the time zone. The calendar
 * arithmetic counts days from 1 March, so that the leap day is the last day of a year.
 */
#include "http/date.h"

enum { DAY_S = 86400, DAYS_TO_1970 = 719468, DAYS_PER_ERA = 146097 };

static void put2(char *out, unsigned n)
{
    out[0] = (char)('0' + n / 10);
    out[1] = (char)('0' + n % 10);
}

struct civil {
    unsigned year;
    unsigned month; /* 1 to 12 */
    unsigned day;   /* from 1 */
};

static struct civil civil_from_days(uint64_t days_since_1970)
{
    uint64_t days = days_since_1970 + DAYS_TO_1970;
    unsigned era = (unsigned)(days / DAYS_PER_ERA);
    unsigned day_of_era = (unsigned)(days % DAYS_PER_ERA);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned from_march = (5 * day_of_year + 2) / 153;
    struct civil date = {
        .year = era * 400 + year_of_era,
        .month = from_march < 10 ? from_march + 3 : from_march - 9,
        .day = day_of_year - (153 * from_march + 2) / 5 + 1,
    };
    date.year += date.month <= 2;
    return date;
}

void nu_date_format(uint64_t unix_s, char out[NU_DATE_LEN])
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t days = unix_s / DAY_S;
    unsigned seconds = (unsigned)(unix_s % DAY_S);
    struct civil date = civil_from_days(days);
    memcpy(out, "DDD, 00 MMM 0000 00:00:00 GMT", NU_DATE_LEN);
    memcpy(out, weekdays + days % 7 * 3, 3);
    put2(out + 5, date.day);
    memcpy(out + 8, months + (size_t)(date.month - 1) * 3, 3);
    put2(out + 12, date.year / 100 % 100);
    put2(out + 14, date.year % 100);
    put2(out + 17, seconds / 3600);
    put2(out + 20, seconds / 60 % 60);
    put2(out + 23, seconds % 60);
}
