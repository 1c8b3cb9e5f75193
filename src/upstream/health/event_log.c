/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the event log. Members come in the order of their numbers in the API, empty ones too. */
#include "upstream/health/event_log.h"

#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/log_writer.h"
#include "http/metadata.h"

static const char *failure_name(enum nu_health_failure failure)
{
    switch (failure) {
#define X(id) \
    case NU_HEALTH_##id: \
        return #id;
        NU_HEALTH_FAILURES(X)
#undef X
    }
    return "ACTIVE";
}

static void add_string(struct nu_json *json, const char *key, struct nu_str value)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_string(json, value);
}

static void begin(struct nu_json *json, const char *key)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_object_begin(json);
}

static void add_ip(struct nu_json *json, const struct nu_address *address)
{
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format_ip(address, text);
    begin(json, "socket_address");
    add_string(json, "protocol", NU_STR("TCP"));
    add_string(json, "address", nu_str_make(text, len));
    nu_json_key(json, NU_STR("port_value"));
    nu_json_u64(json, address->port);
    add_string(json, "resolver_name", nu_str_make("", 0));
    nu_json_key(json, NU_STR("ipv4_compat"));
    nu_json_bool(json, false);
    add_string(json, "network_namespace_filepath", nu_str_make("", 0));
    nu_json_object_end(json);
}

static void add_pipe(struct nu_json *json, const struct nu_address *address)
{
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format(address, text);
    begin(json, "pipe");
    add_string(json, "path", nu_str_make(text, len));
    nu_json_key(json, NU_STR("mode"));
    nu_json_u64(json, 0);
    nu_json_object_end(json);
}

static void add_host(struct nu_json *json, const struct nu_host *host)
{
    begin(json, "host");
    const struct nu_address *address = nu_host_address(host);
    if (address->family == NU_ADDRESS_UNIX)
        add_pipe(json, address);
    else
        add_ip(json, address);
    nu_json_object_end(json);
}

/* As protobuf has it: without a fraction, or with as many digits as make whole milliseconds. */
static void add_time(struct nu_json *json, uint64_t realtime_us)
{
    time_t seconds = (time_t)(realtime_us / 1000000);
    unsigned ms = (unsigned)(realtime_us / 1000 % 1000);
    struct tm parts;
    char text[64];
    gmtime_r(&seconds, &parts);
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    if (ms)
        len += (size_t)snprintf(text + len, sizeof(text) - len, ".%03u", ms);
    text[len++] = 'Z';
    add_string(json, "timestamp", nu_str_make(text, len));
}

static void add_locality(struct nu_json *json, const struct nu_locality *locality)
{
    begin(json, "locality");
    add_string(json, "region", locality->region);
    add_string(json, "zone", locality->zone);
    add_string(json, "sub_zone", locality->sub_zone);
    nu_json_object_end(json);
}

static void add_metadata(struct nu_json *json, const struct nu_metadata *metadata)
{
    if (!metadata)
        return;
    begin(json, "metadata");
    nu_json_key(json, NU_STR("filter_metadata"));
    struct nu_strbuf text = {0};
    nu_value_to_json(&metadata->namespaces, &text);
    nu_json_raw(json, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
    begin(json, "typed_filter_metadata");
    nu_json_object_end(json);
    nu_json_object_end(json);
}

static void add_flag(struct nu_json *json, const char *key, bool value)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_bool(json, value);
}

/* The member that is named for the event. */
static void add_event(struct nu_json *json, enum nu_health_event event,
                      const struct nu_health_event_info *info)
{
    switch (event) {
    case NU_HEALTH_EVENT_EJECTED:
        begin(json, "eject_unhealthy_event");
        add_string(json, "failure_type", nu_str_from(failure_name(info->failure)));
        break;
    case NU_HEALTH_EVENT_FAILED:
        begin(json, "health_check_failure_event");
        add_string(json, "failure_type", nu_str_from(failure_name(info->failure)));
        add_flag(json, "first_check", info->is_first);
        break;
    case NU_HEALTH_EVENT_ADDED:
        begin(json, "add_healthy_event");
        add_flag(json, "first_check", info->is_first);
        break;
    case NU_HEALTH_EVENT_PASSED:
        begin(json, "successful_health_check_event");
        break;
    case NU_HEALTH_EVENT_DEGRADED:
        begin(json, "degraded_healthy_host");
        break;
    case NU_HEALTH_EVENT_UNDEGRADED:
        begin(json, "no_longer_degraded_host");
        break;
    }
    nu_json_object_end(json);
}

static bool is_before_time(enum nu_health_event event)
{
    return event == NU_HEALTH_EVENT_EJECTED || event == NU_HEALTH_EVENT_ADDED;
}

static bool is_after_locality(enum nu_health_event event)
{
    return event == NU_HEALTH_EVENT_PASSED;
}

void nu_health_event_format(struct nu_strbuf *out, enum nu_health_event event,
                            const struct nu_health_event_info *info)
{
    struct nu_json json;
    nu_json_init(&json, out, false);
    nu_json_object_begin(&json);
    add_string(&json, "health_checker_type", nu_str_from(info->type));
    add_host(&json, info->host);
    add_string(&json, "cluster_name", info->cluster);
    if (is_before_time(event))
        add_event(&json, event, info);
    add_time(&json, info->realtime_us);
    if (!is_before_time(event) && !is_after_locality(event))
        add_event(&json, event, info);
    add_metadata(&json, nu_host_metadata(info->host));
    add_locality(&json, &info->host->locality);
    if (is_after_locality(event))
        add_event(&json, event, info);
    nu_json_object_end(&json);
    nu_strbuf_add_char(out, '\n');
}

void nu_health_event_log_write(const struct nu_health_event_log *log, unsigned events,
                               const struct nu_health_event_info *info)
{
    if (!log->count || !events)
        return;
    struct nu_strbuf line = {0};
    for (unsigned event = NU_HEALTH_EVENT_EJECTED; event <= NU_HEALTH_EVENT_UNDEGRADED;
         event <<= 1) {
        if (!(events & event))
            continue;
        nu_strbuf_clear(&line);
        nu_health_event_format(&line, (enum nu_health_event)event, info);
        for (size_t i = 0; i < log->count; i++)
            nu_log_file_write(log->files[i], nu_strbuf_str(&line));
    }
    nu_strbuf_finish(&line);
}
