/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of the pages for people. */
#include "admin/html.h"

static const char style[] =
    ":root{--bg:#f6f7f9;--card:#fff;--ink:#1d2430;--soft:#5c6676;--line:#dfe3ea;--link:#0b5cad;"
    "--live:#1a7f47;--bad:#b42318;--wait:#9a6700}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14181f;--card:#1c222b;--ink:#e4e8ee;"
    "--soft:#9aa5b5;--line:#313a47;--link:#79b8ff;--live:#4cc38a;--bad:#ff8a7a;--wait:#e2b93b}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\n"
    "header{background:var(--card);border-bottom:1px solid var(--line)}\n"
    "header div,main{max-width:1080px;margin:0 auto;padding:14px 20px}\n"
    "header div{display:flex;align-items:baseline;gap:14px}\n"
    "header a{color:inherit;text-decoration:none}\n"
    "h1{font-size:20px;margin:0}\n"
    "h2{font-size:13px;letter-spacing:.05em;text-transform:uppercase;color:var(--soft);"
    "margin:26px 0 8px}\n"
    "a{color:var(--link)}\n"
    ".state{font-weight:600;padding:1px 10px;border-radius:10px;border:1px solid currentColor}\n"
    ".LIVE{color:var(--live)}.DRAINING{color:var(--bad)}"
    ".INITIALIZING,.PRE_INITIALIZING{color:var(--wait)}\n"
    ".soft{color:var(--soft)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;"
    "margin-top:18px}\n"
    ".tile,.card{background:var(--card);border:1px solid var(--line);border-radius:8px}\n"
    ".tile{padding:10px 14px}.tile b{display:block;font-size:20px;font-weight:600}\n"
    ".card{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{text-align:left;padding:6px 14px;border-top:1px solid var(--line);"
    "vertical-align:top}\n"
    "tr:first-child>*{border-top:0}th{color:var(--soft);font-weight:500}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "td.p{white-space:nowrap;font-family:ui-monospace,monospace;font-size:14px}\n"
    "form{display:flex;flex-wrap:wrap;gap:6px 10px;align-items:center;margin:6px 0 2px}\n"
    "label{color:var(--soft);font-size:13px}\n"
    "input,select,button{font:inherit;font-size:13px;padding:2px 8px;border-radius:5px;"
    "border:1px solid var(--line);background:var(--bg);color:inherit}\n"
    "button{cursor:pointer}button.act{border-color:currentColor;color:var(--bad)}\n"
    "pre{margin:0;padding:12px 14px;font:13px/1.45 ui-monospace,monospace}\n";

void nu_admin_html_escape(struct nu_strbuf *out, struct nu_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            nu_strbuf_add_cstr(out, "&amp;");
            break;
        case '<':
            nu_strbuf_add_cstr(out, "&lt;");
            break;
        case '>':
            nu_strbuf_add_cstr(out, "&gt;");
            break;
        case '"':
            nu_strbuf_add_cstr(out, "&quot;");
            break;
        case '\'':
            nu_strbuf_add_cstr(out, "&#39;");
            break;
        default:
            nu_strbuf_add_char(out, text.ptr[i]);
        }
    }
}

void nu_admin_html_begin(struct nu_strbuf *out, const struct nu_admin *admin, const char *title,
                         unsigned refresh_s)
{
    const char *state = nu_server_state_name(nu_admin_state(admin));
    nu_strbuf_add_cstr(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                            "<meta name=\"viewport\" content=\"width=device-width\">\n"
                            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                            "'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
                            "base-uri 'none'\">\n");
    if (refresh_s)
        nu_strbuf_addf(out, "<meta http-equiv=\"refresh\" content=\"%u\">\n", refresh_s);
    nu_strbuf_addf(out,
                   "<title>%s</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n%s</style>"
                   "</head>\n<body><header><div><h1><a href=\"/\">nuncio</a></h1>"
                   "<span class=\"state %s\">%s</span><span class=\"soft\">" NU_VERSION,
                   title, style, state, state);
    nu_strbuf_add_cstr(out, " &middot; node ");
    nu_admin_html_escape(out, admin->local->node_id.len ? admin->local->node_id : NU_STR("-"));
    nu_strbuf_add_cstr(out, " &middot; cluster ");
    nu_admin_html_escape(out, admin->local->cluster.len ? admin->local->cluster : NU_STR("-"));
    nu_strbuf_add_cstr(out, "</span></div></header>\n<main>\n");
}

void nu_admin_html_end(struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, "</main></body></html>\n");
}

void nu_admin_html_select(struct nu_strbuf *out, const char *name, const char *values,
                          struct nu_str chosen)
{
    struct nu_str rest = nu_str_from(values);
    nu_strbuf_addf(out, "<select name=\"%s\"><option value=\"\">default</option>", name);
    while (rest.ptr) {
        struct nu_str value = nu_str_trim(nu_str_split(&rest, ','));
        if (value.len == 0)
            continue;
        nu_strbuf_addf(out, "<option%s>%.*s</option>", nu_str_eq(value, chosen) ? " selected" : "",
                       NU_STR_ARG(value));
    }
    nu_strbuf_add_cstr(out, "</select>");
}
