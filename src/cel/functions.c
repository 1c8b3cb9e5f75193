/* SPDX-License-Identifier: Apache-2.0 */
/* The standard functions: of texts, and conversions. */
#include <math.h>
#include <stdlib.h>

#include "cel/cel_internal.h"

/* --- Texts ------------------------------------------------------------------------------------ */

NU_CEL_FN(size)
{
    struct nu_cel_list items;
    (void)count;
    switch (args[0].type) {
    case NU_CEL_STRING:
        if (!nu_cel_spend_bytes(eval, args[0].text.len))
            return nu_cel_too_much();
        return nu_cel_int((int64_t)nu_utf8_count(args[0].text));
    case NU_CEL_BYTES:
        return nu_cel_int((int64_t)args[0].text.len);
    case NU_CEL_LIST:
    case NU_CEL_MAP:
        if (nu_cel_items(eval, &args[0], &items))
            return nu_cel_int((int64_t)items.count);
        return nu_cel_error("a map without a size");
    default:
        return nu_cel_no_overload();
    }
}

#define TEXT_TEST(name, test) \
    NU_CEL_FN(name) \
    { \
        (void)count; \
        if (args[0].type != NU_CEL_STRING || args[1].type != NU_CEL_STRING) \
            return nu_cel_no_overload(); \
        if (!nu_cel_spend_bytes(eval, args[0].text.len)) \
            return nu_cel_too_much(); \
        return nu_cel_bool(test(args[0].text, args[1].text)); \
    }

static bool has_text(struct nu_str text, struct nu_str part)
{
    return nu_str_find(text, part) != NU_NPOS;
}
TEXT_TEST(contains, has_text)
TEXT_TEST(starts_with, nu_str_starts_with)
TEXT_TEST(ends_with, nu_str_ends_with)

/* --- Conversions ------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Blanks around a number count for nothing. */
static struct nu_str trim(struct nu_str text)
{
    while (text.len && is_blank(text.ptr[0]))
        text = nu_str_skip(text, 1);
    while (text.len && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* All that C reads as a number, names such as "inf" among them. */
static bool text_to_double(struct nu_str text, double *value)
{
    enum { DIGITS_MAX = 400 };
    char copy[DIGITS_MAX + 1];
    char *end;
    text = trim(text);
    if (text.len == 0 || text.len > DIGITS_MAX)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *value = strtod(copy, &end);
    return end == copy + text.len;
}

/* For the text that is read, if it is one. */
static bool spend_text(struct nu_cel_eval *eval, const struct nu_cel_value *value)
{
    return value->type != NU_CEL_STRING || nu_cel_spend_bytes(eval, value->text.len);
}

NU_CEL_FN(to_int)
{
    struct nu_cel_value value = nu_cel_int(0);
    (void)count;
    if (!spend_text(eval, &args[0]))
        return nu_cel_too_much();
    switch (args[0].type) {
    case NU_CEL_INT:
        return args[0];
    case NU_CEL_UINT:
        return args[0].natural <= INT64_MAX ? nu_cel_int(args[0].integer) : nu_cel_overflow();
    case NU_CEL_DOUBLE:
        if (!(args[0].real > -9223372036854775808.0 && args[0].real < 9223372036854775808.0))
            return nu_cel_overflow();
        return nu_cel_int((int64_t)args[0].real);
    case NU_CEL_STRING:
        if (nu_str_to_i64(trim(args[0].text), &value.integer) != NU_OK)
            return nu_cel_error("not an integer");
        return value;
    case NU_CEL_BOOL:
        return nu_cel_int(args[0].boolean);
    case NU_CEL_TIMESTAMP:
        return nu_cel_int(args[0].time.seconds);
    default:
        return nu_cel_no_overload();
    }
}

static bool text_to_uint(struct nu_str text, uint64_t *value)
{
    text = trim(text);
    if (text.len && text.ptr[0] == '+')
        text = nu_str_skip(text, 1);
    return nu_str_to_u64(text, value) == NU_OK;
}

NU_CEL_FN(to_uint)
{
    struct nu_cel_value value = nu_cel_uint(0);
    (void)count;
    if (!spend_text(eval, &args[0]))
        return nu_cel_too_much();
    switch (args[0].type) {
    case NU_CEL_INT:
        return args[0].integer >= 0 ? nu_cel_uint(args[0].natural) : nu_cel_overflow();
    case NU_CEL_UINT:
        return args[0];
    case NU_CEL_DOUBLE:
        if (!(args[0].real >= 0 && args[0].real < 18446744073709551616.0))
            return nu_cel_overflow();
        return nu_cel_uint((uint64_t)args[0].real);
    case NU_CEL_STRING:
        if (!text_to_uint(args[0].text, &value.natural))
            return nu_cel_error("not an unsigned integer");
        return value;
    default:
        return nu_cel_no_overload();
    }
}

NU_CEL_FN(to_double)
{
    struct nu_cel_value value = nu_cel_double(0);
    (void)count;
    if (!spend_text(eval, &args[0]))
        return nu_cel_too_much();
    switch (args[0].type) {
    case NU_CEL_INT:
        return nu_cel_double((double)args[0].integer);
    case NU_CEL_UINT:
        return nu_cel_double((double)args[0].natural);
    case NU_CEL_DOUBLE:
        return args[0];
    case NU_CEL_STRING:
        if (!text_to_double(args[0].text, &value.real))
            return nu_cel_error("not a number");
        return value;
    default:
        return nu_cel_no_overload();
    }
}

static void format_double(double value, struct nu_strbuf *out)
{
    if (isnan(value))
        nu_strbuf_add_cstr(out, "nan");
    else if (isinf(value))
        nu_strbuf_add_cstr(out, value < 0 ? "-inf" : "inf");
    else
        nu_strbuf_addf(out, "%g", value);
}

static struct nu_cel_value format(struct nu_cel_eval *eval, const struct nu_cel_value *value)
{
    struct nu_strbuf text = {0};
    switch (value->type) {
    case NU_CEL_INT:
        nu_strbuf_addf(&text, "%lld", (long long)value->integer);
        break;
    case NU_CEL_UINT:
        nu_strbuf_add_u64(&text, value->natural);
        break;
    case NU_CEL_DOUBLE:
        format_double(value->real, &text);
        break;
    case NU_CEL_TIMESTAMP:
        nu_cel_format_timestamp(value->time, &text);
        break;
    default:
        nu_cel_format_duration(value->time, &text);
    }
    struct nu_cel_value made = nu_cel_string(nu_arena_dup(eval->arena, nu_strbuf_str(&text)));
    nu_strbuf_finish(&text);
    return made;
}

NU_CEL_FN(to_string)
{
    (void)count;
    switch (args[0].type) {
    case NU_CEL_STRING:
        return args[0];
    case NU_CEL_BYTES:
        if (!nu_cel_spend_bytes(eval, args[0].text.len))
            return nu_cel_too_much();
        if (!nu_str_is_utf8(args[0].text))
            return nu_cel_error("bytes that are not UTF-8");
        return nu_cel_string(args[0].text);
    case NU_CEL_BOOL:
        return nu_cel_string(args[0].boolean ? NU_STR("true") : NU_STR("false"));
    case NU_CEL_INT:
    case NU_CEL_UINT:
    case NU_CEL_DOUBLE:
    case NU_CEL_TIMESTAMP:
    case NU_CEL_DURATION:
        return format(eval, &args[0]);
    default:
        return nu_cel_no_overload();
    }
}

NU_CEL_FN(to_bytes)
{
    (void)eval, (void)count;
    if (args[0].type != NU_CEL_STRING && args[0].type != NU_CEL_BYTES)
        return nu_cel_no_overload();
    return nu_cel_bytes(args[0].text);
}

NU_CEL_FN(to_bool)
{
    static const struct nu_str yes[] = {NU_STR_INIT("1"), NU_STR_INIT("t"), NU_STR_INIT("true"),
                                        NU_STR_INIT("TRUE"), NU_STR_INIT("True")};
    static const struct nu_str no[] = {NU_STR_INIT("0"), NU_STR_INIT("f"), NU_STR_INIT("false"),
                                       NU_STR_INIT("FALSE"), NU_STR_INIT("False")};
    (void)eval, (void)count;
    if (args[0].type == NU_CEL_BOOL)
        return args[0];
    if (args[0].type != NU_CEL_STRING)
        return nu_cel_no_overload();
    for (size_t i = 0; i < NU_ARRAY_LEN(yes); i++) {
        if (nu_str_eq(args[0].text, yes[i]))
            return nu_cel_bool(true);
        if (nu_str_eq(args[0].text, no[i]))
            return nu_cel_bool(false);
    }
    return nu_cel_error("neither true nor false");
}

NU_CEL_FN(to_timestamp)
{
    struct nu_cel_value value = {.type = NU_CEL_TIMESTAMP};
    (void)count;
    if (!spend_text(eval, &args[0]))
        return nu_cel_too_much();
    if (args[0].type == NU_CEL_TIMESTAMP)
        return args[0];
    if (args[0].type == NU_CEL_INT)
        return nu_cel_make_time(NU_CEL_TIMESTAMP, true, (struct nu_cel_time){args[0].integer, 0});
    if (args[0].type != NU_CEL_STRING)
        return nu_cel_no_overload();
    if (!nu_cel_parse_timestamp(args[0].text, &value.time))
        return nu_cel_error("not a timestamp");
    return value;
}

NU_CEL_FN(to_duration)
{
    struct nu_cel_value value = {.type = NU_CEL_DURATION};
    (void)count;
    if (!spend_text(eval, &args[0]))
        return nu_cel_too_much();
    if (args[0].type == NU_CEL_DURATION)
        return args[0];
    if (args[0].type != NU_CEL_STRING)
        return nu_cel_no_overload();
    if (!nu_cel_parse_duration(args[0].text, &value.time))
        return nu_cel_error("not a duration");
    return value;
}

NU_CEL_FN(type_of)
{
    (void)eval, (void)count;
    return (struct nu_cel_value){.type = NU_CEL_TYPE, .named = args[0].type};
}

NU_CEL_FN(same)
{
    (void)eval, (void)count;
    return args[0];
}

/* --- Names ------------------------------------------------------------------------------------ */

enum form { GLOBAL = 1, RECEIVER = 2, EITHER = 3 };

static const struct {
    struct nu_str name;
    size_t min;
    size_t max;
    enum form form;
    nu_cel_fn *call;
} functions[] = {
    {NU_STR_INIT("size"), 1, 1, EITHER, size},
    {NU_STR_INIT("matches"), 2, 2, EITHER, nu_cel_matches},
    {NU_STR_INIT("contains"), 2, 2, EITHER, contains},
    {NU_STR_INIT("startsWith"), 2, 2, EITHER, starts_with},
    {NU_STR_INIT("endsWith"), 2, 2, EITHER, ends_with},
    {NU_STR_INIT("int"), 1, 1, GLOBAL, to_int},
    {NU_STR_INIT("uint"), 1, 1, GLOBAL, to_uint},
    {NU_STR_INIT("double"), 1, 1, GLOBAL, to_double},
    {NU_STR_INIT("string"), 1, 1, GLOBAL, to_string},
    {NU_STR_INIT("bytes"), 1, 1, GLOBAL, to_bytes},
    {NU_STR_INIT("bool"), 1, 1, GLOBAL, to_bool},
    {NU_STR_INIT("timestamp"), 1, 1, GLOBAL, to_timestamp},
    {NU_STR_INIT("duration"), 1, 1, GLOBAL, to_duration},
    {NU_STR_INIT("type"), 1, 1, GLOBAL, type_of},
    {NU_STR_INIT("dyn"), 1, 1, GLOBAL, same},
    {NU_STR_INIT("getFullYear"), 1, 2, RECEIVER, nu_cel_get_year},
    {NU_STR_INIT("getMonth"), 1, 2, RECEIVER, nu_cel_get_month},
    {NU_STR_INIT("getDate"), 1, 2, RECEIVER, nu_cel_get_date},
    {NU_STR_INIT("getDayOfMonth"), 1, 2, RECEIVER, nu_cel_get_day_of_month},
    {NU_STR_INIT("getDayOfWeek"), 1, 2, RECEIVER, nu_cel_get_day_of_week},
    {NU_STR_INIT("getDayOfYear"), 1, 2, RECEIVER, nu_cel_get_day_of_year},
    {NU_STR_INIT("getHours"), 1, 2, RECEIVER, nu_cel_get_hours},
    {NU_STR_INIT("getMinutes"), 1, 2, RECEIVER, nu_cel_get_minutes},
    {NU_STR_INIT("getSeconds"), 1, 2, RECEIVER, nu_cel_get_seconds},
    {NU_STR_INIT("getMilliseconds"), 1, 2, RECEIVER, nu_cel_get_milliseconds},
};

nu_cel_fn *nu_cel_function(struct nu_str name, size_t count, bool has_receiver)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(functions); i++) {
        if (nu_str_eq(functions[i].name, name) && count >= functions[i].min &&
            count <= functions[i].max && functions[i].form & (has_receiver ? RECEIVER : GLOBAL))
            return functions[i].call;
    }
    return NULL;
}
