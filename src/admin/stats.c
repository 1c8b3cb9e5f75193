/* SPDX-License-Identifier: Apache-2.0 */
/* /stats and its kin: the registry's renderings as sources of slices. */
#include "admin/admin_internal.h"
#include "admin/endpoint_stats.h"
#include "admin/stats_page.h"

static bool next_slice(void *state, struct nu_strbuf *out, size_t bytes)
{
    return nu_stats_render_next(state, out, bytes);
}

static void finish(void *state)
{
    struct nu_stats_render *render = state;
    nu_stats_render_destroy(&render);
}

static const struct nu_admin_source render_source = {
    .next = next_slice,
    .finish = finish,
};

/* Whether an earlier parameter has the same name: the first one counts. */
static bool is_repeated(const struct nu_admin_request *request, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (nu_str_eq(request->params[k].name, request->params[i].name))
            return true;
    }
    return false;
}

static bool is_html_format(const struct nu_admin_param *param)
{
    return nu_str_eq(param->name, NU_STR("format")) &&
           (nu_str_eq(param->value, NU_STR("html")) ||
            nu_str_eq(param->value, NU_STR("active-html")));
}

static bool wants_html(const struct nu_admin_request *request)
{
    struct nu_admin_param format = {NU_STR("format"), nu_admin_param(request, "format")};
    return is_html_format(&format);
}

static enum nu_result read_options(const struct nu_admin_request *request,
                                   struct nu_stats_options *options, struct nu_strbuf *error)
{
    for (size_t i = 0; i < request->param_count; i++) {
        const struct nu_admin_param *param = &request->params[i];
        if (is_repeated(request, i) || is_html_format(param))
            continue;
        enum nu_result result = nu_stats_options_set(options, param->name, param->value, error);
        if (result != NU_OK)
            return result;
    }
    return nu_stats_options_check(options, error);
}

static void answer(const struct nu_admin_request *request, struct nu_stats_options *options,
                   struct nu_admin_response *response)
{
    const struct nu_admin *admin = request->admin;
    if (read_options(request, options, &response->body) != NU_OK) {
        response->status = 400;
        nu_stats_options_finish(options);
        return;
    }
    admin->parts.ops->refresh_stats(admin->parts.owner);
    options->rows = nu_admin_endpoint_stats(admin->parts.clusters);
    if (wants_html(request)) {
        nu_admin_answer_stats_page(request, options, response);
        return;
    }
    if (options->format == NU_STATS_JSON)
        response->content_type = NU_ADMIN_JSON;
    response->source = &render_source;
    response->state = nu_stats_render_create(admin->stats, options);
}

void nu_admin_stats(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    struct nu_stats_options options = {0};
    answer(request, &options, response);
}

void nu_admin_stats_prometheus(const struct nu_admin_request *request,
                               struct nu_admin_response *response)
{
    struct nu_stats_options options = {.format = NU_STATS_PROMETHEUS};
    answer(request, &options, response);
}

void nu_admin_reset_counters(const struct nu_admin_request *request,
                             struct nu_admin_response *response)
{
    nu_stats_reset_counters(request->admin->stats);
    nu_admin_answer(response, 200, "OK\n");
}
