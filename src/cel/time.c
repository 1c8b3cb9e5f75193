/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timestamps and durations: their texts, their sums, and their parts in a time zone. The calendar
 * is the proleptic Gregorian one, days are counted from 1970.
 */
#include <stdio.h>

#include "cel/cel_internal.h"

enum {
    NANOS = 1000 * 1000 * 1000,
    DAY_SECONDS = 86400,
};

/* From the year 1 to the end of 9999, as protobuf has it; durations of as many seconds. */
static const int64_t first_second = -62135596800;
static const int64_t last_second = 253402300799;
static const int64_t duration_seconds_max = 315576000000;

/* --- Sums ------------------------------------------------------------------------------------- */

bool nu_cel_is_timestamp(struct nu_cel_time time)
{
    return time.seconds >= first_second && time.seconds <= last_second;
}

bool nu_cel_is_duration(struct nu_cel_time time)
{
    return time.seconds >= -duration_seconds_max && time.seconds <= duration_seconds_max;
}

bool nu_cel_time_add(struct nu_cel_time a, struct nu_cel_time b, struct nu_cel_time *sum)
{
    uint32_t nanos = a.nanos + b.nanos;
    sum->nanos = nanos % NANOS;
    return !__builtin_add_overflow(a.seconds, b.seconds, &sum->seconds) &&
           !__builtin_add_overflow(sum->seconds, nanos / NANOS, &sum->seconds);
}

struct nu_cel_time nu_cel_time_negate(struct nu_cel_time time)
{
    if (time.nanos == 0)
        return (struct nu_cel_time){-time.seconds, 0};
    return (struct nu_cel_time){-time.seconds - 1, NANOS - time.nanos};
}

bool nu_cel_time_to_ns(struct nu_cel_time time, int64_t *ns)
{
    return !__builtin_mul_overflow(time.seconds, NANOS, ns) &&
           !__builtin_add_overflow(*ns, time.nanos, ns);
}

struct nu_cel_time nu_cel_time_from_ns(int64_t ns)
{
    int64_t rest = ns % NANOS;
    struct nu_cel_time time = {ns / NANOS, (uint32_t)(rest < 0 ? rest + NANOS : rest)};
    time.seconds -= rest < 0;
    return time;
}

/* --- The calendar ----------------------------------------------------------------------------- */

struct date {
    int64_t year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years that begin in March have their leap day last: 146097 days are 400 of them. */
static int64_t days_of(struct date date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((date.month + 9) % 12) + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct date date_of(int64_t days)
{
    days += 719468;
    int64_t era = floor_div(days, 146097);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (int)((5 * day_of_year + 2) / 153); /* from March */
    struct date date = {year_of_era + era * 400, month < 10 ? month + 3 : month - 9,
                        (int)(day_of_year - (153 * month + 2) / 5 + 1)};
    date.year += date.month <= 2;
    return date;
}

static bool is_date(struct date date)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date.month < 1 || date.month > 12 || date.day < 1)
        return false;
    bool is_leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
    return date.day <= lengths[date.month - 1] + (is_leap && date.month == 2);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* So many digits. */
static bool read_digits(struct nu_str *rest, size_t count, int *value)
{
    *value = 0;
    if (rest->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!nu_ascii_is_digit(rest->ptr[i]))
            return false;
        *value = *value * 10 + (rest->ptr[i] - '0');
    }
    *rest = nu_str_skip(*rest, count);
    return true;
}

static bool read_char(struct nu_str *rest, char c)
{
    if (rest->len == 0 || nu_ascii_upper(rest->ptr[0]) != c)
        return false;
    *rest = nu_str_skip(*rest, 1);
    return true;
}

/* Digits behind a point, as nanoseconds; those that are too small are dropped. */
static bool read_fraction(struct nu_str *rest, uint32_t *nanos)
{
    uint32_t unit = NANOS / 10;
    size_t count = 0;
    *nanos = 0;
    for (; rest->len && nu_ascii_is_digit(rest->ptr[0]); count++) {
        *nanos += unit * (uint32_t)(rest->ptr[0] - '0');
        unit /= 10;
        *rest = nu_str_skip(*rest, 1);
    }
    return count != 0;
}

/* "+01:00" or "-0100", in seconds. */
static bool read_offset(struct nu_str *rest, int *seconds)
{
    int hours;
    int minutes;
    bool is_west = rest->len && rest->ptr[0] == '-';
    if (!read_char(rest, is_west ? '-' : '+') || !read_digits(rest, 2, &hours) ||
        (!read_char(rest, ':') && rest->len != 2) || !read_digits(rest, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * 60;
    if (is_west)
        *seconds = -*seconds;
    return true;
}

/* RFC 3339. */
bool nu_cel_parse_timestamp(struct nu_str text, struct nu_cel_time *time)
{
    int year;
    int hour;
    int minute;
    int second;
    int offset = 0;
    struct date date;
    *time = (struct nu_cel_time){0, 0};
    if (!read_digits(&text, 4, &year) || !read_char(&text, '-') ||
        !read_digits(&text, 2, &date.month) || !read_char(&text, '-') ||
        !read_digits(&text, 2, &date.day) || !read_char(&text, 'T') ||
        !read_digits(&text, 2, &hour) || !read_char(&text, ':') ||
        !read_digits(&text, 2, &minute) || !read_char(&text, ':') ||
        !read_digits(&text, 2, &second))
        return false;
    date.year = year;
    if (read_char(&text, '.') && !read_fraction(&text, &time->nanos))
        return false;
    if (!read_char(&text, 'Z') && !read_offset(&text, &offset))
        return false;
    if (text.len || !is_date(date) || hour > 23 || minute > 59 || second > 60)
        return false;
    time->seconds = days_of(date) * DAY_SECONDS + (hour * 60 + minute) * 60 + second - offset;
    return nu_cel_is_timestamp(*time);
}

/* How many nanoseconds a unit has; 0 where none begins. */
static int64_t read_unit(struct nu_str *rest)
{
    static const struct {
        struct nu_str name;
        int64_t nanos;
    } units[] = {
        {NU_STR_INIT("ns"), 1},           {NU_STR_INIT("us"), 1000},
        {NU_STR_INIT("ms"), 1000000},     {NU_STR_INIT("s"), NANOS},
        {NU_STR_INIT("m"), 60LL * NANOS}, {NU_STR_INIT("h"), 3600LL * NANOS},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(units); i++) {
        if (!nu_str_starts_with(*rest, units[i].name))
            continue;
        *rest = nu_str_skip(*rest, units[i].name.len);
        return units[i].nanos;
    }
    return 0;
}

/* "1.5" of a unit; whole units beyond 64 bits of nanoseconds are counted in seconds. */
static bool add_part(struct nu_cel_time *time, uint64_t whole, uint32_t fraction, int64_t unit)
{
    struct nu_cel_time part;
    if (unit >= NANOS) {
        if (whole > (uint64_t)duration_seconds_max)
            return false;
        part = (struct nu_cel_time){(int64_t)whole * (unit / NANOS), 0};
        struct nu_cel_time rest = nu_cel_time_from_ns((int64_t)fraction * (unit / NANOS));
        return nu_cel_time_add(part, rest, &part) && nu_cel_time_add(*time, part, time);
    }
    int64_t per_second = NANOS / unit;
    part = (struct nu_cel_time){(int64_t)(whole / (uint64_t)per_second),
                                (uint32_t)((int64_t)(whole % (uint64_t)per_second) * unit)};
    struct nu_cel_time rest = {0, (uint32_t)((int64_t)fraction * unit / NANOS)};
    return nu_cel_time_add(part, rest, &part) && nu_cel_time_add(*time, part, time);
}

/* The digits before a point. */
static bool read_whole(struct nu_str *rest, uint64_t *value, bool *is_there)
{
    size_t count = 0;
    while (count < rest->len && nu_ascii_is_digit(rest->ptr[count]))
        count++;
    *value = 0;
    *is_there = count != 0;
    struct nu_str digits = nu_str_first(*rest, count);
    *rest = nu_str_skip(*rest, count);
    return count == 0 || nu_str_to_u64(digits, value) == NU_OK;
}

/* "1h30m", "-1.5s", "0". */
bool nu_cel_parse_duration(struct nu_str text, struct nu_cel_time *time)
{
    bool is_negative = text.len && text.ptr[0] == '-';
    *time = (struct nu_cel_time){0, 0};
    if (text.len && (is_negative || text.ptr[0] == '+'))
        text = nu_str_skip(text, 1);
    if (nu_str_eq(text, NU_STR("0")))
        return true;
    if (text.len == 0)
        return false;
    while (text.len) {
        uint64_t whole;
        uint32_t fraction = 0;
        bool is_there;
        if (!read_whole(&text, &whole, &is_there))
            return false;
        if (read_char(&text, '.') && !read_fraction(&text, &fraction) && !is_there)
            return false;
        int64_t unit = is_there || fraction ? read_unit(&text) : 0;
        if (!unit || !add_part(time, whole, fraction, unit))
            return false;
    }
    if (is_negative)
        *time = nu_cel_time_negate(*time);
    return nu_cel_is_duration(*time);
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* ".5" as ".500", in groups of three digits, or nothing. */
static void format_fraction(uint32_t nanos, struct nu_strbuf *out)
{
    char digits[16];
    if (nanos == 0)
        return;
    int n = snprintf(digits, sizeof(digits), ".%09u", nanos);
    while (memcmp(digits + n - 3, "000", 3) == 0)
        n -= 3;
    nu_strbuf_add(out, nu_str_make(digits, (size_t)n));
}

void nu_cel_format_timestamp(struct nu_cel_time time, struct nu_strbuf *out)
{
    int64_t days = floor_div(time.seconds, DAY_SECONDS);
    int second = (int)(time.seconds - days * DAY_SECONDS);
    struct date date = date_of(days);
    nu_strbuf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d", (int)date.year, date.month, date.day,
                   second / 3600, second / 60 % 60, second % 60);
    format_fraction(time.nanos, out);
    nu_strbuf_add_char(out, 'Z');
}

void nu_cel_format_duration(struct nu_cel_time time, struct nu_strbuf *out)
{
    if (time.seconds < 0) {
        nu_strbuf_add_char(out, '-');
        time = nu_cel_time_negate(time);
    }
    nu_strbuf_addf(out, "%lld", (long long)time.seconds);
    format_fraction(time.nanos, out);
    nu_strbuf_add_char(out, 's');
}

/* --- Parts ------------------------------------------------------------------------------------ */

/* A timestamp as it is in a zone: days and the second within one. */
struct local {
    int64_t days;
    int second;
};

static bool to_offset(const struct nu_cel_value *zone, int *seconds)
{
    struct nu_str text = zone->text;
    *seconds = 0;
    if (nu_str_eq(text, NU_STR("UTC")) || text.len == 0)
        return true;
    if (text.len == 5 && nu_ascii_is_digit(text.ptr[0])) { /* "01:00" is east */
        int hours;
        int minutes;
        bool ok = read_digits(&text, 2, &hours) && read_char(&text, ':') &&
                  read_digits(&text, 2, &minutes) && hours < 24 && minutes < 60;
        *seconds = ok ? (hours * 60 + minutes) * 60 : 0;
        return ok;
    }
    return read_offset(&text, seconds) && text.len == 0;
}

/* False for what is no timestamp, and for a zone that is not known. */
static bool to_local(const struct nu_cel_value *args, size_t count, struct local *local)
{
    int offset = 0;
    if (args[0].type != NU_CEL_TIMESTAMP || (count == 2 && args[1].type != NU_CEL_STRING))
        return false;
    if (count == 2 && !to_offset(&args[1], &offset))
        return false;
    int64_t seconds = args[0].time.seconds + offset;
    local->days = floor_div(seconds, DAY_SECONDS);
    local->second = (int)(seconds - local->days * DAY_SECONDS);
    return true;
}

#define PART(function, expression) \
    struct nu_cel_value function(struct nu_cel_eval *eval, const struct nu_cel_value *args, \
                                 size_t count) \
    { \
        struct local local; \
        (void)eval; \
        if (!to_local(args, count, &local)) \
            return nu_cel_error("no timestamp, or no such time zone"); \
        struct date date = date_of(local.days); \
        (void)date; \
        return nu_cel_int(expression); \
    }

PART(nu_cel_get_year, date.year)
PART(nu_cel_get_month, date.month - 1)
PART(nu_cel_get_date, date.day)
PART(nu_cel_get_day_of_month, date.day - 1)
PART(nu_cel_get_day_of_week, (local.days % 7 + 11) % 7)
PART(nu_cel_get_day_of_year, local.days - days_of((struct date){date.year, 1, 1}))

/* A duration is whole in each unit but the last: "90m" has an hour and 90 minutes. */
#define LENGTH(function, of_duration, of_timestamp) \
    struct nu_cel_value function(struct nu_cel_eval *eval, const struct nu_cel_value *args, \
                                 size_t count) \
    { \
        struct local local; \
        (void)eval; \
        if (args[0].type == NU_CEL_DURATION && count == 1) { \
            struct nu_cel_time time = args[0].time; \
            bool is_negative = time.seconds < 0; \
            if (is_negative) \
                time = nu_cel_time_negate(time); \
            int64_t length = of_duration; \
            return nu_cel_int(is_negative ? -length : length); \
        } \
        if (!to_local(args, count, &local)) \
            return nu_cel_error("no timestamp, or no such time zone"); \
        return nu_cel_int(of_timestamp); \
    }

LENGTH(nu_cel_get_hours, time.seconds / 3600, local.second / 3600)
LENGTH(nu_cel_get_minutes, time.seconds / 60, local.second / 60 % 60)
LENGTH(nu_cel_get_seconds, time.seconds, local.second % 60)
LENGTH(nu_cel_get_milliseconds, time.nanos / 1000000, args[0].time.nanos / 1000000)
