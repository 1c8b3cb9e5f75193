/* SPDX-License-Identifier: Apache-2.0 */
/* Reading load reports. The rules, and what they forgive, are Envoy's. */
#include "upstream/lb/load_report.h"

#include <math.h>
#include <stdlib.h>

#include "config/config.h"
#include "http/headers.h"

#include "xds/data/orca/v3/orca_load_report.pb-c.h"

typedef Xds__Data__Orca__V3__OrcaLoadReport report_proto;

#define NAMED "named_metrics."
#define UTILIZATION "utilization."
#define COST "request_cost."

struct report {
    const struct nu_load_metrics *metrics;
    double cpu;
    double application;
    double rate;     /* requests in a second */
    double errors;   /* in a second */
    double greatest; /* of the metrics that are asked for */
};

/* --- Metrics ---------------------------------------------------------------------------------- */

static bool is_asked_for(const struct report *report, struct nu_str name)
{
    for (size_t i = 0; i < report->metrics->count; i++) {
        struct nu_str wanted = report->metrics->names[i];
        if (nu_str_eq(wanted, name))
            return true;
        bool is_any = wanted.len > 1 && wanted.ptr[wanted.len - 1] == '*' &&
                      wanted.ptr[wanted.len - 2] == '.';
        if (is_any && nu_str_starts_with(name, nu_str_make(wanted.ptr, wanted.len - 1)))
            return true;
    }
    return false;
}

static void note(struct report *report, struct nu_str name, double value)
{
    if (value > report->greatest && is_asked_for(report, name))
        report->greatest = value;
}

/* The metrics that have a name of their own. False for another one. */
static bool note_field(struct report *report, struct nu_str name, double value)
{
    if (nu_str_eq(name, NU_STR("cpu_utilization")))
        report->cpu = value;
    else if (nu_str_eq(name, NU_STR("application_utilization")))
        report->application = value;
    else if (nu_str_eq(name, NU_STR("rps_fractional")))
        report->rate = value;
    else if (nu_str_eq(name, NU_STR("eps")))
        report->errors = value;
    else if (!nu_str_eq(name, NU_STR("mem_utilization")))
        return false;
    note(report, name, value);
    return true;
}

static bool is_of_map(struct nu_str name, struct nu_str prefix)
{
    return name.len > prefix.len && nu_str_starts_with(name, prefix);
}

/* --- Text ------------------------------------------------------------------------------------- */

/* A decimal number, not negative. */
static bool read_number(struct nu_str text, double *out)
{
    enum { LONGEST = 400 }; /* more than any double needs */
    char copy[LONGEST];
    char *end;
    if (text.len == 0 || text.len >= LONGEST)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!memchr("0123456789+-.eE", text.ptr[i], 15))
            return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0' && isfinite(*out) && *out >= 0;
}

static bool is_separator(char c)
{
    return c == '=' || c == ':';
}

/* name=value or name:value. */
static bool read_metric(struct report *report, struct nu_str text, struct nu_str *name)
{
    size_t at = 0;
    double value;
    while (at < text.len && !is_separator(text.ptr[at]))
        at++;
    if (at == text.len || !read_number(nu_str_trim(nu_str_skip(text, at + 1)), &value))
        return false;
    *name = nu_str_trim(nu_str_make(text.ptr, at));
    if (note_field(report, *name, value))
        return true;
    note(report, *name, value);
    return is_of_map(*name, NU_STR(NAMED)) || is_of_map(*name, NU_STR(UTILIZATION));
}

static int by_name(const void *a, const void *b)
{
    return nu_str_cmp(*(const struct nu_str *)a, *(const struct nu_str *)b);
}

static bool has_duplicates(struct nu_str *names, size_t count)
{
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 1; i < count; i++) {
        if (nu_str_eq(names[i - 1], names[i]))
            return true;
    }
    return false;
}

static size_t count_commas(struct nu_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ',';
    return count;
}

static bool read_text(struct report *report, struct nu_str text, struct nu_arena *arena)
{
    struct nu_str *names = nu_arena_alloc(arena, (count_commas(text) + 1) * sizeof(*names));
    size_t count = 0;
    while (text.len) {
        const char *comma = memchr(text.ptr, ',', text.len);
        size_t len = comma ? (size_t)(comma - text.ptr) : text.len;
        struct nu_str metric = nu_str_trim(nu_str_make(text.ptr, len));
        text = nu_str_skip(text, comma ? len + 1 : len);
        if (metric.len && !read_metric(report, metric, &names[count++]))
            return false;
    }
    return !has_duplicates(names, count);
}

/* --- Messages --------------------------------------------------------------------------------- */

static void note_entry(struct report *report, const char *prefix, const char *key, double value,
                       struct nu_arena *arena)
{
    if (report->metrics->count)
        note(report, nu_arena_concat(arena, nu_str_from(prefix), nu_str_from(key)), value);
}

static void take_message(struct report *report, const report_proto *proto, struct nu_arena *arena)
{
    note_field(report, NU_STR("cpu_utilization"), proto->cpu_utilization);
    note_field(report, NU_STR("mem_utilization"), proto->mem_utilization);
    note_field(report, NU_STR("application_utilization"), proto->application_utilization);
    note_field(report, NU_STR("rps_fractional"), proto->rps_fractional);
    note_field(report, NU_STR("eps"), proto->eps);
    for (size_t i = 0; i < proto->n_named_metrics; i++)
        note_entry(report, NAMED, proto->named_metrics[i]->key, proto->named_metrics[i]->value,
                   arena);
    for (size_t i = 0; i < proto->n_utilization; i++)
        note_entry(report, UTILIZATION, proto->utilization[i]->key, proto->utilization[i]->value,
                   arena);
    for (size_t i = 0; i < proto->n_request_cost; i++)
        note_entry(report, COST, proto->request_cost[i]->key, proto->request_cost[i]->value, arena);
}

static bool read_message(struct report *report, struct nu_str bytes, enum nu_config_format format,
                         struct nu_arena *arena)
{
    struct nu_config_ctx ctx;
    nu_config_ctx_init(&ctx, arena);
    const ProtobufCMessage *message = nu_config_read(
        &ctx, "report", bytes, format, &xds__data__orca__v3__orca_load_report__descriptor);
    bool ok = message && nu_config_is_ok(&ctx);
    if (ok)
        take_message(report, (const report_proto *)message, arena);
    nu_config_ctx_finish(&ctx);
    return ok;
}

/* --- Base64 ----------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = memchr(digits, c, sizeof(digits) - 1);
    return found ? (int)(found - digits) : -1;
}

/* Padded or not. */
static bool decode_base64(struct nu_str text, struct nu_arena *arena, struct nu_str *out)
{
    for (int i = 0; i < 2 && text.len && text.ptr[text.len - 1] == '='; i++)
        text.len--;
    char *bytes = nu_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.ptr[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4)
            bytes[len++] = (char)(bits >> (6 - i % 4 * 2));
    }
    *out = nu_str_make(bytes, len);
    return text.len % 4 != 1;
}

static bool read_binary(struct report *report, struct nu_str text, struct nu_arena *arena)
{
    struct nu_str bytes;
    return text.len && decode_base64(text, arena, &bytes) &&
           read_message(report, bytes, NU_CONFIG_BINARY, arena);
}

/* --- The whole -------------------------------------------------------------------------------- */

static bool read_report(struct report *report, const struct nu_headers *headers,
                        struct nu_arena *arena)
{
    static const struct nu_str text = NU_STR_INIT("TEXT ");
    static const struct nu_str json = NU_STR_INIT("JSON ");
    static const struct nu_str binary = NU_STR_INIT("BIN ");
    struct nu_str value = nu_headers_get(headers, NU_STR("endpoint-load-metrics-bin"));
    if (value.ptr)
        return read_binary(report, value, arena);
    value = nu_headers_get(headers, NU_STR("endpoint-load-metrics"));
    if (nu_str_starts_with(value, text))
        return read_text(report, nu_str_skip(value, text.len), arena);
    if (nu_str_starts_with(value, json))
        return read_message(report, nu_str_skip(value, json.len), NU_CONFIG_JSON, arena);
    if (nu_str_starts_with(value, binary))
        return read_binary(report, nu_str_skip(value, binary.len), arena);
    return false;
}

static double utilization_of(const struct report *report)
{
    if (report->application > 0)
        return report->application;
    return report->greatest > 0 ? report->greatest : report->cpu;
}

bool nu_load_report_weight(const struct nu_headers *headers, const struct nu_load_metrics *metrics,
                           struct nu_arena *arena, uint32_t *weight)
{
    struct report report = {.metrics = metrics};
    if (!read_report(&report, headers, arena) || !(report.rate > 0))
        return false;
    double busy = utilization_of(&report) + metrics->error_penalty * report.errors / report.rate;
    if (!(busy > 0))
        return false;
    double exact = report.rate / busy;
    *weight = exact < UINT32_MAX ? (uint32_t)exact : UINT32_MAX;
    return true;
}
