/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /clusters: every cluster with its limits, every host with its figures. One host is one step, so
 * that neither many clusters nor many hosts make a long slice; the hosts of the cluster at work are
 * held by reference, its name by copy, should an update take it away in between.
 */
#include "admin/address_json.h"
#include "admin/admin_internal.h"
#include "base/number.h"
#include "upstream/cluster_manager.h"
#include "upstream/discovery/eds.h"
#include "upstream/outlier/outlier.h"

struct walk {
    const struct nu_cluster_manager *clusters; /* borrowed */
    size_t cursor;
    struct nu_strbuf name;     /* of the cluster at work */
    struct nu_host_set *hosts; /* of it; NULL between clusters; one reference */
    uint32_t host;             /* the next of them */
    struct nu_json json;
    bool as_json;
    bool is_begun;
};

struct figure {
    const char *name;
    size_t offset;
    bool is_gauge;
};

#define FIGURE(field, is_gauge) \
    { \
#field, offsetof(struct nu_host_stats, field), is_gauge \
    }

/* In the text's order: by name. */
static const struct figure figures[] = {
    FIGURE(cx_active, true),   FIGURE(cx_connect_fail, false), FIGURE(cx_total, false),
    FIGURE(rq_active, true),   FIGURE(rq_error, false),        FIGURE(rq_success, false),
    FIGURE(rq_timeout, false), FIGURE(rq_total, false),
};

static uint64_t figure_of(const struct nu_host *host, const struct figure *figure)
{
    return figure->is_gauge ? nu_stat_set_gauge(host->stats, figure->offset)
                            : nu_stat_set_counter(host->stats, figure->offset);
}

static const struct {
    enum nu_breaker_kind kind;
    const char *name;
} limits[] = {
    {NU_BREAKER_CONNECTIONS, "max_connections"},
    {NU_BREAKER_PENDING, "max_pending_requests"},
    {NU_BREAKER_REQUESTS, "max_requests"},
    {NU_BREAKER_RETRIES, "max_retries"},
};

/* Of retries it is what a budget allows at this moment. */
static uint64_t limit_of(struct nu_cluster *cluster, size_t priority, enum nu_breaker_kind kind)
{
    if (kind != NU_BREAKER_RETRIES)
        return cluster->breakers[priority].of[kind].max;
    nu_cluster_note_retry_budget(cluster, (enum nu_priority)priority);
    return nu_breakers_max_retries(&cluster->breakers[priority]);
}

/* --- Text ------------------------------------------------------------------------------------- */

static void print_limits_text(struct nu_strbuf *out, struct nu_cluster *cluster)
{
    static const char *const priorities[NU_PRIORITY_COUNT] = {"default", "high"};
    for (size_t p = 0; p < NU_PRIORITY_COUNT; p++) {
        for (size_t i = 0; i < NU_ARRAY_LEN(limits); i++)
            nu_strbuf_addf(out, "%.*s::%s_priority::%s::%llu\n", NU_STR_ARG(cluster->name),
                           priorities[p], limits[i].name,
                           (unsigned long long)limit_of(cluster, p, limits[i].kind));
    }
}

static void print_rates_text(struct nu_strbuf *out, const struct nu_cluster *cluster)
{
    static const char *const prefixes[NU_OUTLIER_ORIGIN_COUNT] = {"", "local_origin_"};
    for (int i = 0; cluster->outlier && i < NU_OUTLIER_ORIGIN_COUNT; i++) {
        struct nu_outlier_rates rates =
            nu_outlier_rates(cluster->outlier, (enum nu_outlier_origin)i);
        nu_strbuf_addf(out, "%.*s::outlier::%ssuccess_rate_average::%g\n",
                       NU_STR_ARG(cluster->name), prefixes[i], rates.average);
        nu_strbuf_addf(out, "%.*s::outlier::%ssuccess_rate_ejection_threshold::%g\n",
                       NU_STR_ARG(cluster->name), prefixes[i], rates.threshold);
    }
}

static void print_cluster_text(struct nu_strbuf *out, struct nu_cluster *cluster)
{
    nu_strbuf_addf(out, "%.*s::observability_name::%.*s\n", NU_STR_ARG(cluster->name),
                   NU_STR_ARG(cluster->observability_name));
    print_rates_text(out, cluster);
    print_limits_text(out, cluster);
    nu_strbuf_addf(out, "%.*s::added_via_api::%s\n", NU_STR_ARG(cluster->name),
                   cluster->added_via_api ? "true" : "false");
    struct nu_str service = nu_eds_service_name(cluster);
    if (service.len)
        nu_strbuf_addf(out, "%.*s::eds_service_name::%.*s\n", NU_STR_ARG(cluster->name),
                       NU_STR_ARG(service));
}

/* Appends "cluster::host::name::" and the value. */
static void print_line(struct nu_strbuf *out, struct nu_str cluster, const struct nu_host *host,
                       const char *name, struct nu_str value)
{
    nu_strbuf_add(out, cluster);
    nu_strbuf_add(out, NU_STR("::"));
    nu_strbuf_add(out, nu_host_address_text(host));
    nu_strbuf_add(out, NU_STR("::"));
    nu_strbuf_add_cstr(out, name);
    nu_strbuf_add(out, NU_STR("::"));
    nu_strbuf_add(out, value);
    nu_strbuf_add_char(out, '\n');
}

static void print_number_line(struct nu_strbuf *out, struct nu_str cluster,
                              const struct nu_host *host, const char *name, uint64_t value)
{
    char text[20];
    print_line(out, cluster, host, name, nu_str_make(text, nu_u64_to_chars(value, text)));
}

static void print_rate_line(struct nu_strbuf *out, struct nu_str cluster,
                            const struct nu_host *host, const char *name,
                            enum nu_outlier_origin origin)
{
    char text[NU_DOUBLE_TEXT_MAX];
    size_t len = nu_double_to_chars(nu_host_outlier_rate(host, origin), text);
    print_line(out, cluster, host, name, nu_str_make(text, len));
}

static void print_flags_line(struct nu_strbuf *out, struct nu_str cluster,
                             const struct nu_host *host)
{
    struct nu_strbuf flags = {0};
    nu_host_print_flags(host, &flags);
    print_line(out, cluster, host, "health_flags", nu_strbuf_str(&flags));
    nu_strbuf_finish(&flags);
}

static void print_host_text(struct nu_strbuf *out, struct nu_str cluster,
                            const struct nu_host *host)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(figures); i++)
        print_number_line(out, cluster, host, figures[i].name, figure_of(host, &figures[i]));
    print_line(out, cluster, host, "hostname", host->hostname);
    print_flags_line(out, cluster, host);
    print_number_line(out, cluster, host, "weight", host->weight);
    print_line(out, cluster, host, "region", host->locality.region);
    print_line(out, cluster, host, "zone", host->locality.zone);
    print_line(out, cluster, host, "sub_zone", host->locality.sub_zone);
    print_line(out, cluster, host, "canary",
               nu_host_is_canary(host) ? NU_STR("true") : NU_STR("false"));
    print_number_line(out, cluster, host, "priority", host->priority);
    print_rate_line(out, cluster, host, "success_rate", NU_OUTLIER_EXTERNAL);
    print_rate_line(out, cluster, host, "local_origin_success_rate", NU_OUTLIER_LOCAL);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void print_member(struct nu_json *json, struct nu_str key, struct nu_str value)
{
    if (value.len == 0)
        return;
    nu_json_key(json, key);
    nu_json_string(json, value);
}

static void print_limits_json(struct nu_json *json, struct nu_cluster *cluster)
{
    nu_json_key(json, NU_STR("circuit_breakers"));
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("thresholds"));
    nu_json_array_begin(json);
    for (size_t p = 0; p < NU_PRIORITY_COUNT; p++) {
        nu_json_object_begin(json);
        if (p == NU_PRIORITY_HIGH)
            print_member(json, NU_STR("priority"), NU_STR("HIGH"));
        for (size_t i = 0; i < NU_ARRAY_LEN(limits); i++) {
            nu_json_key(json, nu_str_from(limits[i].name));
            nu_json_u64(json, limit_of(cluster, p, limits[i].kind));
        }
        nu_json_object_end(json);
    }
    nu_json_array_end(json);
    nu_json_object_end(json);
}

/* Left out as long as there is no rate. */
static void print_rate(struct nu_json *json, struct nu_str key, bool is_there, double rate)
{
    if (!is_there)
        return;
    nu_json_key(json, key);
    nu_json_object_begin(json);
    if (rate != 0) {
        nu_json_key(json, NU_STR("value"));
        nu_json_double(json, rate);
    }
    nu_json_object_end(json);
}

static void print_threshold(struct nu_json *json, struct nu_str key,
                            const struct nu_cluster *cluster, enum nu_outlier_origin origin)
{
    if (!cluster->outlier)
        return;
    double threshold = nu_outlier_rates(cluster->outlier, origin).threshold;
    print_rate(json, key, threshold > 0, threshold);
}

static void print_cluster_json(struct nu_json *json, struct nu_cluster *cluster)
{
    nu_json_object_begin(json);
    print_member(json, NU_STR("name"), cluster->name);
    if (cluster->added_via_api) {
        nu_json_key(json, NU_STR("added_via_api"));
        nu_json_bool(json, true);
    }
    print_threshold(json, NU_STR("success_rate_ejection_threshold"), cluster, NU_OUTLIER_EXTERNAL);
    print_threshold(json, NU_STR("local_origin_success_rate_ejection_threshold"), cluster,
                    NU_OUTLIER_LOCAL);
    print_limits_json(json, cluster);
    print_member(json, NU_STR("observability_name"), cluster->observability_name);
    print_member(json, NU_STR("eds_service_name"), nu_eds_service_name(cluster));
}

static void print_figures(struct nu_json *json, const struct nu_host *host, bool gauges)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(figures); i++) {
        if (figures[i].is_gauge != gauges)
            continue;
        char text[20];
        uint64_t value = figure_of(host, &figures[i]);
        nu_json_object_begin(json);
        if (gauges)
            print_member(json, NU_STR("type"), NU_STR("GAUGE"));
        if (value)
            print_member(json, NU_STR("value"), nu_str_make(text, nu_u64_to_chars(value, text)));
        print_member(json, NU_STR("name"), nu_str_from(figures[i].name));
        nu_json_object_end(json);
    }
}

static void print_locality(struct nu_json *json, const struct nu_locality *locality)
{
    nu_json_key(json, NU_STR("locality"));
    nu_json_object_begin(json);
    print_member(json, NU_STR("region"), locality->region);
    print_member(json, NU_STR("zone"), locality->zone);
    print_member(json, NU_STR("sub_zone"), locality->sub_zone);
    nu_json_object_end(json);
}

static struct nu_str eds_health_name(const struct nu_host *host)
{
    if (nu_host_has_flag(host, NU_HOST_EDS_STATUS_DRAINING))
        return NU_STR("DRAINING");
    if (nu_host_has_flag(host, NU_HOST_FAILED_EDS_HEALTH))
        return NU_STR("UNHEALTHY");
    if (nu_host_has_flag(host, NU_HOST_DEGRADED_EDS_HEALTH))
        return NU_STR("DEGRADED");
    return NU_STR("HEALTHY");
}

static void print_health_json(struct nu_json *json, const struct nu_host *host)
{
    static const struct {
        struct nu_str name;
        enum nu_host_flag flag;
    } flags[] = {
        {NU_STR_INIT("failed_active_health_check"), NU_HOST_FAILED_ACTIVE_HC},
        {NU_STR_INIT("failed_outlier_check"), NU_HOST_FAILED_OUTLIER_CHECK},
        {NU_STR_INIT("failed_active_degraded_check"), NU_HOST_DEGRADED_ACTIVE_HC},
        {NU_STR_INIT("pending_dynamic_removal"), NU_HOST_PENDING_DYNAMIC_REMOVAL},
        {NU_STR_INIT("pending_active_hc"), NU_HOST_PENDING_ACTIVE_HC},
        {NU_STR_INIT("excluded_via_immediate_hc_fail"), NU_HOST_EXCLUDED_VIA_IMMEDIATE_HC_FAIL},
        {NU_STR_INIT("active_hc_timeout"), NU_HOST_ACTIVE_HC_TIMEOUT},
    };
    nu_json_key(json, NU_STR("health_status"));
    nu_json_object_begin(json);
    for (size_t i = 0; i < NU_ARRAY_LEN(flags); i++) {
        if (!nu_host_has_flag(host, flags[i].flag))
            continue;
        nu_json_key(json, flags[i].name);
        nu_json_bool(json, true);
    }
    print_member(json, NU_STR("eds_health_status"), eds_health_name(host));
    nu_json_object_end(json);
}

static void print_host_rate(struct nu_json *json, struct nu_str key, const struct nu_host *host,
                            enum nu_outlier_origin origin)
{
    double rate = nu_host_outlier_rate(host, origin);
    print_rate(json, key, rate >= 0, rate);
}

static void print_host_json(struct nu_json *json, const struct nu_host *host)
{
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("address"));
    nu_admin_print_address(json, nu_host_address(host));
    nu_json_key(json, NU_STR("stats"));
    nu_json_array_begin(json);
    print_figures(json, host, false);
    print_figures(json, host, true);
    nu_json_array_end(json);
    print_health_json(json, host);
    print_host_rate(json, NU_STR("success_rate"), host, NU_OUTLIER_EXTERNAL);
    nu_json_key(json, NU_STR("weight"));
    nu_json_u64(json, host->weight);
    print_member(json, NU_STR("hostname"), host->hostname);
    if (host->priority) {
        nu_json_key(json, NU_STR("priority"));
        nu_json_u64(json, host->priority);
    }
    print_host_rate(json, NU_STR("local_origin_success_rate"), host, NU_OUTLIER_LOCAL);
    print_locality(json, &host->locality);
    nu_json_object_end(json);
}

/* --- Steps ------------------------------------------------------------------------------------ */

static void begin_clusters(struct walk *walk)
{
    if (walk->is_begun)
        return;
    nu_json_key(&walk->json, NU_STR("cluster_statuses"));
    nu_json_array_begin(&walk->json);
    walk->is_begun = true;
}

static void begin_hosts(struct walk *walk)
{
    if (walk->as_json && walk->hosts->count) {
        nu_json_key(&walk->json, NU_STR("host_statuses"));
        nu_json_array_begin(&walk->json);
    }
}

/* Goes on to the next cluster; false behind the last. */
static bool begin_cluster(struct walk *walk, struct nu_strbuf *out)
{
    struct nu_cluster *cluster = nu_cluster_manager_next(walk->clusters, &walk->cursor);
    if (!cluster)
        return false;
    if (walk->as_json) {
        begin_clusters(walk);
        print_cluster_json(&walk->json, cluster);
    } else {
        print_cluster_text(out, cluster);
    }
    nu_strbuf_clear(&walk->name);
    nu_strbuf_add(&walk->name, cluster->name);
    walk->hosts = nu_host_set_ref(cluster->hosts);
    walk->host = 0;
    begin_hosts(walk);
    return true;
}

static void end_cluster(struct walk *walk)
{
    if (walk->as_json) {
        if (walk->hosts->count)
            nu_json_array_end(&walk->json);
        nu_json_object_end(&walk->json);
    }
    nu_host_set_unref(walk->hosts);
    walk->hosts = NULL;
}

static void print_host(struct walk *walk, struct nu_strbuf *out)
{
    const struct nu_host *host = walk->hosts->hosts[walk->host++];
    if (walk->as_json)
        print_host_json(&walk->json, host);
    else
        print_host_text(out, nu_strbuf_str(&walk->name), host);
}

static void end(struct walk *walk, struct nu_strbuf *out)
{
    if (!walk->as_json)
        return;
    if (walk->is_begun)
        nu_json_array_end(&walk->json);
    nu_json_object_end(&walk->json);
    nu_strbuf_add_char(out, '\n');
}

static bool next_slice(void *state, struct nu_strbuf *out, size_t bytes)
{
    struct walk *walk = state;
    size_t full = out->len + bytes;
    walk->json.out = out;
    while (out->len < full) {
        if (!walk->hosts) {
            if (!begin_cluster(walk, out)) {
                end(walk, out);
                return false;
            }
        } else if (walk->host < walk->hosts->count) {
            print_host(walk, out);
        } else {
            end_cluster(walk);
        }
    }
    return true;
}

static void finish(void *state)
{
    struct walk *walk = state;
    if (walk->hosts)
        nu_host_set_unref(walk->hosts);
    nu_strbuf_finish(&walk->name);
}

static const struct nu_admin_source clusters_source = {
    .next = next_slice,
    .finish = finish,
};

void nu_admin_clusters(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    struct walk *walk = nu_arena_calloc(request->arena, sizeof(*walk));
    walk->clusters = request->admin->parts.clusters;
    walk->as_json = nu_str_eq(nu_admin_param(request, "format"), NU_STR("json"));
    if (walk->as_json) {
        nu_json_init(&walk->json, &response->body, true);
        nu_json_object_begin(&walk->json);
        response->content_type = NU_ADMIN_JSON;
    }
    response->source = &clusters_source;
    response->state = walk;
}
