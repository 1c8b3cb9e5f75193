/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x-forwarded-client-cert: what the client says of certificates is dropped, passed on or added to,
 * as configured, and the certificate of the connection is described in the words of Envoy:
 *
 *     By=spiffe://own;Hash=1f2e;Cert="-----BEGIN%20...";Subject="CN=a, O=\"b\"";URI=spiffe://peer
 */
#include "http/ssl_info.h"
#include "stream/stream_internal.h"

static void add_key(struct nu_strbuf *out, const char *key)
{
    if (out->len)
        nu_strbuf_add_char(out, ';');
    nu_strbuf_add_cstr(out, key);
}

static bool needs_quotes(struct nu_str value)
{
    return nu_str_find_char(value, ',') != NU_NPOS || nu_str_find_char(value, ';') != NU_NPOS ||
           nu_str_find_char(value, '"') != NU_NPOS;
}

/*
 * Names are whatever an authority signed: one must not pass for other elements, or other keys, by
 * its commas, semicolons and quotes, nor begin a header by its line breaks.
 */
static void add_name(struct nu_strbuf *out, const char *key, struct nu_str value)
{
    bool is_quoted = needs_quotes(value);
    add_key(out, key);
    if (is_quoted)
        nu_strbuf_add_char(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c < ' ' || c == 0x7f) {
            nu_strbuf_addf(out, "%%%02X", c);
            continue;
        }
        if (is_quoted && (c == '"' || c == '\\'))
            nu_strbuf_add_char(out, '\\');
        nu_strbuf_add_char(out, (char)c);
    }
    if (is_quoted)
        nu_strbuf_add_char(out, '"');
}

static void add_list(struct nu_strbuf *out, const char *key, struct nu_ssl_list_value list)
{
    for (size_t i = 0; i < list.count; i++)
        add_name(out, key, list.items[i]);
}

/* Distinguished names bring their own backslashes, and PEM has no quotes. */
static void add_quoted(struct nu_strbuf *out, const char *key, struct nu_str value)
{
    add_key(out, key);
    nu_strbuf_add_char(out, '"');
    nu_strbuf_add(out, value);
    nu_strbuf_add_char(out, '"');
}

static void describe(struct nu_strbuf *out, struct nu_ssl_info *ssl, unsigned details)
{
    add_list(out, "By=", nu_ssl_info_list(ssl, NU_SSL_LOCAL_URI));
    add_key(out, "Hash=");
    nu_strbuf_add(out, nu_ssl_info_text(ssl, NU_SSL_PEER_SHA256));
    if (details & NU_CLIENT_CERT_CERT)
        add_quoted(out, "Cert=", nu_ssl_info_text(ssl, NU_SSL_PEER_CERT));
    if (details & NU_CLIENT_CERT_CHAIN)
        add_quoted(out, "Chain=", nu_ssl_info_text(ssl, NU_SSL_PEER_CHAIN));
    if (details & NU_CLIENT_CERT_SUBJECT)
        add_quoted(out, "Subject=", nu_ssl_info_text(ssl, NU_SSL_PEER_SUBJECT));
    if (details & NU_CLIENT_CERT_URI) {
        struct nu_ssl_list_value uris = nu_ssl_info_list(ssl, NU_SSL_PEER_URI);
        if (uris.count == 0)
            add_key(out, "URI=");
        add_list(out, "URI=", uris);
    }
    if (details & NU_CLIENT_CERT_DNS)
        add_list(out, "DNS=", nu_ssl_info_list(ssl, NU_SSL_PEER_DNS));
}

static void set_description(struct nu_hcm_stream *stream, struct nu_ssl_info *ssl)
{
    struct nu_headers *headers = &stream->request_headers;
    const struct nu_hcm_config *config = stream->config;
    struct nu_strbuf text = {0};
    describe(&text, ssl, config->client_cert_details);
    struct nu_str value = nu_arena_dup(stream->arena, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
    struct nu_str present = nu_headers_get_id(headers, NU_HEADER_X_FORWARDED_CLIENT_CERT);
    if (config->forward_client_cert == NU_XFCC_APPEND_FORWARD && present.len) {
        present = nu_arena_concat(stream->arena, present, NU_STR(","));
        value = nu_arena_concat(stream->arena, present, value);
    }
    nu_headers_set_id(headers, NU_HEADER_X_FORWARDED_CLIENT_CERT, value);
}

void nu_hcm_forward_client_cert(struct nu_hcm_stream *stream)
{
    struct nu_ssl_info *ssl = stream->connection_info.ssl;
    enum nu_forward_client_cert mode = stream->config->forward_client_cert;
    if (mode == NU_XFCC_ALWAYS_FORWARD_ONLY)
        return;
    if (mode == NU_XFCC_SANITIZE || !ssl || !nu_ssl_info_is_peer_presented(ssl))
        nu_headers_remove_id(&stream->request_headers, NU_HEADER_X_FORWARDED_CLIENT_CERT);
    else if (mode != NU_XFCC_FORWARD_ONLY)
        set_description(stream, ssl);
}
