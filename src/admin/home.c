/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The home page: how the process is, what it listens on, where it forwards to, and every path of
 * the table as a link or a form. What changes something is a button that posts.
 */
#include "admin/html.h"
#include "admin/wasm_rows.h"
#include "stats/listener_stats.h"
#include "upstream/cluster_manager.h"

/* The page stays small: long lists have paths of their own. */
enum { ROWS_MAX = 20 };

/* --- Tiles ------------------------------------------------------------------------------------ */

static void print_tile(struct nu_strbuf *out, const char *name, const char *value)
{
    nu_strbuf_addf(out, "<div class=\"tile\"><span class=\"soft\">%s</span><b>%s</b></div>\n", name,
                   value);
}

static void print_number_tile(struct nu_strbuf *out, const char *name, uint64_t value)
{
    char text[24];
    text[nu_u64_to_chars(value, text)] = '\0';
    print_tile(out, name, text);
}

/* "3 d 4 h", "5 min 6 s": the two largest units. */
static void print_uptime_tile(struct nu_strbuf *out, uint64_t seconds)
{
    struct nu_strbuf text = {0};
    unsigned long long s = seconds;
    if (s >= 86400)
        nu_strbuf_addf(&text, "%llu d %llu h", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        nu_strbuf_addf(&text, "%llu h %llu min", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        nu_strbuf_addf(&text, "%llu min %llu s", s / 60, s % 60);
    else
        nu_strbuf_addf(&text, "%llu s", s);
    print_tile(out, "Uptime", text.data);
    nu_strbuf_finish(&text);
}

static const struct nu_listener *listener_at(const struct nu_admin *admin, size_t index)
{
    return admin->parts.ops->listener(admin->parts.owner, index);
}

static uint64_t connections_of(const struct nu_listener *listener)
{
    return nu_stat_set_gauge(listener->stats,
                             offsetof(struct nu_listener_stats, downstream_cx_active));
}

static uint64_t accepted_by(const struct nu_listener *listener)
{
    return nu_stat_set_counter(listener->stats,
                               offsetof(struct nu_listener_stats, downstream_cx_total));
}

static void print_tiles(struct nu_strbuf *out, const struct nu_admin *admin)
{
    const struct nu_admin_ops *ops = admin->parts.ops;
    const struct nu_listener *listener;
    uint64_t connections = 0;
    for (size_t i = 0; (listener = listener_at(admin, i)); i++)
        connections += connections_of(listener);
    nu_strbuf_add_cstr(out, "<div class=\"tiles\">\n");
    print_uptime_tile(out, ops->uptime_s(admin->parts.owner));
    print_number_tile(out, "Workers", ops->concurrency(admin->parts.owner));
    print_number_tile(out, "Open connections", connections);
    nu_strbuf_add_cstr(out, "</div>\n");
}

/* --- Listeners and clusters ------------------------------------------------------------------- */

static void print_cell(struct nu_strbuf *out, struct nu_str text)
{
    nu_strbuf_add_cstr(out, "<td>");
    nu_admin_html_escape(out, text);
    nu_strbuf_add_cstr(out, "</td>");
}

static void print_number_cell(struct nu_strbuf *out, uint64_t number)
{
    nu_strbuf_add_cstr(out, "<td class=\"n\">");
    nu_strbuf_add_u64(out, number);
    nu_strbuf_add_cstr(out, "</td>");
}

static void print_rest(struct nu_strbuf *out, size_t count, const char *path)
{
    if (count > ROWS_MAX)
        nu_strbuf_addf(out, "<tr><td colspan=\"9\">and <a href=\"%s\">%zu more</a></td></tr>\n",
                       path, count - ROWS_MAX);
    nu_strbuf_add_cstr(out, "</table></div>\n");
}

static void print_listener(struct nu_strbuf *out, const struct nu_listener *listener)
{
    char text[NU_ADDRESS_TEXT_MAX];
    nu_strbuf_add_cstr(out, "<tr>");
    print_cell(out, listener->config->name);
    print_cell(out, nu_str_make(text, nu_address_format(&listener->bound[0], text)));
    print_number_cell(out, connections_of(listener));
    print_number_cell(out, accepted_by(listener));
    nu_strbuf_add_cstr(out, "</tr>\n");
}

static void print_listeners(struct nu_strbuf *out, const struct nu_admin *admin)
{
    const struct nu_listener *listener;
    size_t count = 0;
    nu_strbuf_add_cstr(out, "<h2>Listeners</h2><div class=\"card\"><table>\n"
                            "<tr><th>Name</th><th>Address</th><th class=\"n\">Connections</th>"
                            "<th class=\"n\">Accepted</th></tr>\n");
    for (; (listener = listener_at(admin, count)); count++) {
        if (count < ROWS_MAX)
            print_listener(out, listener);
    }
    print_rest(out, count, "listeners");
}

static uint64_t counter_of(const struct nu_cluster *cluster, size_t offset)
{
    return nu_stat_set_counter(cluster->sets.traffic, offset);
}

static void print_cluster(struct nu_strbuf *out, const struct nu_cluster *cluster)
{
    const struct nu_stat_set *traffic = cluster->sets.traffic;
    nu_strbuf_add_cstr(out, "<tr>");
    print_cell(out, cluster->name);
    print_number_cell(out, cluster->hosts->count);
    print_number_cell(out, nu_stat_set_gauge(traffic, offsetof(struct nu_cluster_traffic_stats,
                                                               upstream_cx_active)));
    print_number_cell(out, nu_stat_set_gauge(traffic, offsetof(struct nu_cluster_traffic_stats,
                                                               upstream_rq_active)));
    print_number_cell(
        out, counter_of(cluster, offsetof(struct nu_cluster_traffic_stats, upstream_rq_total)));
    print_number_cell(
        out, counter_of(cluster, offsetof(struct nu_cluster_traffic_stats, upstream_rq_timeout)));
    nu_strbuf_add_cstr(out, "</tr>\n");
}

static void print_clusters(struct nu_strbuf *out, const struct nu_admin *admin)
{
    const struct nu_cluster *cluster;
    size_t cursor = 0;
    size_t count = 0;
    nu_strbuf_add_cstr(out, "<h2>Clusters</h2><div class=\"card\"><table>\n"
                            "<tr><th>Name</th><th class=\"n\">Hosts</th><th class=\"n\">Connections"
                            "</th><th class=\"n\">Active requests</th><th class=\"n\">Requests</th>"
                            "<th class=\"n\">Timeouts</th></tr>\n");
    for (; (cluster = nu_cluster_manager_next(admin->parts.clusters, &cursor)); count++) {
        if (count < ROWS_MAX)
            print_cluster(out, cluster);
    }
    print_rest(out, count, "clusters");
}

/* --- VMs -------------------------------------------------------------------------------------- */

static void print_vm(struct nu_strbuf *out, const struct nu_wasm_vm_row *row,
                     struct nu_arena *arena)
{
    struct nu_strbuf plugins = {0};
    nu_admin_wasm_plugins(&plugins, row);
    nu_strbuf_add_cstr(out, "<tr>");
    print_cell(out,
               nu_arena_concat(arena, nu_arena_concat(arena, row->vm_id, NU_STR("/")), row->key));
    print_cell(out, nu_strbuf_str(&plugins));
    nu_strbuf_finish(&plugins);
    print_cell(out, nu_str_from(nu_admin_wasm_worker(row, arena)));
    print_number_cell(out, row->memory_bytes);
    print_number_cell(out, row->contexts);
    print_number_cell(out, row->calls);
    print_number_cell(out, row->failures);
    nu_strbuf_add_cstr(out, "</tr>\n");
}

/* Nothing where no plug-in is configured. */
static void print_vms(struct nu_strbuf *out, struct nu_arena *arena)
{
    size_t count = 0;
    const struct nu_wasm_vm_row *rows = nu_wasm_report_list(arena, &count);
    if (!count)
        return;
    nu_strbuf_add_cstr(out, "<h2>Wasm VMs</h2><div class=\"card\"><table>\n"
                            "<tr><th>VM</th><th>Plug-ins</th><th>Worker</th>"
                            "<th class=\"n\">Memory</th><th class=\"n\">Contexts</th>"
                            "<th class=\"n\">Calls</th><th class=\"n\">Failures</th></tr>\n");
    for (size_t i = 0; i < count && i < ROWS_MAX; i++)
        print_vm(out, &rows[i], arena);
    print_rest(out, count, "wasm");
}

/* --- Paths ------------------------------------------------------------------------------------ */

static void print_param(struct nu_strbuf *out, const struct nu_admin_path_param *param)
{
    nu_strbuf_addf(out, "<label title=\"");
    nu_admin_html_escape(out, nu_str_from(param->help));
    nu_strbuf_addf(out, "\">%s ", param->name);
    if (!param->values)
        nu_strbuf_addf(out, "<input name=\"%s\" size=\"14\">", param->name);
    else if (!*param->values)
        nu_strbuf_addf(out, "<input type=\"checkbox\" name=\"%s\">", param->name);
    else
        nu_admin_html_select(out, param->name, param->values, nu_str_make(NULL, 0));
    nu_strbuf_add_cstr(out, "</label>");
}

static void print_form(struct nu_strbuf *out, const struct nu_admin_path *row)
{
    nu_strbuf_addf(out, "<form action=\"%s\" method=\"%s\">", row->path + 1,
                   row->mutates ? "post" : "get");
    for (const struct nu_admin_path_param *param = row->params; param && param->name; param++)
        print_param(out, param);
    nu_strbuf_addf(out, "<button%s>%s</button></form>", row->mutates ? " class=\"act\"" : "",
                   row->mutates ? "Do it" : "Show");
}

static void print_path(struct nu_strbuf *out, const struct nu_admin_path *row)
{
    if (row->mutates)
        nu_strbuf_addf(out, "<tr><td class=\"p\">%s</td><td>", row->path);
    else
        nu_strbuf_addf(out, "<tr><td class=\"p\"><a href=\"%s\">%s</a></td><td>", row->path + 1,
                       row->path);
    nu_admin_html_escape(out, nu_str_from(row->help));
    if (row->mutates || row->params)
        print_form(out, row);
    nu_strbuf_add_cstr(out, "</td></tr>\n");
}

static void print_paths(struct nu_strbuf *out, const char *title, bool mutating)
{
    nu_strbuf_addf(out, "<h2>%s</h2><div class=\"card\"><table>\n", title);
    for (const struct nu_admin_path *row = nu_admin_paths; row->path; row++) {
        if (row->mutates == mutating && row->path[1] && !row->is_off_home)
            print_path(out, row);
    }
    nu_strbuf_add_cstr(out, "</table></div>\n");
}

void nu_admin_home(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    struct nu_strbuf *out = &response->body;
    response->content_type = NU_ADMIN_HTML;
    nu_admin_html_begin(out, request->admin, "nuncio admin", 0);
    print_tiles(out, request->admin);
    print_listeners(out, request->admin);
    print_clusters(out, request->admin);
    print_vms(out, request->arena);
    print_paths(out, "Look", false);
    print_paths(out, "Act", true);
    nu_admin_html_end(out);
}
