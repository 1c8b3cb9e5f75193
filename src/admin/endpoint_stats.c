/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row for each host of each cluster that asks for it. The table holds the sets of hosts as they
 * were when the rendering began, so that it can take its time.
 */
#include "admin/endpoint_stats.h"

#include "base/alloc.h"
#include "upstream/cluster_manager.h"

struct group {
    struct nu_host_set *hosts; /* a reference */
    char *cluster;             /* as it stands in names; owned */
};

/* What a row is about. */
struct subject {
    const struct nu_host *host; /* borrowed: its set is held */
    const char *cluster;        /* borrowed: the group's */
};

struct table {
    struct nu_stats_rows base;
    struct group *groups; /* owned */
    size_t group_count;
    struct subject *subjects; /* owned: one a row */
};

#define HEALTHY SIZE_MAX /* in place of an offset: what is told of the host's health */

static const struct nu_stats_column columns[] = {
    {NU_STR_INIT("cx_connect_fail"), false}, {NU_STR_INIT("cx_total"), false},
    {NU_STR_INIT("rq_error"), false},        {NU_STR_INIT("rq_success"), false},
    {NU_STR_INIT("rq_timeout"), false},      {NU_STR_INIT("rq_total"), false},
    {NU_STR_INIT("cx_active"), true},        {NU_STR_INIT("rq_active"), true},
    {NU_STR_INIT("healthy"), true},
};
static const size_t offsets[NU_ARRAY_LEN(columns)] = {
    offsetof(struct nu_host_stats, cx_connect_fail),
    offsetof(struct nu_host_stats, cx_total),
    offsetof(struct nu_host_stats, rq_error),
    offsetof(struct nu_host_stats, rq_success),
    offsetof(struct nu_host_stats, rq_timeout),
    offsetof(struct nu_host_stats, rq_total),
    offsetof(struct nu_host_stats, cx_active),
    offsetof(struct nu_host_stats, rq_active),
    HEALTHY,
};
static const uint8_t by_metric[NU_ARRAY_LEN(columns)] = {0, 1, 2, 3, 4, 5, 6, 8, 7};

static uint64_t value(const struct nu_stats_row *row, size_t column)
{
    const struct nu_host *host = ((const struct subject *)row->subject)->host;
    if (offsets[column] == HEALTHY)
        return nu_host_health(host) == NU_HOST_HEALTHY;
    return columns[column].is_gauge ? nu_stat_set_gauge(host->stats, offsets[column])
                                    : nu_stat_set_counter(host->stats, offsets[column]);
}

static void add_label(struct nu_strbuf *out, const char *before, struct nu_str text)
{
    nu_strbuf_add_cstr(out, before);
    nu_stat_escape_label(out, text);
    nu_strbuf_add_char(out, '"');
}

static void add_labels(const struct nu_stats_rows *table, const struct nu_stats_row *row,
                       struct nu_strbuf *out)
{
    (void)table;
    const struct subject *subject = row->subject;
    add_label(out, "envoy_cluster_name=\"", nu_str_from(subject->cluster));
    add_label(out, ",envoy_endpoint_address=\"", nu_host_address_text(subject->host));
    if (subject->host->hostname.len)
        add_label(out, ",envoy_endpoint_hostname=\"", subject->host->hostname);
}

static void destroy(struct nu_stats_rows *base)
{
    struct table *table = nu_container_of(base, struct table, base);
    for (size_t i = 0; i < base->row_count; i++)
        nu_free(base->rows[i].name);
    for (size_t i = 0; i < table->group_count; i++) {
        nu_host_set_unref(table->groups[i].hosts);
        nu_free(table->groups[i].cluster);
    }
    nu_free(base->rows);
    nu_free(table->subjects);
    nu_free(table->groups);
    nu_free(table);
}

/* A copy of its text; frees it. */
static char *take_text(struct nu_strbuf *buf)
{
    char *text = nu_strndup(nu_strbuf_str(buf).ptr, buf->len);
    nu_strbuf_finish(buf);
    return text;
}

static char *sanitized(struct nu_str text)
{
    struct nu_strbuf name = {0};
    nu_stats_sanitize(&name, text);
    return take_text(&name);
}

static char *row_name(const struct subject *subject)
{
    struct nu_strbuf name = {0};
    nu_strbuf_addf(&name, "cluster.%s.endpoint.", subject->cluster);
    nu_stats_sanitize(&name, nu_host_address_text(subject->host));
    return take_text(&name);
}

static void add_host(struct table *table, const struct group *group, const struct nu_host *host)
{
    size_t at = table->base.row_count++;
    table->subjects[at] = (struct subject){host, group->cluster};
    table->base.rows[at] =
        (struct nu_stats_row){row_name(&table->subjects[at]), &table->subjects[at]};
}

/* By priority, as Envoy has them. */
static void add_hosts(struct table *table, const struct group *group)
{
    const struct nu_host_set *set = group->hosts;
    uint32_t left = set->count;
    for (uint32_t priority = 0; left; priority++) {
        for (uint32_t i = 0; i < set->count; i++) {
            if (set->hosts[i]->priority != priority)
                continue;
            add_host(table, group, set->hosts[i]);
            left--;
        }
    }
}

static void add_group(struct table *table, const struct nu_cluster *cluster, size_t *rows)
{
    table->groups = nu_realloc(table->groups, (table->group_count + 1) * sizeof(*table->groups));
    table->groups[table->group_count++] = (struct group){
        .hosts = nu_host_set_ref(cluster->hosts),
        .cluster = sanitized(cluster->observability_name),
    };
    *rows += cluster->hosts->count;
}

struct nu_stats_rows *nu_admin_endpoint_stats(const struct nu_cluster_manager *clusters)
{
    struct table *table = nu_calloc(1, sizeof(*table));
    size_t rows = 0;
    size_t cursor = 0;
    const struct nu_cluster *cluster;
    while ((cluster = nu_cluster_manager_next(clusters, &cursor)) != NULL) {
        if (cluster->shows_hosts)
            add_group(table, cluster, &rows);
    }
    table->base = (struct nu_stats_rows){
        .columns = columns,
        .by_metric = by_metric,
        .column_count = NU_ARRAY_LEN(columns),
        .metric = NU_STR("envoy_cluster_endpoint_"),
        .value = value,
        .add_labels = add_labels,
        .destroy = destroy,
    };
    if (rows == 0) {
        destroy(&table->base);
        return NULL;
    }
    table->base.rows = nu_calloc(rows, sizeof(*table->base.rows));
    table->subjects = nu_calloc(rows, sizeof(*table->subjects));
    for (size_t i = 0; i < table->group_count; i++)
        add_hosts(table, &table->groups[i]);
    return &table->base;
}
