/* SPDX-License-Identifier: Apache-2.0 */
/* Accepted TLS connections over a socketpair, whose other end is an OpenSSL that does as a test
 * likes. */
#include "harness/test.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/connection.h"
#include "tls/context.h"
#include "tls/transport.h"

struct fixture {
    bool prefers_client_ciphers; /* set these before setup */
    int client_max_version;      /* 0: any */
    const char *client_suites;   /* of TLS 1.3, or NULL for OpenSSL's */
    const char *client_ciphers;  /* of those before it */
    struct nu_connection conn;
    struct nu_arena *arena;
    struct nu_stats *stats;
    struct nu_loop *loop;
    struct nu_tls_context *context;
    SSL_CTX *client_ctx;
    SSL *client;
    int peer;
    unsigned closed;
    enum nu_close_reason reason;
    size_t received;
    struct nu_strbuf failure;
};

static struct fixture *fixture_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct fixture, conn);
}

static void on_data(struct nu_connection *conn)
{
    fixture_of(conn)->received += conn->in.len;
    nu_buf_clear(&conn->in);
}

static void ignore(struct nu_connection *conn)
{
    (void)conn;
}

static void on_closed(struct nu_connection *conn, enum nu_close_reason reason)
{
    fixture_of(conn)->closed++;
    fixture_of(conn)->reason = reason;
    if (nu_connection_transport_failure(conn))
        nu_strbuf_add_cstr(&fixture_of(conn)->failure, nu_connection_transport_failure(conn));
}

static const struct nu_connection_ops ops = {
    .on_data = on_data,
    .on_above_high = ignore,
    .on_below_low = ignore,
    .on_closed = on_closed,
};

/* A certificate of its own signature. */
static void make_certificate(struct nu_tls_certificate *out)
{
    *out = (struct nu_tls_certificate){.leaf = X509_new(), .key = EVP_EC_gen("P-256")};
    X509_set_version(out->leaf, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(out->leaf), 1);
    X509_gmtime_adj(X509_getm_notBefore(out->leaf), 0);
    X509_gmtime_adj(X509_getm_notAfter(out->leaf), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(out->leaf), "CN", MBSTRING_ASC,
                               (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(out->leaf, X509_get_subject_name(out->leaf));
    X509_set_pubkey(out->leaf, out->key);
    assert_true(X509_sign(out->leaf, out->key, EVP_sha256()) > 0);
}

static void make_context(struct fixture *f)
{
    struct nu_strbuf error = {0};
    struct nu_arena *arena = nu_arena_create();
    struct nu_tls_settings settings = {
        .is_server = true,
        .min_version = TLS1_2_VERSION,
        .max_version = TLS1_3_VERSION,
        .cipher_list = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256",
        .prefer_client_ciphers = f->prefers_client_ciphers,
        .curve_list = "X25519",
        .certificates = nu_arena_alloc(arena, sizeof(*settings.certificates)),
        .certificate_count = 1,
        .validator = {.max_depth = -1},
    };
    make_certificate(&settings.certificates[0]);
    f->context = nu_tls_context_create(true, f->stats, NU_STR("test"));
    assert_true(nu_tls_context_set(f->context, &settings, arena, &error));
}

static void make_client(struct fixture *f)
{
    f->client_ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(f->client_ctx, f->client_max_version);
    if (f->client_suites)
        assert_int_equal(SSL_CTX_set_ciphersuites(f->client_ctx, f->client_suites), 1);
    if (f->client_ciphers)
        assert_int_equal(SSL_CTX_set_cipher_list(f->client_ctx, f->client_ciphers), 1);
    f->client = SSL_new(f->client_ctx);
    SSL_set_fd(f->client, f->peer);
    SSL_set_connect_state(f->client);
}

/* Both ends, with the handshake behind them. */
static void setup(struct fixture *f)
{
    int fds[2];
    signal(SIGPIPE, SIG_IGN);
    alarm(60); /* what does not come fails a test */
    f->arena = nu_arena_create();
    f->stats = nu_stats_create();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    f->peer = fds[1];
    f->loop = nu_loop_create();
    make_context(f);
    make_client(f);
    nu_connection_init(&f->conn, f->loop, fds[0], &ops, 1 << 20);
    nu_tls_accept(&f->conn, f->context);
    nu_connection_start(&f->conn);
    while (SSL_do_handshake(f->client) != 1)
        nu_loop_run_once(f->loop);
    while (f->conn.transport_waits)
        nu_loop_run_once(f->loop);
}

static void teardown(struct fixture *f)
{
    nu_connection_close(&f->conn, NU_CLOSE_NOW);
    assert_int_equal(f->closed, 1);
    nu_loop_run_once(f->loop);
    SSL_free(f->client);
    SSL_CTX_free(f->client_ctx);
    nu_tls_context_destroy(&f->context);
    nu_loop_destroy(&f->loop);
    nu_stats_destroy(&f->stats);
    nu_arena_destroy(&f->arena);
    nu_strbuf_finish(&f->failure);
    close(f->peer);
}

static void update_keys(struct fixture *f, int kind)
{
    if (SSL_key_update(f->client, kind) != 1)
        return;
    while (SSL_do_handshake(f->client) != 1 && !f->closed)
        nu_loop_run_once(f->loop);
}

static void send_byte(struct fixture *f)
{
    while (SSL_write(f->client, "x", 1) != 1 && !f->closed)
        nu_loop_run_once(f->loop);
}

static void run_until_received(struct fixture *f, size_t bytes)
{
    while (f->received < bytes && !f->closed)
        nu_loop_run_once(f->loop);
}

/* Each asks for an answer, which this client does not read. */
TEST(key_updates_of_a_client_that_reads_nothing_are_not_answered_without_bound)
{
    enum { UPDATES = 40000, BETWEEN_BYTES = 20, BOUND = 256 * 1024 };
    struct fixture f = {0};
    setup(&f);
    size_t most = 0;
    for (int i = 0; i < UPDATES && !f.closed; i++) {
        update_keys(&f, SSL_KEY_UPDATE_REQUESTED);
        if (i % BETWEEN_BYTES == 0)
            send_byte(&f);
        if (f.conn.transport_out > most)
            most = f.conn.transport_out;
    }
    assert_in_range(most, 65536, BOUND);
    assert_int_equal(f.closed, 1);
    teardown(&f);
}

static void check_key_updates(int kind, int updates, bool are_borne)
{
    struct fixture f = {0};
    setup(&f);
    for (int round = 1; round <= 2 && !f.closed; round++) {
        for (int i = 0; i < updates; i++)
            update_keys(&f, kind);
        send_byte(&f);
        run_until_received(&f, (size_t)round);
    }
    assert_int_equal(f.received, are_borne ? 2 : 0);
    assert_int_equal(f.closed, !are_borne);
    if (!are_borne)
        assert_str(nu_strbuf_str(&f.failure),
                   "TLS_error:|268435716:SSL routines:OPENSSL_internal:TOO_MANY_KEY_UPDATES:"
                   "TLS_error_end");
    teardown(&f);
}

TEST(key_updates_without_data_are_borne_up_to_the_number_that_boringssl_bears)
{
    check_key_updates(SSL_KEY_UPDATE_NOT_REQUESTED, 32, true);
    check_key_updates(SSL_KEY_UPDATE_REQUESTED, 32, true);
    check_key_updates(SSL_KEY_UPDATE_NOT_REQUESTED, 33, false);
    check_key_updates(SSL_KEY_UPDATE_REQUESTED, 33, false);
}

/* Sends so many bytes of records. */
static void send_records(struct fixture *f, size_t bytes)
{
    enum { PIECE = 8192, AROUND = 22 }; /* of a record's data */
    static const char zeros[2 * PIECE];
    while (bytes > 0) {
        size_t record = bytes > 2 * PIECE ? PIECE : bytes;
        assert_true(SSL_write(f->client, zeros, (int)(record - AROUND)) > 0);
        bytes -= record;
    }
}

static void run_until_end(struct fixture *f)
{
    while (!f->conn.read_eof && !f->closed)
        nu_loop_run_once(f->loop);
}

/* At which the socket is read once more, behind bytes that are passed on first. */
TEST(an_end_behind_a_full_block_is_not_forgotten)
{
    size_t block = nu_block_size(NU_BLOCK_LARGE);
    for (size_t more = 0; more < 64; more++) {
        struct fixture f = {0};
        setup(&f);
        send_records(&f, block + more - 32);
        assert_true(SSL_shutdown(f.client) >= 0);
        run_until_end(&f);
        assert_true(f.conn.read_eof);
        assert_true(f.received > block / 2);
        teardown(&f);
    }
}

/* The kernel tells an error of the socket once. */
TEST(a_reset_behind_a_full_block_is_no_end)
{
    struct fixture f = {0};
    setup(&f);
    send_records(&f, nu_block_size(NU_BLOCK_LARGE));
    close(f.peer); /* with a ticket that was not read: a reset */
    f.peer = -1;
    run_until_end(&f);
    assert_int_equal(f.closed, 1);
    assert_int_equal(f.reason, NU_CLOSED_RESET);
    assert_true(f.received > 0);
    teardown(&f);
}

static void check_cipher(struct fixture f, const char *expected)
{
    setup(&f);
    assert_str(nu_str_from(SSL_get_cipher_name(f.client)), expected);
    teardown(&f);
}

/* As real Envoy's: asked by openssl s_client with -ciphersuites. */
TEST(of_the_suites_of_tls_1_3_the_first_of_the_client_is_taken)
{
    check_cipher((struct fixture){0}, "TLS_AES_256_GCM_SHA384"); /* OpenSSL's first */
    check_cipher((struct fixture){.client_suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"},
                 "TLS_AES_128_GCM_SHA256");
    check_cipher(
        (struct fixture){.client_suites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"},
        "TLS_CHACHA20_POLY1305_SHA256");
}

TEST(of_the_ciphers_before_tls_1_3_ours_is_taken_unless_clients_are_followed)
{
    struct fixture f = {
        .client_max_version = TLS1_2_VERSION,
        .client_ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
    };
    check_cipher(f, "ECDHE-ECDSA-AES256-GCM-SHA384");
    f.prefers_client_ciphers = true;
    check_cipher(f, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

TEST_MAIN()
