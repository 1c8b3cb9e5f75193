/* SPDX-License-Identifier: Apache-2.0 */
/* Paths about the process as a whole: is it ready, what is it, let it drain, let it end. */
#include <stdio.h>

#include "admin/admin_internal.h"
#include "admin/memory.h"
#include "wasm/report.h"
#include "config/print.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

static const struct nu_admin_ops *ops_of(const struct nu_admin_request *request)
{
    return request->admin->parts.ops;
}

static void *owner_of(const struct nu_admin_request *request)
{
    return request->admin->parts.owner;
}

static void answer_ok(struct nu_admin_response *response)
{
    nu_admin_answer(response, 200, "OK\n");
}

const char *nu_server_state_name(enum nu_server_state state)
{
    switch (state) {
    case NU_SERVER_LIVE:
        return "LIVE";
    case NU_SERVER_DRAINING:
        return "DRAINING";
    case NU_SERVER_PRE_INITIALIZING:
        return "PRE_INITIALIZING";
    case NU_SERVER_INITIALIZING:
        return "INITIALIZING";
    }
    return "";
}

void nu_admin_ready(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    enum nu_server_state state = nu_admin_state(request->admin);
    response->status = state == NU_SERVER_LIVE ? 200 : 503;
    nu_strbuf_addf(&response->body, "%s\n", nu_server_state_name(state));
}

/* --- /server_info ----------------------------------------------------------------------------- */

static void print_seconds(struct nu_json *json, struct nu_str key, uint64_t seconds)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%llus", (unsigned long long)seconds);
    nu_json_key(json, key);
    nu_json_string(json, nu_str_make(text, (size_t)len));
}

static void print_text(struct nu_json *json, struct nu_str key, struct nu_str value)
{
    nu_json_key(json, key);
    nu_json_string(json, value);
}

void nu_admin_server_info(const struct nu_admin_request *request,
                          struct nu_admin_response *response)
{
    const struct nu_admin *admin = request->admin;
    uint64_t uptime = ops_of(request)->uptime_s(owner_of(request));
    struct nu_json json;
    nu_json_init(&json, &response->body, true);
    nu_json_object_begin(&json);
    print_text(&json, NU_STR("version"), NU_STR("nuncio/" NU_VERSION "/Clean/RELEASE/OpenSSL"));
    print_text(&json, NU_STR("state"), nu_str_from(nu_server_state_name(nu_admin_state(admin))));
    print_seconds(&json, NU_STR("uptime_current_epoch"), uptime);
    print_seconds(&json, NU_STR("uptime_all_epochs"), uptime);
    print_text(&json, NU_STR("hot_restart_version"), NU_STR("disabled"));
    nu_json_key(&json, NU_STR("command_line_options"));
    nu_json_object_begin(&json);
    ops_of(request)->print_options(owner_of(request), &json);
    nu_json_object_end(&json);
    nu_json_key(&json, NU_STR("node"));
    nu_config_print(&json, &admin->bootstrap->node->base);
    nu_json_object_end(&json);
    nu_strbuf_add_char(&response->body, '\n');
    response->content_type = NU_ADMIN_JSON;
}

/* --- /memory ---------------------------------------------------------------------------------- */

static void print_number(struct nu_json *json, struct nu_str key, uint64_t value)
{
    char text[20];
    print_text(json, key, nu_str_make(text, nu_u64_to_chars(value, text)));
}

/* The heap in tcmalloc's words, as far as the C library's has the same thing. */
void nu_admin_memory(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    (void)request;
    struct nu_memory_figures figures;
    nu_memory_figures_read(&figures);
    struct nu_json json;
    nu_json_init(&json, &response->body, true);
    nu_json_object_begin(&json);
    print_number(&json, NU_STR("allocated"), figures.allocated);
    print_number(&json, NU_STR("heap_size"), figures.heap_size);
    print_number(&json, NU_STR("pageheap_unmapped"), 0);
    print_number(&json, NU_STR("pageheap_free"), figures.heap_free);
    print_number(&json, NU_STR("total_thread_cache"), 0);
    print_number(&json, NU_STR("total_physical_bytes"), figures.physical);
    uint64_t guests = nu_wasm_report_total();
    if (guests) /* outside of the heap: what wasm guests have mapped */
        print_number(&json, NU_STR("wasm_guest_bytes"), guests);
    nu_json_object_end(&json);
    nu_strbuf_add_char(&response->body, '\n');
    response->content_type = NU_ADMIN_JSON;
}

void nu_admin_hot_restart_version(const struct nu_admin_request *request,
                                  struct nu_admin_response *response)
{
    (void)request;
    nu_admin_answer(response, 200, "disabled");
}

/* --- Commands --------------------------------------------------------------------------------- */

void nu_admin_quit(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    ops_of(request)->quit(owner_of(request));
    answer_ok(response);
}

void nu_admin_healthcheck_fail(const struct nu_admin_request *request,
                               struct nu_admin_response *response)
{
    ops_of(request)->fail_health(owner_of(request), true);
    answer_ok(response);
}

void nu_admin_healthcheck_ok(const struct nu_admin_request *request,
                             struct nu_admin_response *response)
{
    ops_of(request)->fail_health(owner_of(request), false);
    answer_ok(response);
}

void nu_admin_drain_listeners(const struct nu_admin_request *request,
                              struct nu_admin_response *response)
{
    struct nu_admin_drain how = {
        .inbound_only = nu_admin_has_param(request, "inboundonly"),
        .graceful = nu_admin_has_param(request, "graceful"),
        .skip_exit = nu_admin_has_param(request, "skip_exit"),
    };
    if (how.skip_exit && !how.graceful) {
        nu_admin_answer(response, 400, "skip_exit requires graceful\n");
        return;
    }
    ops_of(request)->drain_listeners(owner_of(request), &how);
    answer_ok(response);
}

void nu_admin_reopen_logs(const struct nu_admin_request *request,
                          struct nu_admin_response *response)
{
    ops_of(request)->reopen_logs(owner_of(request));
    answer_ok(response);
}
