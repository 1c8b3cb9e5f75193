/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading TLS contexts. Files are read and certificates checked here, each error with the place in
 * the configuration that names the file.
 */
#include "tls/settings_from_proto.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/alloc.h"
#include "config/values.h"
#include "tls/context.h"
#include "tls/params_from_proto.h"
#include "tls/transport.h"

#include "envoy/extensions/transport_sockets/tls/v3/tls.pb-c.h"

typedef Envoy__Extensions__TransportSockets__Tls__V3__CommonTlsContext common_proto;
typedef Envoy__Extensions__TransportSockets__Tls__V3__TlsCertificate certificate_proto;
typedef Envoy__Extensions__TransportSockets__Tls__V3__CertificateValidationContext validation_proto;
typedef Envoy__Extensions__TransportSockets__Tls__V3__SubjectAltNameMatcher san_proto;
typedef Envoy__Extensions__TransportSockets__Tls__V3__DownstreamTlsContext downstream_proto;
typedef Envoy__Extensions__TransportSockets__Tls__V3__UpstreamTlsContext upstream_proto;
typedef Envoy__Extensions__TransportSockets__Tls__V3__SdsSecretConfig reference_proto;
typedef Envoy__Extensions__TransportSockets__Tls__V3__TlsSessionTicketKeys keys_proto;
typedef Envoy__Extensions__TransportSockets__Tls__V3__TlsKeyLog key_log_proto;
typedef Envoy__Config__Core__V3__DataSource data_proto;

/* --- Data sources ----------------------------------------------------------------------------- */

static struct nu_str name_of_source(const data_proto *proto)
{
    if (proto && proto->specifier_case == ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_FILENAME)
        return nu_str_from(proto->filename);
    return NU_STR("<inline>");
}

static void digest(struct nu_tls_reader *reader, struct nu_str bytes)
{
    if (!reader->digest)
        return;
    EVP_DigestUpdate(reader->digest, &bytes.len, sizeof(bytes.len));
    EVP_DigestUpdate(reader->digest, bytes.ptr, bytes.len);
}

static void watch_directory(struct nu_tls_reader *reader,
                            const Envoy__Config__Core__V3__WatchedDirectory *proto)
{
    if (reader->watch && proto)
        nu_file_watch_add_directory(reader->watch, nu_str_from(proto->path));
}

static bool read_source(struct nu_tls_reader *reader, const data_proto *proto, struct nu_str *out)
{
    *out = nu_str_make(NULL, 0);
    if (!proto)
        return true;
    if (reader->watch &&
        proto->specifier_case == ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_FILENAME) {
        nu_file_watch_add(reader->watch, nu_str_from(proto->filename));
        watch_directory(reader, proto->watched_directory);
    }
    if (!nu_config_data_source_now(reader->ctx, proto, out))
        return false;
    digest(reader, *out);
    return true;
}

/* --- Secrets ---------------------------------------------------------------------------------- */

static struct nu_str pack(const ProtobufCMessage *message, struct nu_arena *arena)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = nu_arena_alloc(arena, size + 1);
    protobuf_c_message_pack(message, bytes);
    return nu_str_make((const char *)bytes, size);
}

/* What a secret holds; NULL while it is not there, or after an error. */
static const ProtobufCMessage *
use_secret(struct nu_tls_reader *reader, const reference_proto *proto, enum nu_tls_secret_kind kind)
{
    if (!reader->secrets) {
        nu_config_error(reader->ctx, proto, NULL, "there are no secrets here");
        return NULL;
    }
    struct nu_tls_secret *secret = nu_tls_secrets_get(reader->secrets, reader->ctx, proto, kind);
    if (!secret)
        return NULL;
    if (reader->user)
        nu_tls_secret_use(secret, reader->user);
    const ProtobufCMessage *message = nu_tls_secret_message(secret);
    if (message)
        digest(reader, pack(message, reader->ctx->arena));
    else
        reader->is_waiting = true;
    return message;
}

/* The result keeps texts of the message, and a secret's goes with its next version. */
static ProtobufCMessage *copy(struct nu_tls_reader *reader, const ProtobufCMessage *message)
{
    struct nu_arena *arena = reader->ctx->arena;
    struct nu_str bytes = pack(message, arena);
    reader->ctx->arena = reader->arena;
    ProtobufCMessage *result =
        nu_config_read(reader->ctx, "secret", bytes, NU_CONFIG_BINARY, message->descriptor);
    reader->ctx->arena = arena;
    return result;
}

/* Envoy's name in statistics for what is of no secret: a hash of the bytes that stand here, if they
 * are written as bytes, else of nothing. */
static struct nu_str name_unnamed(struct nu_tls_reader *reader, const char *prefix,
                                  const data_proto *source)
{
    enum { SHOWN = 4 };
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct nu_strbuf name = {0};
    bool is_bytes = source && source->specifier_case ==
                                  ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_INLINE_BYTES;
    SHA256(is_bytes ? source->inline_bytes.data : (const unsigned char *)"",
           is_bytes ? source->inline_bytes.len : 0, hash);
    nu_strbuf_add_cstr(&name, prefix);
    for (int i = 0; i < SHOWN; i++)
        nu_strbuf_addf(&name, "%02x", hash[i]);
    struct nu_str result = nu_arena_dup(reader->arena, nu_strbuf_str(&name));
    nu_strbuf_finish(&name);
    return result;
}

static struct nu_str name_of_secret(struct nu_tls_reader *reader, const reference_proto *secret)
{
    return nu_arena_dup(reader->arena, nu_str_from(secret->name));
}

/* --- Certificates ----------------------------------------------------------------------------- */

static bool read_certificate_source(struct nu_tls_reader *reader, const certificate_proto *proto,
                                    struct nu_tls_certificate_source *source)
{
    if (proto->pkcs12 && (proto->certificate_chain || proto->private_key)) {
        nu_config_error(reader->ctx, proto, "pkcs12",
                        "Both pkcs12 and certificate_chain or private_key are set");
        return false;
    }
    if (!proto->pkcs12 && (!proto->certificate_chain || !proto->private_key)) {
        nu_config_error(reader->ctx, proto,
                        proto->private_key ? "certificate_chain" : "private_key",
                        "a certificate needs both certificate_chain and private_key, or pkcs12");
        return false;
    }
    watch_directory(reader, proto->watched_directory);
    source->chain_name = name_of_source(proto->certificate_chain);
    source->key_name = name_of_source(proto->private_key);
    source->pkcs12_name = name_of_source(proto->pkcs12);
    return read_source(reader, proto->certificate_chain, &source->chain_pem) &&
           read_source(reader, proto->private_key, &source->key_pem) &&
           read_source(reader, proto->pkcs12, &source->pkcs12) &&
           read_source(reader, proto->password, &source->password) &&
           read_source(reader, proto->ocsp_staple, &source->ocsp_staple);
}

static void read_certificate(struct nu_tls_reader *reader, const certificate_proto *proto,
                             struct nu_tls_certificate *out)
{
    struct nu_tls_certificate_source source = {0};
    struct nu_strbuf error = {0};
    if (read_certificate_source(reader, proto, &source) &&
        !nu_tls_certificate_load(&source, reader->arena, out, &error))
        nu_config_error(reader->ctx, proto, NULL, "%s", error.data);
    nu_strbuf_finish(&error);
}

static struct nu_tls_certificate *next_certificate(struct nu_tls_settings *settings)
{
    return &settings->certificates[settings->certificate_count++];
}

static void read_certificates(struct nu_tls_reader *reader, const common_proto *proto,
                              struct nu_tls_settings *settings)
{
    size_t own = proto->n_tls_certificates;
    size_t referred = own ? 0 : proto->n_tls_certificate_sds_secret_configs;
    settings->certificates =
        nu_arena_calloc(reader->arena, (own + referred + 1) * sizeof(*settings->certificates));
    for (size_t i = 0; i < own; i++) {
        struct nu_tls_certificate *out = next_certificate(settings);
        read_certificate(reader, proto->tls_certificates[i], out);
        out->stat_name =
            name_unnamed(reader, "unnamed_cert_", proto->tls_certificates[i]->certificate_chain);
    }
    for (size_t i = 0; i < referred; i++) {
        const ProtobufCMessage *secret = use_secret(
            reader, proto->tls_certificate_sds_secret_configs[i], NU_TLS_SECRET_CERTIFICATE);
        if (!secret)
            continue;
        struct nu_tls_certificate *out = next_certificate(settings);
        read_certificate(reader, (const void *)secret, out);
        out->stat_name = name_of_secret(reader, proto->tls_certificate_sds_secret_configs[i]);
    }
    if (own && proto->n_tls_certificate_sds_secret_configs)
        nu_config_warn(reader->ctx, proto, "tls_certificate_sds_secret_configs",
                       "not used beside tls_certificates, as in Envoy");
    if (!settings->is_server && own + referred > 1)
        nu_config_error_at(reader->ctx, proto,
                           own ? "tls_certificates" : "tls_certificate_sds_secret_configs", 1,
                           "a client can have one certificate only");
}

/* --- Validation ------------------------------------------------------------------------------- */

static bool read_hex(struct nu_str text, struct nu_tls_hash *out)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = nu_hex_value(text.ptr[i]);
        if (text.ptr[i] == ':')
            continue;
        if (value < 0 || count == 2 * sizeof(out->bytes))
            return false;
        uint8_t *byte = &out->bytes[count / 2];
        *byte = (uint8_t)(count % 2 ? *byte << 4 | value : value);
        count++;
    }
    return count == 2 * sizeof(out->bytes);
}

static bool read_base64(struct nu_str text, struct nu_tls_hash *out)
{
    enum { ENCODED = 44, DECODED = 33 };
    unsigned char bytes[DECODED];
    if (text.len != ENCODED || text.ptr[ENCODED - 1] != '=' ||
        EVP_DecodeBlock(bytes, (const unsigned char *)text.ptr, ENCODED) != DECODED)
        return false;
    memcpy(out->bytes, bytes, sizeof(out->bytes));
    return true;
}

static const struct nu_tls_hash *read_hashes(struct nu_tls_reader *reader,
                                             const validation_proto *proto, const char *field,
                                             const char **texts, size_t count,
                                             bool (*read)(struct nu_str, struct nu_tls_hash *))
{
    struct nu_tls_hash *hashes = nu_arena_calloc(reader->arena, (count + 1) * sizeof(*hashes));
    for (size_t i = 0; i < count; i++) {
        if (!read(nu_str_from(texts[i]), &hashes[i]))
            nu_config_error_at(reader->ctx, proto, field, i, "'%s' is no SHA-256 hash", texts[i]);
    }
    return hashes;
}

static enum nu_tls_san_kind san_kind(const san_proto *proto)
{
    switch (proto->san_type) {
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__EMAIL:
        return NU_TLS_SAN_EMAIL;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__DNS:
        return NU_TLS_SAN_DNS;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__URI:
        return NU_TLS_SAN_URI;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__IP_ADDRESS:
        return NU_TLS_SAN_IP;
    default:
        return NU_TLS_SAN_ANY;
    }
}

static void read_sans(struct nu_tls_reader *reader, const validation_proto *proto,
                      struct nu_tls_validator *validator)
{
    const struct nu_match_factory match = {
        .ctx = reader->ctx, .arena = reader->arena, .runtime = reader->runtime};
    size_t count = proto->n_match_typed_subject_alt_names + proto->n_match_subject_alt_names;
    struct nu_tls_san_matcher *sans = nu_arena_calloc(reader->arena, (count + 1) * sizeof(*sans));
    for (size_t i = 0; i < proto->n_match_typed_subject_alt_names; i++) {
        const san_proto *san = proto->match_typed_subject_alt_names[i];
        struct nu_tls_san_matcher *out = &sans[validator->san_count++];
        out->kind = san_kind(san);
        if (out->kind == NU_TLS_SAN_ANY)
            nu_config_error(reader->ctx, san, "san_type",
                            "value must not be in list [SAN_TYPE_UNSPECIFIED]");
        bool ok = nu_string_matcher_from_proto(&match, san->matcher, &out->text);
        (void)ok; /* the error is in the list */
    }
    for (size_t i = 0; i < proto->n_match_subject_alt_names; i++) {
        struct nu_tls_san_matcher *out = &sans[validator->san_count++];
        bool ok =
            nu_string_matcher_from_proto(&match, proto->match_subject_alt_names[i], &out->text);
        (void)ok; /* the error is in the list */
    }
    validator->sans = sans;
}

/* A session must not be resumed where anything else is asked of its certificate: every setting
 * counts, those to come as well. */
static void digest_demands(struct nu_tls_reader *reader, const validation_proto *proto,
                           struct nu_str crl, struct nu_tls_validator *validator)
{
    struct nu_str packed = pack(&proto->base, reader->ctx->arena);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    EVP_DigestUpdate(md, &packed.len, sizeof(packed.len));
    EVP_DigestUpdate(md, packed.ptr, packed.len);
    EVP_DigestUpdate(md, crl.ptr, crl.len);
    EVP_DigestFinal_ex(md, validator->demands, NULL);
    EVP_MD_CTX_free(md);
}

static void read_trusted(struct nu_tls_reader *reader, const validation_proto *proto,
                         struct nu_tls_validator *validator)
{
    struct nu_str ca;
    struct nu_str crl;
    watch_directory(reader, proto->watched_directory);
    if (!read_source(reader, proto->trusted_ca, &ca) || !read_source(reader, proto->crl, &crl))
        return;
    digest_demands(reader, proto, crl, validator);
    if (!proto->trusted_ca) {
        if (proto->crl && !reader->is_waiting)
            nu_config_error(reader->ctx, proto, "crl",
                            "a list of revoked certificates needs trusted_ca");
        if (validator->san_count && !reader->is_waiting)
            nu_config_error(reader->ctx, proto, "match_typed_subject_alt_names",
                            "SAN-based verification of peer certificates without trusted CA is "
                            "insecure and not allowed");
        return;
    }
    struct nu_strbuf error = {0};
    validator->ca_source = nu_arena_dup(reader->arena, name_of_source(proto->trusted_ca));
    if (!nu_tls_validator_set_trusted(validator, ca, name_of_source(proto->trusted_ca), crl,
                                      &error))
        nu_config_error(reader->ctx, proto, "trusted_ca", "%s", error.data);
    nu_strbuf_finish(&error);
}

static void read_validation(struct nu_tls_reader *reader, const validation_proto *proto,
                            struct nu_tls_validator *validator)
{
    validator->max_depth = -1;
    if (!proto)
        return;
    validator->allow_expired = proto->allow_expired_certificate;
    validator->only_leaf_crl = proto->only_verify_leaf_cert_crl;
    validator->accept_untrusted =
        proto->trust_chain_verification ==
        ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__CERTIFICATE_VALIDATION_CONTEXT__TRUST_CHAIN_VERIFICATION__ACCEPT_UNTRUSTED;
    if (proto->max_verify_depth)
        validator->max_depth = (int)proto->max_verify_depth->value;
    validator->hash_count = proto->n_verify_certificate_hash;
    validator->hashes =
        read_hashes(reader, proto, "verify_certificate_hash", proto->verify_certificate_hash,
                    validator->hash_count, read_hex);
    validator->spki_count = proto->n_verify_certificate_spki;
    validator->spkis =
        read_hashes(reader, proto, "verify_certificate_spki", proto->verify_certificate_spki,
                    validator->spki_count, read_base64);
    read_sans(reader, proto, validator);
    read_trusted(reader, proto, validator);
}

/* The settings that stand here with a secret's over them. */
static const validation_proto *combine(
    struct nu_tls_reader *reader,
    const Envoy__Extensions__TransportSockets__Tls__V3__CommonTlsContext__CombinedCertificateValidationContext
        *proto)
{
    const ProtobufCMessage *secret =
        use_secret(reader, proto->validation_context_sds_secret_config, NU_TLS_SECRET_VALIDATION);
    if (!secret)
        return proto->default_validation_context;
    ProtobufCMessage *base = copy(reader, &proto->default_validation_context->base);
    ProtobufCMessage *over = copy(reader, secret);
    if (!base || !over)
        return NULL;
    nu_config_merge(reader->ctx, base, over);
    return (const void *)base;
}

static const validation_proto *find_validation(struct nu_tls_reader *reader,
                                               const common_proto *proto)
{
    const ProtobufCMessage *secret;
    switch (proto->validation_context_type_case) {
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT:
        return proto->validation_context;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT_SDS_SECRET_CONFIG:
        secret = use_secret(reader, proto->validation_context_sds_secret_config,
                            NU_TLS_SECRET_VALIDATION);
        return secret ? (const void *)copy(reader, secret) : NULL;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_COMBINED_VALIDATION_CONTEXT:
        return combine(reader, proto->combined_validation_context);
    default:
        return NULL;
    }
}

static struct nu_str name_trusted(struct nu_tls_reader *reader, const common_proto *proto)
{
    switch (proto->validation_context_type_case) {
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT:
        return name_unnamed(reader, "unnamed_ca_cert_", proto->validation_context->trusted_ca);
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT_SDS_SECRET_CONFIG:
        return name_of_secret(reader, proto->validation_context_sds_secret_config);
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_COMBINED_VALIDATION_CONTEXT:
        return name_of_secret(
            reader, proto->combined_validation_context->validation_context_sds_secret_config);
    default:
        return nu_str_make(NULL, 0);
    }
}

/* --- Both sides ------------------------------------------------------------------------------- */

static void read_protocols(struct nu_tls_reader *reader, const common_proto *proto,
                           struct nu_tls_settings *settings)
{
    struct nu_strbuf wire = {0};
    for (size_t i = 0; i < proto->n_alpn_protocols; i++) {
        struct nu_str name = nu_str_from(proto->alpn_protocols[i]);
        if (name.len == 0 || name.len > UINT8_MAX)
            nu_config_error_at(reader->ctx, proto, "alpn_protocols", i,
                               "Invalid ALPN protocol string");
        nu_strbuf_add_char(&wire, (char)name.len);
        nu_strbuf_add(&wire, name);
    }
    settings->alpn = nu_arena_dup(reader->arena, nu_strbuf_str(&wire));
    nu_strbuf_finish(&wire);
}

static void read_key_log(struct nu_tls_reader *reader, const key_log_proto *proto,
                         struct nu_tls_key_log *out)
{
    const struct nu_match_factory match = {.ctx = reader->ctx, .arena = reader->arena};
    struct nu_strbuf error = {0};
    if (!proto || !reader->log_writer)
        return;
    bool ok = nu_cidr_list_from_protos(&match, proto->local_address_range,
                                       proto->n_local_address_range, &out->local) &&
              nu_cidr_list_from_protos(&match, proto->remote_address_range,
                                       proto->n_remote_address_range, &out->remote);
    if (ok)
        out->file = nu_tls_key_log_open(reader->log_writer, proto->path, &error);
    if (ok && !out->file)
        nu_config_error(reader->ctx, proto, "path", "%s", error.data);
    nu_strbuf_finish(&error);
}

static void read_common(struct nu_tls_reader *reader, const common_proto *proto,
                        struct nu_tls_settings *settings)
{
    static const common_proto empty =
        ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__COMMON_TLS_CONTEXT__INIT;
    if (!proto)
        proto = &empty;
    nu_tls_read_params(reader, proto->tls_params, settings);
    read_certificates(reader, proto, settings);
    read_protocols(reader, proto, settings);
    read_key_log(reader, proto->key_log, &settings->key_log);
    read_validation(reader, find_validation(reader, proto), &settings->validator);
    settings->validator.ca_stat_name = name_trusted(reader, proto);
}

static void read_ticket_keys(struct nu_tls_reader *reader, const keys_proto *list,
                             struct nu_tls_settings *settings)
{
    struct nu_tls_ticket_key *keys = nu_arena_calloc(reader->arena, list->n_keys * sizeof(*keys));
    for (size_t i = 0; i < list->n_keys; i++) {
        struct nu_str bytes;
        if (!read_source(reader, list->keys[i], &bytes))
            continue;
        if (bytes.len != sizeof(*keys))
            nu_config_error_at(reader->ctx, list, "keys", i,
                               "Incorrect TLS session ticket key length. Length %zu, expected "
                               "length %zu.",
                               bytes.len, sizeof(*keys));
        else
            memcpy(&keys[i], bytes.ptr, sizeof(*keys));
    }
    settings->ticket_keys = keys;
    settings->ticket_key_count = list->n_keys;
}

static void read_sessions(struct nu_tls_reader *reader, const downstream_proto *proto,
                          struct nu_tls_settings *settings)
{
    const ProtobufCMessage *secret;
    switch (proto->session_ticket_keys_type_case) {
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__DOWNSTREAM_TLS_CONTEXT__SESSION_TICKET_KEYS_TYPE_SESSION_TICKET_KEYS:
        read_ticket_keys(reader, proto->session_ticket_keys, settings);
        break;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__DOWNSTREAM_TLS_CONTEXT__SESSION_TICKET_KEYS_TYPE_SESSION_TICKET_KEYS_SDS_SECRET_CONFIG:
        secret = use_secret(reader, proto->session_ticket_keys_sds_secret_config,
                            NU_TLS_SECRET_TICKET_KEYS);
        if (secret)
            read_ticket_keys(reader, (const void *)secret, settings);
        break;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__DOWNSTREAM_TLS_CONTEXT__SESSION_TICKET_KEYS_TYPE_DISABLE_STATELESS_SESSION_RESUMPTION:
        settings->no_tickets = proto->disable_stateless_session_resumption;
        break;
    default:
        break;
    }
    settings->no_session_cache = proto->disable_stateful_session_resumption;
    settings->session_timeout_s =
        (uint32_t)(nu_config_duration_ms(reader->ctx, proto, "session_timeout",
                                         proto->session_timeout, 0) /
                   1000);
}

/* What can be said before a client asks. */
static void check_staples(struct nu_tls_reader *reader, const downstream_proto *proto,
                          const struct nu_tls_settings *settings)
{
    for (size_t i = 0; i < settings->certificate_count; i++) {
        const struct nu_tls_certificate *certificate = &settings->certificates[i];
        if (!certificate->leaf || certificate->staple.der.len)
            continue;
        if (certificate->must_staple)
            nu_config_error(reader->ctx, proto, "common_tls_context",
                            "OCSP response is required for must-staple certificate");
        else if (settings->staple_policy == NU_TLS_STAPLE_MUST)
            nu_config_error(reader->ctx, proto, "ocsp_staple_policy",
                            "Required OCSP response is missing from TLS context");
    }
}

/* Those that cannot be had are errors of their own, or are waited for. */
static bool names_certificates(const common_proto *proto)
{
    return proto && (proto->n_tls_certificates || proto->n_tls_certificate_sds_secret_configs);
}

static void read_downstream(struct nu_tls_reader *reader, const downstream_proto *proto,
                            struct nu_tls_settings *settings)
{
    settings->is_server = true;
    read_common(reader, proto->common_tls_context, settings);
    if (!names_certificates(proto->common_tls_context))
        nu_config_error(reader->ctx, proto, "common_tls_context",
                        "No TLS certificates found for server context");
    settings->require_client_certificate = nu_bool_or(proto->require_client_certificate, false);
    settings->require_sni = nu_bool_or(proto->require_sni, false);
    settings->prefer_client_ciphers = proto->prefer_client_ciphers;
    settings->full_scan = nu_bool_or(proto->full_scan_certs_on_sni_mismatch, false);
    settings->staple_policy = (enum nu_tls_staple_policy)proto->ocsp_staple_policy;
    check_staples(reader, proto, settings);
    read_sessions(reader, proto, settings);
}

static void read_upstream(struct nu_tls_reader *reader, const upstream_proto *proto,
                          struct nu_tls_settings *settings)
{
    read_common(reader, proto->common_tls_context, settings);
    settings->server_name = nu_arena_dup(reader->arena, nu_str_from(proto->sni));
    settings->auto_host_sni = proto->auto_host_sni;
    settings->verify_server_name = proto->auto_sni_san_validation;
    settings->max_sessions = nu_u32_or(proto->max_session_keys, 1);
    if (proto->auto_sni_san_validation && !settings->validator.trusted && !reader->is_waiting)
        nu_config_error(reader->ctx, proto, "auto_sni_san_validation",
                        "'auto_sni_san_validation' needs a validation_context with a trusted_ca");
}

/* --- The whole -------------------------------------------------------------------------------- */

void nu_tls_settings_from_proto(struct nu_tls_reader *reader, const ProtobufCMessage *message,
                                struct nu_tls_settings *settings)
{
    *settings = (struct nu_tls_settings){0};
    if (message->descriptor ==
        &envoy__extensions__transport_sockets__tls__v3__downstream_tls_context__descriptor)
        read_downstream(reader, (const void *)message, settings);
    else
        read_upstream(reader, (const void *)message, settings);
}

void nu_tls_check_secret(struct nu_tls_reader *reader, enum nu_tls_secret_kind kind,
                         const ProtobufCMessage *message)
{
    struct nu_tls_settings settings = {
        .certificates = nu_arena_calloc(reader->arena, sizeof(*settings.certificates))};
    switch (kind) {
    case NU_TLS_SECRET_CERTIFICATE:
        read_certificate(reader, (const void *)message, next_certificate(&settings));
        break;
    case NU_TLS_SECRET_VALIDATION:
        read_trusted(reader, (const void *)message, &settings.validator);
        break;
    case NU_TLS_SECRET_TICKET_KEYS:
        read_ticket_keys(reader, (const void *)message, &settings);
        break;
    }
    nu_tls_settings_finish(&settings);
}
