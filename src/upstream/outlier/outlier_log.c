/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event log of outlier detection: a line of JSON for each ejection, also one that is not
 * enforced, and for each return. It is Envoy's OutlierDetectionEvent as Envoy prints it.
 */
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/log_writer.h"
#include "upstream/outlier/outlier_internal.h"

/* RFC 3339 in UTC, without a fraction where that is 0: proto3's form of a Timestamp. */
static void print_time(struct nu_json *json, uint64_t us)
{
    char text[48];
    time_t seconds = (time_t)(us / 1000000);
    unsigned ms = (unsigned)(us / 1000 % 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    if (ms)
        len += (size_t)snprintf(text + len, sizeof(text) - len, ".%03u", ms);
    text[len++] = 'Z';
    nu_json_key(json, NU_STR("timestamp"));
    nu_json_string(json, nu_str_make(text, len));
}

static void print_member(struct nu_json *json, struct nu_str key, struct nu_str value)
{
    nu_json_key(json, key);
    nu_json_string(json, value);
}

static void print_number(struct nu_json *json, struct nu_str key, uint64_t value)
{
    nu_json_key(json, key);
    nu_json_u64(json, value);
}

/* A 64-bit number is a string in proto3's JSON. */
static void print_seconds_since(struct nu_json *json, const struct nu_outlier *detector,
                                uint64_t then_us)
{
    char text[20];
    if (!then_us)
        return;
    uint64_t seconds = (nu_loop_now_us(detector->loop) - then_us) / 1000000;
    print_member(json, NU_STR("secs_since_last_action"),
                 nu_str_make(text, nu_u64_to_chars(seconds, text)));
}

/* What an ejection and a return have in common. `then_us` is when the other of them was. */
static void begin_event(struct nu_json *json, const struct nu_host_outlier *outlier,
                        struct nu_str type, struct nu_str action, uint64_t then_us)
{
    const struct nu_outlier *detector = outlier->detector;
    nu_json_object_begin(json);
    print_member(json, NU_STR("type"), type);
    print_time(json, nu_loop_realtime_us(detector->loop));
    print_seconds_since(json, detector, then_us);
    print_member(json, NU_STR("cluster_name"), detector->cluster->name);
    print_member(json, NU_STR("upstream_url"), outlier->host->address_text);
    print_member(json, NU_STR("action"), action);
    print_number(json, NU_STR("num_ejections"), outlier->ejections);
}

static void end_event(struct nu_json *json)
{
    nu_json_object_end(json);
    nu_strbuf_add_char(json->out, '\n');
}

/* Rates are whole numbers here. */
static void print_success_rates(struct nu_json *json, const struct nu_host_outlier *outlier,
                                enum nu_outlier_origin origin)
{
    const struct nu_outlier_rates *rates = &outlier->detector->rates[origin];
    nu_json_key(json, NU_STR("eject_success_rate_event"));
    nu_json_object_begin(json);
    print_number(json, NU_STR("host_success_rate"), (uint64_t)outlier->tally[origin].success_rate);
    print_number(json, NU_STR("cluster_average_success_rate"), (uint64_t)rates->average);
    print_number(json, NU_STR("cluster_success_rate_ejection_threshold"),
                 (uint64_t)rates->threshold);
    nu_json_object_end(json);
}

static void print_failure_percentage(struct nu_json *json, const struct nu_host_outlier *outlier,
                                     enum nu_outlier_origin origin)
{
    nu_json_key(json, NU_STR("eject_failure_percentage_event"));
    nu_json_object_begin(json);
    print_number(json, NU_STR("host_success_rate"), (uint64_t)outlier->tally[origin].success_rate);
    nu_json_object_end(json);
}

static void print_reason(struct nu_json *json, const struct nu_host_outlier *outlier,
                         enum nu_outlier_kind kind)
{
    switch (kind) {
    case NU_OUTLIER_BY_CONSECUTIVE_5XX:
    case NU_OUTLIER_BY_CONSECUTIVE_GATEWAY:
    case NU_OUTLIER_BY_CONSECUTIVE_LOCAL:
    case NU_OUTLIER_KIND_COUNT:
        nu_json_key(json, NU_STR("eject_consecutive_event"));
        nu_json_object_begin(json);
        nu_json_object_end(json);
        return;
    case NU_OUTLIER_BY_SUCCESS_RATE:
        print_success_rates(json, outlier, NU_OUTLIER_EXTERNAL);
        return;
    case NU_OUTLIER_BY_SUCCESS_RATE_LOCAL:
        print_success_rates(json, outlier, NU_OUTLIER_LOCAL);
        return;
    case NU_OUTLIER_BY_FAILURE_PERCENTAGE:
        print_failure_percentage(json, outlier, NU_OUTLIER_EXTERNAL);
        return;
    case NU_OUTLIER_BY_FAILURE_PERCENTAGE_LOCAL:
        print_failure_percentage(json, outlier, NU_OUTLIER_LOCAL);
        return;
    }
}

void nu_outlier_print_ejection(struct nu_strbuf *out, const struct nu_host_outlier *outlier,
                               enum nu_outlier_kind kind, bool enforced)
{
#define KIND_NAME(kind, setting, stat, name) NU_STR_INIT(name),
    static const struct nu_str names[] = {NU_OUTLIER_KINDS(KIND_NAME)};
    struct nu_json json;
    nu_json_init(&json, out, false);
    begin_event(&json, outlier, names[kind], NU_STR("EJECT"), outlier->unejected_us);
    nu_json_key(&json, NU_STR("enforced"));
    nu_json_bool(&json, enforced);
    print_reason(&json, outlier, kind);
    end_event(&json);
}

/* A return has no type: Envoy prints the first of them. */
void nu_outlier_print_unejection(struct nu_strbuf *out, const struct nu_host_outlier *outlier)
{
    struct nu_json json;
    nu_json_init(&json, out, false);
    begin_event(&json, outlier, NU_STR("CONSECUTIVE_5XX"), NU_STR("UNEJECT"), outlier->ejected_us);
    nu_json_key(&json, NU_STR("enforced"));
    nu_json_bool(&json, false);
    end_event(&json);
}

/* --- Writing ---------------------------------------------------------------------------------- */

static void write_line(const struct nu_outlier *detector, struct nu_strbuf *line)
{
    nu_log_file_write(detector->log, nu_strbuf_str(line));
    nu_strbuf_finish(line);
}

void nu_outlier_log_ejection(const struct nu_host_outlier *outlier, enum nu_outlier_kind kind,
                             bool enforced)
{
    struct nu_strbuf line = {0};
    if (!outlier->detector->log)
        return;
    nu_outlier_print_ejection(&line, outlier, kind, enforced);
    write_line(outlier->detector, &line);
}

void nu_outlier_log_unejection(const struct nu_host_outlier *outlier)
{
    struct nu_strbuf line = {0};
    if (!outlier->detector->log)
        return;
    nu_outlier_print_unejection(&line, outlier);
    write_line(outlier->detector, &line);
}
