/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /stats?format=html: the text rendering under a form that narrows it down; active-html loads
 * itself again every few seconds.
 */
#include "admin/stats_page.h"

#include "admin/html.h"

enum { REFRESH_S = 5 };

struct page {
    struct nu_stats_render *render; /* owned */
    struct nu_strbuf text;          /* owned: a slice before it is escaped */
    bool has_text;
};

static bool next_slice(void *state, struct nu_strbuf *out, size_t bytes)
{
    struct page *page = state;
    nu_strbuf_clear(&page->text);
    bool more = nu_stats_render_next(page->render, &page->text, bytes);
    nu_admin_html_escape(out, nu_strbuf_str(&page->text));
    page->has_text |= page->text.len > 0;
    if (!more && !page->has_text)
        nu_strbuf_add_cstr(out, "No statistic matches.");
    if (!more) {
        nu_strbuf_add_cstr(out, "</pre></div>\n");
        nu_admin_html_end(out);
    }
    return more;
}

static void finish(void *state)
{
    struct page *page = state;
    nu_stats_render_destroy(&page->render);
    nu_strbuf_finish(&page->text);
}

static const struct nu_admin_source page_source = {
    .next = next_slice,
    .finish = finish,
};

static void print_form(struct nu_strbuf *out, const struct nu_admin_request *request)
{
    nu_strbuf_add_cstr(out, "<form action=\"stats\" method=\"get\"><label>filter "
                            "<input name=\"filter\" size=\"34\" placeholder=\"RE2\" value=\"");
    nu_admin_html_escape(out, nu_admin_param(request, "filter"));
    nu_strbuf_add_cstr(out, "\"></label><label>type ");
    nu_admin_html_select(out, "type", "All, Counters, Gauges, Histograms, TextReadouts",
                         nu_admin_param(request, "type"));
    nu_strbuf_addf(out,
                   "</label><label><input type=\"checkbox\" name=\"usedonly\"%s> used only</label>"
                   "<label>format ",
                   nu_admin_has_param(request, "usedonly") ? " checked" : "");
    nu_admin_html_select(out, "format", "html, active-html, text, json, prometheus",
                         nu_admin_param(request, "format"));
    nu_strbuf_add_cstr(out, "</label><button>Show</button></form>\n"
                            "<div class=\"card\"><pre>");
}

void nu_admin_answer_stats_page(const struct nu_admin_request *request,
                                struct nu_stats_options *options,
                                struct nu_admin_response *response)
{
    struct page *page = nu_arena_calloc(request->arena, sizeof(*page));
    bool is_active = nu_str_eq(nu_admin_param(request, "format"), NU_STR("active-html"));
    response->content_type = NU_ADMIN_HTML;
    nu_admin_html_begin(&response->body, request->admin, "nuncio statistics",
                        is_active ? REFRESH_S : 0);
    print_form(&response->body, request);
    options->format = NU_STATS_TEXT;
    page->render = nu_stats_render_create(request->admin->stats, options);
    response->source = &page_source;
    response->state = page;
}
