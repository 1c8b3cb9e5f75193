/* SPDX-License-Identifier: Apache-2.0 */
/* Versions, ciphers, curves and signature algorithms: BoringSSL's names become OpenSSL's. */
#include "tls/params_from_proto.h"

#include "tls/names.h"

#include "envoy/extensions/transport_sockets/tls/v3/common.pb-c.h"

typedef Envoy__Extensions__TransportSockets__Tls__V3__TlsParameters params_proto;

/* BoringSSL's order, which is Envoy's default. */
#define DEFAULT_CIPHERS \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define DEFAULT_CURVES "X25519:P-256"

static int version_of(int configured, int standby)
{
    switch (configured) {
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_0:
        return TLS1_VERSION;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_1:
        return TLS1_1_VERSION;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_2:
        return TLS1_2_VERSION;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__TLS_PARAMETERS__TLS_PROTOCOL__TLSv1_3:
        return TLS1_3_VERSION;
    default:
        return standby;
    }
}

typedef bool (*translate_fn)(struct nu_str name, struct nu_strbuf *out);

/* One name of a list, or a bracketed group of equal preference, "[A|B]", which becomes A and B. */
static bool add_item(struct nu_str item, translate_fn translate, struct nu_strbuf *list)
{
    if (nu_str_starts_with(item, NU_STR("[")) && nu_str_ends_with(item, NU_STR("]")))
        item = nu_str_make(item.ptr + 1, item.len - 2);
    while (item.ptr) {
        struct nu_str name = nu_str_split(&item, '|');
        if (list->len)
            nu_strbuf_add_char(list, ':');
        if (!translate(name, list))
            return false;
    }
    return true;
}

/* A list of BoringSSL's names becomes one of OpenSSL's; an empty one is `standby`. */
static const char *read_names(struct nu_tls_reader *reader, const params_proto *proto,
                              const char *field, const char **items, size_t count,
                              translate_fn translate, const char *standby)
{
    struct nu_strbuf list = {0};
    for (size_t i = 0; i < count; i++) {
        struct nu_str item = nu_str_from(items[i]);
        if (translate == nu_tls_cipher_translate && nu_tls_is_tls13_suite(item))
            nu_config_error_at(reader->ctx, proto, field, i,
                               "'%s' is a TLS 1.3 cipher suite; those cannot be configured, "
                               "all are on where TLS 1.3 is",
                               items[i]);
        else if (!add_item(item, translate, &list))
            nu_config_error_at(reader->ctx, proto, field, i,
                               "'%s' is not known, or is not supported by this OpenSSL", items[i]);
    }
    const char *result = list.len ? nu_arena_strdup(reader->arena, list.data) : standby;
    nu_strbuf_finish(&list);
    return result;
}

/* OpenSSL has no groups of equal preference. What they are for is that a client without hardware
 * for AES gets the other cipher that it asks for first, and there is an option for that. */
static bool has_chacha_in_group(const params_proto *proto)
{
    if (!proto || proto->n_cipher_suites == 0)
        return true; /* Envoy's own list */
    for (size_t i = 0; i < proto->n_cipher_suites; i++) {
        if (proto->cipher_suites[i][0] == '[' && strstr(proto->cipher_suites[i], "CHACHA20"))
            return true;
    }
    return false;
}

void nu_tls_read_params(struct nu_tls_reader *reader, const params_proto *proto,
                        struct nu_tls_settings *settings)
{
    settings->min_version = TLS1_2_VERSION;
    settings->max_version = settings->is_server ? TLS1_3_VERSION : TLS1_2_VERSION;
    settings->cipher_list = DEFAULT_CIPHERS;
    settings->curve_list = DEFAULT_CURVES;
    settings->chacha_if_first = settings->is_server && has_chacha_in_group(proto);
    if (!proto)
        return;
    settings->min_version =
        version_of((int)proto->tls_minimum_protocol_version, settings->min_version);
    settings->max_version =
        version_of((int)proto->tls_maximum_protocol_version, settings->max_version);
    if (settings->min_version > settings->max_version)
        nu_config_error(reader->ctx, proto, "tls_minimum_protocol_version",
                        "the minimum version is above the maximum version");
    settings->cipher_list =
        read_names(reader, proto, "cipher_suites", proto->cipher_suites, proto->n_cipher_suites,
                   nu_tls_cipher_translate, DEFAULT_CIPHERS);
    settings->curve_list = read_names(reader, proto, "ecdh_curves", proto->ecdh_curves,
                                      proto->n_ecdh_curves, nu_tls_curve_translate, DEFAULT_CURVES);
    settings->sigalg_list =
        read_names(reader, proto, "signature_algorithms", proto->signature_algorithms,
                   proto->n_signature_algorithms, nu_tls_sigalg_translate, NULL);
}
