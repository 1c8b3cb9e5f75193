/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all paths, and the way from a request to its handler. */
#include "admin/admin_internal.h"
#include "base/log.h"

static const struct nu_admin_path_param drain_params[] = {
    {"graceful",
     "When draining listeners, enter a graceful drain period prior to closing listeners. This "
     "behaviour and duration is configurable via server options or CLI",
     ""},
    {"skip_exit",
     "When draining listeners, do not exit after the drain period. This must be used with graceful",
     ""},
    {"inboundonly",
     "Drains all inbound listeners. traffic_direction field in "
     "envoy_v3_api_msg_config.listener.v3.Listener is used to determine whether a listener is "
     "inbound or outbound.",
     ""},
    {NULL, NULL, NULL},
};

static const struct nu_admin_path_param stats_params[] = {
    {"usedonly", "Only include stats that have been written by system since restart", ""},
    {"filter", "Regular expression (Google re2) for filtering stats", NULL},
    {"format", "Format to use", "html, active-html, text, json"},
    {"type", "Stat types to include.", "All, Counters, Histograms, Gauges, TextReadouts"},
    {"histogram_buckets", "Histogram bucket display mode",
     "cumulative, disjoint, detailed, summary"},
    {NULL, NULL, NULL},
};

static const struct nu_admin_path_param prometheus_params[] = {
    {"usedonly", "Only include stats that have been written by system since restart", ""},
    {"text_readouts",
     "Render text_readouts as new gaugues with value 0 (increases Prometheus data size)", ""},
    {"filter", "Regular expression (Google re2) for filtering stats", NULL},
    {"histogram_buckets", "Histogram bucket display mode", "cumulative, summary"},
    {NULL, NULL, NULL},
};

static const struct nu_admin_path_param config_dump_params[] = {
    {"resource", "The resource to dump", NULL},
    {"mask",
     "The mask to apply. When both resource and mask are specified, the mask is applied to every "
     "element in the desired repeated field so that only a subset of fields are returned. The mask "
     "is parsed as a Protobuf::FieldMask",
     NULL},
    {"name_regex",
     "Dump only the currently loaded configurations whose names match the specified regex. Can be "
     "used with both resource and mask query parameters.",
     NULL},
    {"include_eds",
     "Dump currently loaded configuration including EDS. See the response definition for more "
     "information",
     ""},
    {NULL, NULL, NULL},
};

static const struct nu_admin_path_param enable_params[] = {
    {"enable", "enable/disable the profiler", "y, n"},
    {NULL, NULL, NULL},
};

static const struct nu_admin_path_param init_dump_params[] = {
    {"mask",
     "The desired component to dump unready targets. The mask is parsed as a Protobuf::FieldMask. "
     "For example, get the unready targets of all listeners with /init_dump?mask=listener`",
     NULL},
    {NULL, NULL, NULL},
};

static const struct nu_admin_path_param clusters_params[] = {
    {"format", "File format to use", "text, json"},
    {NULL, NULL, NULL},
};

static const struct nu_admin_path_param logging_params[] = {
    {"paths",
     "Change multiple logging levels by setting to "
     "<logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>.",
     NULL},
    {"level", "desired logging level, this will change all loggers's level",
     ", trace, debug, info, warning, error, critical, off"},
    {NULL, NULL, NULL},
};

const struct nu_admin_path nu_admin_paths[] = {
    {"/", "Admin home page", nu_admin_home, NULL, false, false},
    {"/allocprofiler", "enable/disable the allocation profiler (if supported)",
     nu_admin_allocprofiler, enable_params, true, true},
    {"/certs", "print certs on machine", nu_admin_certs, NULL, false, false},
    {"/clusters", "upstream cluster status", nu_admin_clusters, clusters_params, false, false},
    {"/config_dump", "dump current configs (experimental)", nu_admin_config_dump,
     config_dump_params, false, false},
    {"/contention", "dump current mutex contention stats (if enabled)", nu_admin_contention, NULL,
     false, true},
    {"/cpuprofiler", "enable/disable the CPU profiler", nu_admin_cpuprofiler, enable_params, true,
     true},
    {"/drain_listeners", "drain listeners", nu_admin_drain_listeners, drain_params, true, false},
    {"/healthcheck/fail", "cause the server to fail health checks", nu_admin_healthcheck_fail, NULL,
     true, false},
    {"/healthcheck/ok", "cause the server to pass health checks", nu_admin_healthcheck_ok, NULL,
     true, false},
    {"/heap_dump", "dump current heap (if supported)", nu_admin_heap_dump, NULL, false, true},
    {"/heapprofiler", "enable/disable the heap profiler", nu_admin_heapprofiler, enable_params,
     true, true},
    {"/help", "print out list of admin commands", nu_admin_help, NULL, false, false},
    {"/hot_restart_version", "print the hot restart compatibility version",
     nu_admin_hot_restart_version, NULL, false, true},
    {"/init_dump", "dump current init manager information (experimental)", nu_admin_init_dump,
     init_dump_params, false, false},
    {"/listeners", "print listener info", nu_admin_listeners, clusters_params, false, false},
    {"/logging", "query/change logging levels", nu_admin_logging, logging_params, true, false},
    {"/memory", "print current allocation/heap usage", nu_admin_memory, NULL, false, false},
    {"/quitquitquit", "exit the server", nu_admin_quit, NULL, true, false},
    {"/ready", "print server state, return 200 if LIVE, otherwise return 503", nu_admin_ready, NULL,
     false, false},
    {"/reopen_logs", "reopen access logs", nu_admin_reopen_logs, NULL, true, false},
    {"/reset_counters", "reset all counters to zero", nu_admin_reset_counters, NULL, true, false},
    {"/runtime", "print runtime values", nu_admin_runtime, NULL, false, false},
    {"/runtime_modify",
     "Adds or modifies runtime values as passed in query parameters. To delete a previously added "
     "key, use an empty string as the value. Note that deletion only applies to overrides added "
     "via this endpoint; values loaded from disk can be modified via override but not deleted. "
     "E.g. ?key1=value1&key2=value2...",
     nu_admin_runtime_modify, NULL, true, true},
    {"/server_info", "print server version/status information", nu_admin_server_info, NULL, false,
     false},
    {"/stats", "print server stats", nu_admin_stats, stats_params, false, false},
    {"/stats/prometheus", "print server stats in prometheus format", nu_admin_stats_prometheus,
     prometheus_params, false, false},
    {"/stats/recentlookups", "Show recent stat-name lookups", nu_admin_recent_lookups, NULL, false,
     true},
    {"/stats/recentlookups/clear", "clear list of stat-name lookups and counter",
     nu_admin_recent_lookups_stop, NULL, true, true},
    {"/stats/recentlookups/disable", "disable recording of reset stat-name lookup names",
     nu_admin_recent_lookups_stop, NULL, true, true},
    {"/stats/recentlookups/enable", "enable recording of reset stat-name lookup names",
     nu_admin_recent_lookups_enable, NULL, true, true},
    {"/wasm", "wasm VMs by worker: their plug-ins, memory, contexts, calls and failures",
     nu_admin_wasm, clusters_params, false, false},
    {NULL, NULL, NULL, NULL, false, false},
};

const struct nu_admin_path *nu_admin_find_path(struct nu_str path)
{
    for (const struct nu_admin_path *row = nu_admin_paths; row->path; row++) {
        if (nu_str_eq(path, nu_str_from(row->path)))
            return row;
    }
    return NULL;
}

void nu_admin_answer(struct nu_admin_response *response, uint32_t status, const char *text)
{
    response->status = status;
    nu_strbuf_add_cstr(&response->body, text);
}

static void answer_unknown(struct nu_admin_response *response)
{
    nu_admin_answer(response, 404, "invalid path. ");
    nu_admin_print_help(&response->body);
}

static void answer_wrong_method(const struct nu_admin_request *request,
                                struct nu_admin_response *response)
{
    nu_log(NU_LOG_ADMIN, NU_LOG_ERROR,
           "admin path \"%.*s\" mutates state, method=%.*s rather than POST",
           NU_STR_ARG(request->path), NU_STR_ARG(request->method));
    response->status = 405;
    nu_strbuf_addf(&response->body, "Method %.*s not allowed, POST required.",
                   NU_STR_ARG(request->method));
}

/* A browser would let any page on the web post here, where the browser can reach the port. */
static void answer_foreign(const struct nu_admin_request *request,
                           struct nu_admin_response *response)
{
    nu_log(NU_LOG_ADMIN, NU_LOG_WARN, "refused %.*s asked for by a page of another site",
           NU_STR_ARG(request->path));
    nu_admin_answer(response, 403, "requests of pages of other sites are refused");
}

static void answer_forbidden(const struct nu_admin_request *request,
                             struct nu_admin_response *response)
{
    response->status = 403;
    nu_strbuf_addf(&response->body, "request to path %.*s not allowed", NU_STR_ARG(request->path));
}

void nu_admin_handle(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    const struct nu_admin_path *row = nu_admin_find_path(request->path);
    const struct nu_string_matcher_list *allowed = &request->admin->allowed_paths;
    if (allowed->count && !nu_string_matches_any(allowed, request->path))
        answer_forbidden(request, response);
    else if (!row)
        answer_unknown(response);
    else if (row->mutates && !nu_str_eq(request->method, NU_STR("POST")))
        answer_wrong_method(request, response);
    else if (row->mutates && request->is_foreign)
        answer_foreign(request, response);
    else
        row->handle(request, response);
}
