/* SPDX-License-Identifier: Apache-2.0 */
/* What was read at both ends, as it was on the wire but for what a terminal would take for a
 * command; then one line that says how it went. */
#include "server/wasm_run/report.h"

/* --- Bytes for people ------------------------------------------------------------------------- */

static bool is_control(unsigned char c)
{
    return (c < ' ' && c != '\n' && c != '\t') || c == 0x7f;
}

/* A control character of two bytes in UTF-8, U+0080 to U+009F. */
static bool is_long_control(struct nu_str text, size_t at)
{
    return (unsigned char)text.ptr[at] == 0xc2 && at + 1 < text.len &&
           (unsigned char)text.ptr[at + 1] < 0xa0;
}

static void add_shown(struct nu_strbuf *out, struct nu_str text)
{
    bool is_utf8 = nu_str_is_utf8(text);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_long = is_long_control(text, i) || (i > 0 && is_long_control(text, i - 1));
        if (is_control(c) || (c >= 0x80 && !is_utf8) || is_long)
            nu_strbuf_addf(out, "\\x%02x", c);
        else
            nu_strbuf_add_char(out, (char)c);
    }
}

static void end_line(struct nu_strbuf *out)
{
    if (out->len && out->data[out->len - 1] != '\n')
        nu_strbuf_add_char(out, '\n');
}

/* --- Messages --------------------------------------------------------------------------------- */

static void add_body(const struct nu_wasm_run_message *message, struct nu_strbuf *out)
{
    if (message->body_bytes == 0)
        return;
    nu_strbuf_add_char(out, '\n');
    add_shown(out, nu_strbuf_str(&message->body));
    end_line(out);
    if (message->body_bytes > message->body.len)
        nu_strbuf_addf(out, "[%llu bytes, of which the first %zu are shown]\n",
                       (unsigned long long)message->body_bytes, message->body.len);
}

static void add_message(const struct nu_wasm_run_message *message, struct nu_strbuf *out)
{
    add_shown(out, nu_strbuf_str(&message->head));
    add_body(message, out);
    if (message->trailers.len) {
        nu_strbuf_add_cstr(out, "\ntrailers:\n");
        add_shown(out, nu_strbuf_str(&message->trailers));
    }
    if (message->phase != NU_WASM_RUN_COMPLETE)
        nu_strbuf_add_cstr(out, "[it did not come to its end]\n");
}

static void add_requests(const struct nu_wasm_run_exchange *exchange, struct nu_strbuf *out)
{
    const struct nu_wasm_run_message *message;
    if (exchange->request_count == 0)
        nu_strbuf_add_cstr(out, "=== Nothing reached the upstream\n");
    nu_list_for_each(message, &exchange->requests, const struct nu_wasm_run_message, link)
    {
        nu_strbuf_add_cstr(out, "=== The upstream was sent\n");
        add_message(message, out);
    }
    if (exchange->request_count > NU_WASM_RUN_REQUESTS_KEPT)
        nu_strbuf_addf(out, "=== ... and %zu requests more\n",
                       exchange->request_count - NU_WASM_RUN_REQUESTS_KEPT);
}

static void add_response(const struct nu_wasm_run_message *response, struct nu_strbuf *out)
{
    if (response->head.len == 0) {
        nu_strbuf_add_cstr(out, "=== The client was sent nothing\n");
        return;
    }
    nu_strbuf_add_cstr(out, "=== The client was sent\n");
    add_message(response, out);
}

/* --- How it went ------------------------------------------------------------------------------ */

static void add_logged(struct nu_str lines, struct nu_strbuf *out)
{
    while (lines.len) {
        struct nu_str line = nu_str_split(&lines, '\n');
        struct nu_str status = nu_str_split(&line, '\t');
        struct nu_str details = nu_str_split(&line, '\t');
        nu_strbuf_addf(out, "=== Access log: status %.*s, details ", NU_STR_ARG(status));
        add_shown(out, details);
        nu_strbuf_addf(out, ", flags %.*s\n", NU_STR_ARG(line));
    }
}

/* Of one who has waited for too long: what did not come. */
static const char *what_is_held(const struct nu_wasm_run_exchange *exchange)
{
    const struct nu_wasm_run_message *request =
        nu_list_first(&exchange->requests, const struct nu_wasm_run_message, link);
    if (exchange->response.head.len)
        return "the filter holds the rest of the response";
    if (!request)
        return "the filter holds the request: it was paused, and nothing let it go on";
    if (request->phase != NU_WASM_RUN_COMPLETE)
        return "the filter holds the rest of the request";
    return "the filter holds the response: it was paused, and nothing let it go on";
}

static void add_time_out(const struct nu_wasm_run_exchange *exchange, bool opened,
                         struct nu_strbuf *out)
{
    if (opened)
        nu_strbuf_addf(out, "no answer within %g s: %s", exchange->options->timeout_ms / 1000.0,
                       what_is_held(exchange));
    else
        nu_strbuf_addf(out, "not ready within %d s: is the name of a --cluster known?",
                       NU_WASM_RUN_START_MS / 1000);
}

/* The last line; whether it is a good one. */
static bool add_verdict(const struct nu_wasm_run_exchange *exchange,
                        const struct nu_wasm_run_outcome *outcome, struct nu_strbuf *out)
{
    bool answered = exchange->is_done && exchange->response.phase == NU_WASM_RUN_COMPLETE;
    if (answered)
        nu_strbuf_add_cstr(out, "answered");
    else if (outcome->timed_out)
        add_time_out(exchange, outcome->opened, out);
    else if (exchange->is_done)
        nu_strbuf_add_cstr(out, exchange->response.head.len
                                    ? "the connection ended amid the response"
                                    : "the connection ended without a response");
    else
        nu_strbuf_add_cstr(out, "interrupted");
    if (outcome->guest_failed)
        nu_strbuf_add_cstr(out, ", and the filter's code failed: see its log");
    if (outcome->end_timed_out)
        nu_strbuf_add_cstr(out,
                           "; a root did not end in time: its proxy_on_done returned false, and "
                           "proxy_done was not called");
    nu_strbuf_add_char(out, '\n');
    return answered && !outcome->guest_failed;
}

bool nu_wasm_run_report(const struct nu_wasm_run_exchange *exchange,
                        const struct nu_wasm_run_outcome *outcome, struct nu_strbuf *out)
{
    if (outcome->opened) {
        add_requests(exchange, out);
        add_response(&exchange->response, out);
        add_logged(outcome->logged, out);
    }
    nu_strbuf_add_cstr(out, "=== Outcome: ");
    return add_verdict(exchange, outcome, out);
}
