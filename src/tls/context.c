/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts. OpenSSL asks back while a handshake runs: for the certificate that fits the server
 * name, for the protocol to speak, for ticket keys, and for a verdict on the peer.
 */
#include "tls/context.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "tls/choice.h"
#include "tls/cipher_order.h"
#include "tls/describe.h"
#include "tls/transport.h"

/* One set of settings. Immutable, but for the count of who holds it: the context, and the part of
 * each thread that has used it. */
struct nu_tls_snapshot {
    atomic_uint refs;
    struct nu_arena *arena; /* owned: of the settings' texts and arrays */
    struct nu_tls_settings settings;
    uint8_t session_id_context[SHA256_DIGEST_LENGTH];
};

struct nu_tls_context {
    struct nu_list link;       /* in the list of who shows certificates, or unlinked */
    struct nu_stat_set *stats; /* borrowed: the registry frees these three */
    struct nu_stat_set *negotiated;
    struct nu_stat_set *factory_stats;
    struct nu_stats *registry;                  /* borrowed */
    char *scope;                                /* owned: what statistics begin with */
    struct nu_tls_ticket_key random_ticket_key; /* where none are configured */
    /* Guards the moment between reading `current` and counting it; taken only by a thread that
     * finds new settings, and by the one that sets them. */
    pthread_mutex_t lock;
    _Atomic(struct nu_tls_snapshot *) current;          /* a reference; NULL: not ready */
    struct nu_tls_context_local *locals[NU_THREAD_MAX]; /* owned; each by its thread */
};

const struct nu_tls_settings *nu_tls_context_settings(const struct nu_tls_context *context)
{
    const struct nu_tls_snapshot *current = atomic_load(&context->current);
    return current ? &current->settings : NULL;
}

struct nu_tls_factory_stats *nu_tls_context_factory_stats(struct nu_tls_context *context)
{
    return nu_stat_set_block(context->factory_stats);
}

/* The part of the thread whose SSL_CTX it is; OpenSSL asks back on that thread alone. */
static struct nu_tls_context_local *local_of(SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* --- Verification ----------------------------------------------------------------------------- */

static int on_verify(X509_STORE_CTX *store, void *arg)
{
    const struct nu_tls_settings *settings = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct nu_tls_wanted_names wanted = {.beside_matchers = nu_tls_peer_name_of(ssl)};
    if (settings->verify_server_name)
        wanted.in_place_of_matchers =
            nu_str_from(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    int ok = nu_tls_validator_verify(&settings->validator, store, &wanted, local_of(ssl)->stats);
    if (!ok)
        nu_tls_transport_note_verify_failure(ssl, X509_STORE_CTX_get_error(store));
    return ok;
}

static STACK_OF(X509_NAME) * ca_names(const struct nu_tls_validator *validator)
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    for (int i = 0; i < sk_X509_num(validator->ca_list); i++) {
        X509_NAME *subject = X509_get_subject_name(sk_X509_value(validator->ca_list, i));
        sk_X509_NAME_push(names, X509_NAME_dup(subject));
    }
    return names;
}

static void set_verification(SSL_CTX *ctx, struct nu_tls_settings *settings)
{
    const struct nu_tls_validator *validator = &settings->validator;
    int mode = SSL_VERIFY_NONE;
    if (!nu_tls_validator_is_empty(validator) || settings->verify_server_name)
        mode = SSL_VERIFY_PEER;
    if (settings->require_client_certificate)
        mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, on_verify, settings);
    if (!validator->trusted)
        return;
    X509_STORE_up_ref(validator->trusted);
    SSL_CTX_set_cert_store(ctx, validator->trusted);
    if (settings->is_server)
        SSL_CTX_set_client_CA_list(ctx, ca_names(validator));
}

/* --- Protocols -------------------------------------------------------------------------------- */

/* The first of ours that the client names; without one the handshake goes on and none is chosen. */
static int on_choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                              const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    const struct nu_tls_settings *settings = arg;
    int result =
        SSL_select_next_proto(nu_unconst(out), out_len, (const unsigned char *)settings->alpn.ptr,
                              (unsigned)settings->alpn.len, in, in_len);
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static void set_protocols(SSL_CTX *ctx, struct nu_tls_settings *settings)
{
    if (settings->alpn.len == 0)
        return;
    if (settings->is_server)
        SSL_CTX_set_alpn_select_cb(ctx, on_choose_protocol, settings);
    else
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)settings->alpn.ptr,
                                (unsigned)settings->alpn.len);
}

/* --- Sessions --------------------------------------------------------------------------------- */

static bool set_up_ticket(const struct nu_tls_ticket_key *key, const unsigned char *iv,
                          EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, nu_unconst(key->hmac_key),
                                          sizeof(key->hmac_key)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, nu_unconst("SHA256"), 0),
        OSSL_PARAM_construct_end(),
    };
    if (EVP_MAC_CTX_set_params(mac, params) != 1)
        return false;
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes_key, iv, encrypt) == 1;
}

/*
 * A ticket is made with the first key and read with any. One of an older key is made anew, and every
 * one of TLS 1.3: its clients use a ticket once (RFC 8446, appendix C.4).
 */
static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int encrypt)
{
    const struct nu_tls_settings *settings = local_of(ssl)->settings;
    if (encrypt) {
        const struct nu_tls_ticket_key *key = &settings->ticket_keys[0];
        memcpy(name, key->name, sizeof(key->name));
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
        return set_up_ticket(key, iv, cipher, mac, true) ? 1 : -1;
    }
    for (size_t i = 0; i < settings->ticket_key_count; i++) {
        const struct nu_tls_ticket_key *key = &settings->ticket_keys[i];
        if (memcmp(name, key->name, sizeof(key->name)) != 0)
            continue;
        if (!set_up_ticket(key, iv, cipher, mac, false))
            return -1;
        return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
    }
    return 0;
}

static void set_server_sessions(SSL_CTX *ctx, const struct nu_tls_snapshot *snapshot)
{
    const struct nu_tls_settings *settings = &snapshot->settings;
    SSL_CTX_set_session_id_context(ctx, snapshot->session_id_context,
                                   sizeof(snapshot->session_id_context));
    SSL_CTX_set_session_cache_mode(ctx, settings->no_session_cache ? SSL_SESS_CACHE_OFF
                                                                   : SSL_SESS_CACHE_SERVER);
    if (settings->session_timeout_s)
        SSL_CTX_set_timeout(ctx, (long)settings->session_timeout_s);
    if (settings->no_tickets) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    } else {
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket_key);
        SSL_CTX_set_num_tickets(ctx, 1);
    }
}

/* A client keeps the newest sessions. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct nu_tls_context_local *local = local_of(ssl);
    uint32_t max = local->settings->max_sessions;
    if (local->session_count == max) {
        SSL_SESSION_free(local->sessions[0]);
        memmove(local->sessions, local->sessions + 1, (max - 1) * sizeof(SSL_SESSION *));
        local->session_count--;
    }
    local->sessions[local->session_count++] = session;
    return 1;
}

static void set_client_sessions(SSL_CTX *ctx, const struct nu_tls_settings *settings)
{
    if (settings->max_sessions == 0)
        return;
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
}

/* --- Making an SSL_CTX ------------------------------------------------------------------------ */

static bool set_names(SSL_CTX *ctx, const struct nu_tls_settings *settings)
{
    return SSL_CTX_set_cipher_list(ctx, settings->cipher_list) == 1 &&
           SSL_CTX_set1_groups_list(ctx, settings->curve_list) == 1 &&
           (!settings->sigalg_list || SSL_CTX_set1_sigalgs_list(ctx, settings->sigalg_list) == 1);
}

/* `local` is what the callbacks get; NULL to try the settings only. */
static SSL_CTX *make_ctx(struct nu_tls_snapshot *snapshot, struct nu_tls_context_local *local)
{
    struct nu_tls_settings *settings = &snapshot->settings;
    SSL_CTX *ctx = SSL_CTX_new(settings->is_server ? TLS_server_method() : TLS_client_method());
    nu_assert(ctx);
    SSL_CTX_set_app_data(ctx, local);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    bool ok = SSL_CTX_set_min_proto_version(ctx, settings->min_version) == 1 &&
              SSL_CTX_set_max_proto_version(ctx, settings->max_version) == 1 &&
              set_names(ctx, settings) && nu_tls_choice_set(ctx, settings);
    if (!ok) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    set_verification(ctx, settings);
    set_protocols(ctx, settings);
    if (settings->key_log.file)
        SSL_CTX_set_keylog_callback(ctx, nu_tls_key_log_line);
    if (settings->is_server) {
        nu_tls_cipher_order_set(ctx, settings);
        set_server_sessions(ctx, snapshot);
    } else {
        set_client_sessions(ctx, settings);
    }
    return ctx;
}

/* --- A thread's part -------------------------------------------------------------------------- */

static void unref_snapshot(struct nu_tls_snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub(&snapshot->refs, 1) > 1)
        return;
    nu_tls_settings_finish(&snapshot->settings);
    nu_arena_destroy(&snapshot->arena);
    nu_free(snapshot);
}

void nu_tls_context_local_unref(struct nu_tls_context_local *local)
{
    if (!local || --local->refs > 0)
        return;
    for (uint32_t i = 0; i < local->session_count; i++)
        SSL_SESSION_free(local->sessions[i]);
    nu_free(local->sessions);
    SSL_CTX_free(local->ctx);
    unref_snapshot(local->snapshot);
    nu_free(local);
}

static struct nu_tls_context_local *make_local(struct nu_tls_context *context,
                                               struct nu_tls_snapshot *snapshot)
{
    struct nu_tls_context_local *local = nu_calloc(1, sizeof(*local));
    local->refs = 1;
    local->snapshot = snapshot;
    local->settings = &snapshot->settings;
    local->stats = nu_stat_set_block(context->stats);
    local->negotiated = nu_stat_set_block(context->negotiated);
    local->sessions = nu_calloc(local->settings->max_sessions + 1, sizeof(*local->sessions));
    local->ctx = make_ctx(snapshot, local);
    nu_assert(local->ctx); /* it was tried when the settings were set */
    return local;
}

/* The context has other settings than this thread has used. */
static void renew_local(struct nu_tls_context *context, struct nu_tls_context_local **slot)
{
    pthread_mutex_lock(&context->lock);
    struct nu_tls_snapshot *snapshot = atomic_load(&context->current);
    if (snapshot)
        atomic_fetch_add(&snapshot->refs, 1);
    pthread_mutex_unlock(&context->lock);
    nu_tls_context_local_unref(*slot);
    *slot = snapshot ? make_local(context, snapshot) : NULL;
}

struct nu_tls_context_local *nu_tls_context_local(struct nu_tls_context *context)
{
    struct nu_tls_context_local **slot = &context->locals[nu_thread_index()];
    struct nu_tls_snapshot *used = *slot ? (*slot)->snapshot : NULL;
    if (nu_unlikely(used != atomic_load_explicit(&context->current, memory_order_acquire)))
        renew_local(context, slot);
    if (*slot)
        (*slot)->refs++;
    return *slot;
}

/* --- Settings --------------------------------------------------------------------------------- */

static void add_digest(EVP_MD_CTX *md, const X509 *certificate)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (X509_digest(certificate, EVP_sha256(), hash, &len) == 1)
        EVP_DigestUpdate(md, hash, len);
}

/* Sessions may be resumed only where the same certificates and the same demands hold. */
static void hash_identity(struct nu_tls_snapshot *snapshot)
{
    const struct nu_tls_settings *settings = &snapshot->settings;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    for (size_t i = 0; i < settings->certificate_count; i++)
        add_digest(md, settings->certificates[i].leaf);
    for (int i = 0; i < sk_X509_num(settings->validator.ca_list); i++)
        add_digest(md, sk_X509_value(settings->validator.ca_list, i));
    EVP_DigestUpdate(md, settings->validator.demands, sizeof(settings->validator.demands));
    EVP_DigestUpdate(md, &settings->require_client_certificate, sizeof(bool));
    EVP_DigestFinal_ex(md, snapshot->session_id_context, NULL);
    EVP_MD_CTX_free(md);
}

void nu_tls_settings_finish(struct nu_tls_settings *settings)
{
    for (size_t i = 0; i < settings->certificate_count; i++)
        nu_tls_certificate_finish(&settings->certificates[i]);
    nu_tls_validator_finish(&settings->validator);
}

static struct nu_tls_snapshot *make_snapshot(const struct nu_tls_context *context,
                                             const struct nu_tls_settings *settings,
                                             struct nu_arena *arena)
{
    struct nu_tls_snapshot *snapshot = nu_calloc(1, sizeof(*snapshot));
    atomic_init(&snapshot->refs, 1);
    snapshot->arena = arena;
    snapshot->settings = *settings;
    if (!settings->ticket_key_count) {
        snapshot->settings.ticket_keys = &context->random_ticket_key;
        snapshot->settings.ticket_key_count = 1;
    }
    hash_identity(snapshot);
    return snapshot;
}

static void show_expiration(const struct nu_tls_context *context, struct nu_str name,
                            const X509 *certificate)
{
    struct nu_strbuf prefix = {0};
    nu_strbuf_addf(&prefix, "%s.ssl.certificate.", context->scope);
    nu_stats_sanitize(&prefix, name);
    struct nu_tls_certificate_stats *stats = nu_stat_set_block(nu_stat_set_create(
        context->registry, &nu_tls_certificate_stats_table, nu_strbuf_str(&prefix)));
    nu_gauge_set(&stats->expiration_unix_time_seconds, nu_tls_expiration_of(certificate));
    nu_strbuf_finish(&prefix);
}

/* As Envoy: of each certificate, and of the first authority. */
static void show_expirations(const struct nu_tls_context *context,
                             const struct nu_tls_settings *settings)
{
    const struct nu_tls_validator *validator = &settings->validator;
    for (size_t i = 0; i < settings->certificate_count; i++)
        show_expiration(context, settings->certificates[i].stat_name,
                        settings->certificates[i].leaf);
    if (validator->ca_list)
        show_expiration(context, validator->ca_stat_name, sk_X509_value(validator->ca_list, 0));
}

bool nu_tls_context_set(struct nu_tls_context *context, const struct nu_tls_settings *settings,
                        struct nu_arena *arena, struct nu_strbuf *error)
{
    struct nu_tls_snapshot *snapshot = make_snapshot(context, settings, arena);
    ERR_clear_error();
    SSL_CTX *trial = make_ctx(snapshot, NULL);
    if (!trial) {
        nu_strbuf_add_cstr(error, "OpenSSL refuses these settings: ");
        nu_tls_add_openssl_reason(error);
        unref_snapshot(snapshot);
        return false;
    }
    SSL_CTX_free(trial);
    pthread_mutex_lock(&context->lock);
    struct nu_tls_snapshot *old = atomic_exchange(&context->current, snapshot);
    pthread_mutex_unlock(&context->lock);
    unref_snapshot(old);
    show_expirations(context, settings);
    return true;
}

/* --- Life ------------------------------------------------------------------------------------- */

static struct nu_stat_set *create_set(struct nu_stats *stats, const struct nu_stat_table *table,
                                      struct nu_str scope, const char *name)
{
    struct nu_strbuf prefix = {0};
    nu_strbuf_addf(&prefix, "%.*s.%s", NU_STR_ARG(scope), name);
    struct nu_stat_set *set = nu_stat_set_create(stats, table, nu_strbuf_str(&prefix));
    nu_strbuf_finish(&prefix);
    return set;
}

struct nu_tls_context *nu_tls_context_create(bool is_server, struct nu_stats *stats,
                                             struct nu_str scope)
{
    struct nu_tls_context *context = nu_calloc(1, sizeof(*context));
    nu_list_init(&context->link);
    pthread_mutex_init(&context->lock, NULL);
    nu_tls_transport_prepare();
    int ok = RAND_bytes((unsigned char *)&context->random_ticket_key,
                        sizeof(context->random_ticket_key));
    nu_assert(ok == 1);
    context->registry = stats;
    context->scope = nu_strndup(scope.ptr, scope.len);
    context->stats = create_set(stats, &nu_tls_stats_table, scope, "ssl");
    context->negotiated = create_set(stats, &nu_tls_negotiated_stats_table, scope, "ssl");
    context->factory_stats =
        create_set(stats, &nu_tls_factory_stats_table, scope,
                   is_server ? "server_ssl_socket_factory" : "client_ssl_socket_factory");
    return context;
}

void nu_tls_context_list(struct nu_tls_context *context, struct nu_list *list)
{
    nu_list_add_last(list, &context->link);
}

const struct nu_tls_context *nu_tls_context_next(const struct nu_list *list,
                                                 const struct nu_tls_context *previous)
{
    const struct nu_list *next = previous ? previous->link.next : list->next;
    return next == list ? NULL : nu_list_entry(next, struct nu_tls_context, link);
}

void nu_tls_context_destroy(struct nu_tls_context **context_ptr)
{
    struct nu_tls_context *context = *context_ptr;
    if (!context)
        return;
    *context_ptr = NULL;
    nu_list_remove(&context->link);
    for (unsigned i = 0; i < NU_THREAD_MAX; i++)
        nu_tls_context_local_unref(context->locals[i]);
    unref_snapshot(atomic_load(&context->current));
    pthread_mutex_destroy(&context->lock);
    OPENSSL_cleanse(&context->random_ticket_key, sizeof(context->random_ticket_key));
    nu_free(context->scope);
    nu_free(context);
}
