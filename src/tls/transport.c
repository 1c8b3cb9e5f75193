/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport. Reading decrypts until the caller's room is full or the socket is empty. Writing
 * encrypts what fits a bounded buffer and sends it; what the socket does not take stays in
 * cipher_out, and the connection is told through transport_out.
 */
#include "tls/transport.h"

#include <errno.h>
#include <openssl/err.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "net/socket_bytes.h"
#include "tls/failure.h"
#include "tls/info.h"
#include "tls/names.h"
#include "tls/not_ready.h"

enum {
    RECORD = 16384,              /* the most that one record holds */
    CIPHER_BUFFER = 65536,       /* encrypted bytes that wait for the socket, at most */
    ANSWERS_MAX = CIPHER_BUFFER, /* beside them, what OpenSSL answers the peer by itself */
    FILLS_PER_READ = 6, /* then others get their turn; more than the caller's room can take */
    WORTH_AN_OWN_RECORD = 4096, /* shorter slices are put together first */
    WRITE_IOVECS = 16,
    KEY_UPDATES_MAX = 32, /* without data between them, as for BoringSSL */
};

struct tls_transport {
    struct nu_connection *conn;         /* borrowed: owns this */
    struct nu_tls_context_local *local; /* a reference: the thread's, with today's settings */
    SSL *ssl;                           /* owned */
    char *peer_name;                    /* owned: see nu_tls_peer_name_of; NULL for none */
    struct nu_ssl_info *info;           /* owned: one reference; NULL until it is asked for */
    struct nu_buf cipher_in;
    struct nu_buf cipher_out;
    unsigned fills;       /* of this read */
    unsigned key_updates; /* of the peer since its last data */
    int raw_error;        /* of the socket, which tells it once; 0 for none */
    int verify_error;     /* X509_V_OK unless the peer's certificate was refused */
    bool is_for_name;     /* one that the configuration does not know */
    bool is_hungry;       /* OpenSSL has used up all it was given, and asks for more */
    bool is_done;         /* the handshake is */
    bool has_failed;
    bool raw_eof;   /* the socket's end was read */
    bool is_empty;  /* this read has found the socket with less than it asked for */
    bool has_ended; /* close_notify was written */
};

static struct tls_transport *tls_of(const struct nu_connection *conn)
{
    return conn->transport_state;
}

/* --- OpenSSL's view of the socket ------------------------------------------------------------- */

static int bio_read(BIO *bio, char *out, int size)
{
    struct tls_transport *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    if (tls->cipher_in.len == 0) {
        if (tls->raw_eof)
            return 0;
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = nu_buf_copy_out(&tls->cipher_in, 0, out, (size_t)size);
    nu_buf_drain(&tls->cipher_in, n);
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    struct tls_transport *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    nu_buf_append(&tls->cipher_out, nu_str_make(data, (size_t)size));
    return size;
}

static long bio_ctrl(BIO *bio, int command, long number, void *ptr)
{
    (void)number;
    (void)ptr;
    const struct tls_transport *tls = BIO_get_data(bio);
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_PENDING:
        return (long)tls->cipher_in.len;
    case BIO_CTRL_EOF:
        return tls->raw_eof && tls->cipher_in.len == 0;
    default:
        return 0;
    }
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *bio_method;

void nu_tls_transport_prepare(void)
{
    if (bio_method)
        return;
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "nuncio");
    nu_assert(bio_method);
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
    BIO_meth_set_create(bio_method, bio_create);
}

/* OpenSSL tells a failure by what is in its queue of errors. That is empty nearly always, and to see
 * that costs much less than to clear it. */
static inline void forget_errors(void)
{
    if (nu_unlikely(ERR_peek_error() != 0))
        ERR_clear_error();
}

/* --- Failures --------------------------------------------------------------------------------- */

void nu_tls_transport_note_verify_failure(SSL *ssl, int verify_error)
{
    struct tls_transport *tls = SSL_get_app_data(ssl);
    tls->verify_error = verify_error;
}

static void count_failure(struct tls_transport *tls, unsigned long code)
{
    struct nu_tls_stats *stats = tls->local->stats;
    if (ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        nu_counter_inc(&stats->fail_verify_no_cert);
    else if (tls->verify_error == X509_V_OK)
        nu_counter_inc(&stats->connection_error);
}

/* OpenSSL does what a peer asks for as often as it asks. */
static void on_info(const SSL *ssl, int where, int result)
{
    (void)result;
    if (!(where & SSL_CB_LOOP))
        return;
    OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);
    if (state == TLS_ST_SR_KEY_UPDATE || state == TLS_ST_CR_KEY_UPDATE) {
        struct tls_transport *tls = SSL_get_app_data(ssl);
        tls->key_updates++;
    }
}

/* A key update costs us more than the peer. OpenSSL gives no way to send the alert that is due. */
static void refuse_key_updates(struct tls_transport *tls)
{
    struct nu_strbuf text = {0};
    tls->has_failed = true;
    nu_counter_inc(&tls->local->stats->connection_error);
    nu_tls_describe_key_updates(&text);
    nu_connection_set_transport_failure(tls->conn, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
    ERR_clear_error();
    errno = EPROTO;
}

/* The connection cannot go on. What OpenSSL still has to say to the peer, an alert, is sent. */
static ssize_t fail(struct tls_transport *tls)
{
    if (!tls->has_failed) {
        tls->has_failed = true;
        count_failure(tls, ERR_peek_error());
        struct nu_strbuf text = {0};
        nu_tls_describe_errors(tls->ssl, &text);
        nu_connection_set_transport_failure(tls->conn, nu_strbuf_str(&text));
        nu_strbuf_finish(&text);
    }
    ERR_clear_error();
    errno = EPROTO;
    return -1;
}

/* --- The handshake ---------------------------------------------------------------------------- */

static void count_handshake(struct tls_transport *tls)
{
    struct nu_tls_stats *stats = tls->local->stats;
    struct nu_tls_negotiated_stats *negotiated = tls->local->negotiated;
    nu_counter_inc(&stats->handshake);
    if (SSL_session_reused(tls->ssl))
        nu_counter_inc(&stats->session_reused);
    if (!SSL_get0_peer_certificate(tls->ssl))
        nu_counter_inc(&stats->no_certificate);
    nu_tls_negotiated_count(negotiated, NU_STR("versions"), nu_str_from(SSL_get_version(tls->ssl)));
    nu_tls_negotiated_count(negotiated, NU_STR("ciphers"),
                            nu_str_from(SSL_get_cipher_name(tls->ssl)));
    int group = (int)SSL_get_negotiated_group(tls->ssl);
    nu_tls_negotiated_count(negotiated, NU_STR("curves"), nu_tls_curve_name(group));
    int key_type;
    int digest = NID_undef;
    /* A peer without a certificate, and a resumption, have signed nothing. */
    if (SSL_get_peer_signature_type_nid(tls->ssl, &key_type) == 1) {
        SSL_get_peer_signature_nid(tls->ssl, &digest);
        nu_tls_negotiated_count(negotiated, NU_STR("sigalgs"),
                                nu_tls_sigalg_name(key_type, digest));
    }
}

static void on_handshake_done(struct tls_transport *tls)
{
    tls->is_done = true;
    tls->conn->transport_waits = false;
    count_handshake(tls);
    if (tls->conn->out.len)
        nu_connection_write(tls->conn);
}

static void note_output(struct tls_transport *tls)
{
    tls->conn->transport_out = (uint32_t)nu_min_size(tls->cipher_out.len, UINT32_MAX);
    if (tls->cipher_out.len)
        nu_connection_write(tls->conn);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/*
 * A peer may send messages that carry no data but ask for an answer (key updates of TLS 1.3), as
 * many as it likes: one that does not read the answers would have us keep them all.
 */
static bool is_flooded(const struct tls_transport *tls)
{
    return tls->cipher_out.len > CIPHER_BUFFER + RECORD + ANSWERS_MAX;
}

/* The socket broke before the handshake was done. */
static void note_broken_socket(struct tls_transport *tls, int error)
{
    struct nu_strbuf text = {0};
    nu_tls_describe_errno(error, &text);
    nu_connection_set_transport_failure(tls->conn, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
}

/* One large read of the socket. Returns its bytes, 0 at its end, -1 with errno. */
static ssize_t fill(struct tls_transport *tls)
{
    if (nu_unlikely(is_flooded(tls))) {
        errno = ENOBUFS;
        return -1;
    }
    if (nu_unlikely(tls->raw_error)) {
        errno = tls->raw_error;
        return -1;
    }
    /* Of what came since an event tells, as it does in the next turn of a socket still readable. */
    if (tls->is_empty || nu_unlikely(++tls->fills > FILLS_PER_READ)) {
        errno = EAGAIN;
        return -1;
    }
    struct nu_block *block = nu_block_get(NU_BLOCK_LARGE);
    ssize_t n = nu_socket_read(tls->conn->fd, block->data, nu_block_room(block));
    int error = errno;
    if (n > 0) {
        block->fill = (uint32_t)n;
        tls->is_empty = (size_t)n < block->size;
        nu_buf_take_block(&tls->cipher_in, block, nu_str_make(block->data, (size_t)n));
        return n;
    }
    nu_block_unref(block);
    if (n == 0)
        tls->raw_eof = true;
    else if (error != EAGAIN && error != EINTR)
        tls->raw_error = error;
    errno = error;
    return n;
}

enum step {
    STEP_MORE,   /* go on */
    STEP_WAIT,   /* nothing to be had now */
    STEP_END,    /* the peer ended its side */
    STEP_FAILED, /* errno says why */
};

/* Reads for OpenSSL when it has nothing left to go on with: to call it then would be in vain. */
static enum step feed(struct tls_transport *tls)
{
    if (!tls->is_hungry || tls->cipher_in.len || tls->raw_eof)
        return STEP_MORE;
    ssize_t n = fill(tls);
    if (n > 0)
        return STEP_MORE;
    /* The socket's end without close_notify ends the stream as well, as Envoy takes it. */
    if (n == 0)
        return STEP_END;
    if (errno == EAGAIN || errno == EINTR)
        return STEP_WAIT;
    int cause = errno;
    if (!tls->is_done)
        note_broken_socket(tls, cause);
    errno = cause;
    return STEP_FAILED;
}

/* OpenSSL gave nothing: may there be more for it to read? */
static enum step after_shortage(struct tls_transport *tls, int result)
{
    int error = SSL_get_error(tls->ssl, result);
    if (error == SSL_ERROR_ZERO_RETURN) {
        tls->is_hungry = false; /* it says so again */
        return STEP_END;
    }
    if (error == SSL_ERROR_WANT_READ && !tls->raw_eof) {
        tls->is_hungry = true;
        return STEP_MORE;
    }
    bool ended = tls->raw_eof && tls->cipher_in.len == 0;
    if (ended && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_SYSCALL ||
                  ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
        ERR_clear_error();
        return STEP_END;
    }
    fail(tls);
    return STEP_FAILED;
}

/* Whether there are bytes of the peer that no event will tell of. */
static bool has_input(const struct tls_transport *tls)
{
    return tls->cipher_in.len || SSL_has_pending(tls->ssl);
}

/* Takes the handshake as far as it goes. */
static enum step shake(struct tls_transport *tls)
{
    enum step step;
    while ((step = feed(tls)) == STEP_MORE) {
        forget_errors();
        int result = SSL_do_handshake(tls->ssl);
        note_output(tls);
        if (result == 1) {
            tls->is_hungry = !has_input(tls);
            on_handshake_done(tls);
            return STEP_MORE;
        }
        step = after_shortage(tls, result);
        note_output(tls);
        if (step != STEP_MORE)
            break;
    }
    return step;
}

/* Decrypts into one piece of the caller's room; `*filled` says how much. */
static enum step read_piece(struct tls_transport *tls, const struct iovec *piece, size_t *filled)
{
    enum step step = STEP_MORE;
    *filled = 0;
    while (*filled < piece->iov_len && (step = feed(tls)) == STEP_MORE) {
        forget_errors();
        size_t n = 0;
        int result =
            SSL_read_ex(tls->ssl, (char *)piece->iov_base + *filled, piece->iov_len - *filled, &n);
        if (nu_unlikely(tls->key_updates > KEY_UPDATES_MAX)) {
            refuse_key_updates(tls);
            return STEP_FAILED;
        }
        *filled += n;
        if (result == 1) {
            tls->key_updates = 0;
            tls->is_hungry = !has_input(tls);
        } else if ((step = after_shortage(tls, result)) != STEP_MORE) {
            return step;
        }
    }
    return step;
}

static ssize_t tls_read(struct nu_connection *conn, const struct iovec *iov, int count)
{
    struct tls_transport *tls = tls_of(conn);
    enum step step = STEP_MORE;
    size_t total = 0;
    if (tls->has_failed) {
        errno = EPROTO;
        return -1;
    }
    tls->fills = 0;
    tls->is_empty = false;
    if (!tls->is_done)
        step = shake(tls);
    for (int i = 0; i < count && step == STEP_MORE; i++) {
        size_t filled;
        step = read_piece(tls, &iov[i], &filled);
        total += filled;
    }
    int error = errno;
    note_output(tls);
    /* The room is full: there may be more that no event will tell of. */
    conn->transport_in = step == STEP_MORE && has_input(tls);
    /* An end or a failure behind good bytes is met again by the next read. */
    if (total) {
        conn->transport_in |= step == STEP_END || step == STEP_FAILED;
        return (ssize_t)total;
    }
    if (step == STEP_END)
        return 0;
    errno = step == STEP_WAIT ? EAGAIN : error;
    return -1;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Sends what is encrypted. False when the socket is full or broken (errno). */
static bool send_cipher(struct tls_transport *tls)
{
    while (tls->cipher_out.len) {
        struct iovec iov[WRITE_IOVECS];
        size_t bytes;
        int count = nu_buf_to_iovec(&tls->cipher_out, iov, WRITE_IOVECS, &bytes);
        ssize_t n = nu_socket_write_pieces(tls->conn->fd, iov, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        nu_buf_drain(&tls->cipher_out, (size_t)n);
        if ((size_t)n < bytes) {
            errno = EAGAIN;
            return false;
        }
    }
    return true;
}

/* A walk over the caller's bytes. */
struct cursor {
    const struct iovec *iov;
    int count;
    size_t offset; /* in iov[0] */
};

static void advance(struct cursor *at, size_t n)
{
    at->offset += n;
    while (at->count && at->offset >= at->iov->iov_len) {
        at->offset -= at->iov->iov_len;
        at->iov++;
        at->count--;
    }
}

/* The next bytes for one record: a long slice as it is, short ones put together in `room`. */
static struct nu_str next_record(const struct cursor *at, char *room)
{
    size_t first = at->iov->iov_len - at->offset;
    const char *start = (const char *)at->iov->iov_base + at->offset;
    if (first >= WORTH_AN_OWN_RECORD || at->count == 1)
        return nu_str_make(start, nu_min_size(first, RECORD));
    size_t len = 0;
    size_t offset = at->offset;
    for (int i = 0; i < at->count && len < RECORD; i++) {
        size_t n = nu_min_size(at->iov[i].iov_len - offset, RECORD - len);
        memcpy(room + len, (const char *)at->iov[i].iov_base + offset, n);
        len += n;
        offset = 0;
    }
    return nu_str_make(room, len);
}

/* Encrypts until the bound; returns the plain bytes used, or -1. */
static ssize_t encrypt(struct tls_transport *tls, struct cursor *at)
{
    char room[RECORD];
    size_t used = 0;
    while (at->count && tls->cipher_out.len < CIPHER_BUFFER) {
        struct nu_str record = next_record(at, room);
        size_t n = 0;
        forget_errors();
        if (SSL_write_ex(tls->ssl, record.ptr, record.len, &n) != 1) {
            return fail(tls);
        }
        advance(at, n);
        used += n;
    }
    return (ssize_t)used;
}

static void tls_end(struct nu_connection *conn);

/* Whether our side ends with these bytes. */
static bool are_last(const struct nu_connection *conn, ssize_t used)
{
    bool ends = conn->state == NU_CONNECTION_CLOSING || conn->write_ended;
    return ends && used >= 0 && (size_t)used == conn->out.len;
}

/* What waits to be sent (a ticket), the bytes and what ends them go together, unless there is much of
 * it. */
static ssize_t tls_write(struct nu_connection *conn, const struct iovec *iov, int count)
{
    struct tls_transport *tls = tls_of(conn);
    struct cursor at = {.iov = iov, .count = count};
    ssize_t used = 0;
    bool open = tls->cipher_out.len < RECORD || send_cipher(tls);
    advance(&at, 0);
    if (open && at.count && tls->is_done && !tls->has_failed) {
        used = encrypt(tls, &at);
        if (are_last(conn, used))
            tls_end(conn);
    }
    if (open && used >= 0)
        open = send_cipher(tls);
    int error = errno;
    conn->transport_out = (uint32_t)nu_min_size(tls->cipher_out.len, UINT32_MAX);
    if (!open && error != EAGAIN) {
        errno = error;
        return -1;
    }
    return used;
}

/* --- Life ------------------------------------------------------------------------------------- */

static enum nu_transport_state tls_handshake(struct nu_connection *conn)
{
    struct tls_transport *tls = tls_of(conn);
    tls->fills = 0;
    tls->is_empty = false;
    switch (shake(tls)) {
    case STEP_MORE:
        /* A peer that speaks first may have begun right behind its Finished. */
        conn->transport_in = has_input(tls);
        return NU_TRANSPORT_READY;
    case STEP_WAIT:
        return NU_TRANSPORT_WAITS;
    case STEP_END:
        errno = 0;
        nu_connection_set_transport_failure(conn, nu_str_make(NULL, 0));
        return NU_TRANSPORT_FAILED;
    case STEP_FAILED:
        break;
    }
    return NU_TRANSPORT_FAILED;
}

static void tls_send_first(struct nu_connection *conn, struct nu_buf *bytes)
{
    struct tls_transport *tls = tls_of(conn);
    conn->tx_bytes += bytes->len;
    nu_buf_move_all(&tls->cipher_out, bytes);
    conn->transport_out = (uint32_t)nu_min_size(tls->cipher_out.len, UINT32_MAX);
}

static void tls_end(struct nu_connection *conn)
{
    struct tls_transport *tls = tls_of(conn);
    if (tls->has_ended || tls->has_failed || !tls->is_done)
        return;
    tls->has_ended = true;
    forget_errors();
    SSL_shutdown(tls->ssl);
    forget_errors();
    conn->transport_out = (uint32_t)nu_min_size(tls->cipher_out.len, UINT32_MAX);
}

/* Whether the socket failed, and not what came over it. */
static bool is_broken(const struct nu_connection *conn)
{
    return conn->error && !tls_of(conn)->has_failed;
}

static void tls_finish(struct nu_connection *conn)
{
    struct tls_transport *tls = tls_of(conn);
    /* To a socket that is broken nobody listens: the session ends in order all the same. */
    if (is_broken(conn))
        SSL_set_quiet_shutdown(tls->ssl, 1);
    /* An alert that says why, or the close_notify: sent if the socket takes it, and not waited
     * for. */
    tls_end(conn);
    if (conn->fd >= 0 && !is_broken(conn))
        send_cipher(tls);
    SSL_set_bio(tls->ssl, NULL, NULL); /* what is known of it may outlive this transport */
    nu_ssl_info_unref(tls->info);
    SSL_free(tls->ssl);
    nu_tls_context_local_unref(tls->local);
    nu_free(tls->peer_name);
    nu_buf_clear(&tls->cipher_in);
    nu_buf_clear(&tls->cipher_out);
    nu_free(tls);
    conn->transport_state = NULL;
}

static struct nu_ssl_info *tls_ssl_info(const struct nu_connection *conn)
{
    struct tls_transport *tls = tls_of(conn);
    if (!tls->info)
        tls->info = nu_tls_info_create(tls->ssl);
    return tls->info;
}

static struct nu_str tls_application_protocol(const struct nu_connection *conn)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(tls_of(conn)->ssl, &name, &len);
    return nu_str_make((const char *)name, len);
}

static const struct nu_transport_class tls_class = {
    .name = "tls",
    .is_secure = true,
    .ssl_info = tls_ssl_info,
    .application_protocol = tls_application_protocol,
    .read = tls_read,
    .write = tls_write,
    .handshake = tls_handshake,
    .send_first = tls_send_first,
    .end = tls_end,
    .finish = tls_finish,
    .buffers = true,
};

static struct tls_transport *attach(struct nu_connection *conn, struct nu_tls_context_local *local)
{
    struct tls_transport *tls = nu_calloc(1, sizeof(*tls));
    tls->conn = conn;
    tls->local = local;
    tls->verify_error = X509_V_OK;
    tls->ssl = SSL_new(tls->local->ctx);
    nu_assert(tls->ssl);
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_info_callback(tls->ssl, on_info);
    BIO *bio = BIO_new(bio_method);
    nu_assert(bio);
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    conn->transport = &tls_class;
    conn->transport_state = tls;
    conn->transport_waits = true;
    return tls;
}

void nu_tls_accept(struct nu_connection *conn, struct nu_tls_context *context)
{
    struct nu_tls_context_local *local = nu_tls_context_local(context);
    if (nu_unlikely(!local)) {
        nu_counter_inc(
            &nu_tls_context_factory_stats(context)->downstream_context_secrets_not_ready);
        nu_tls_refuse(conn);
        return;
    }
    struct tls_transport *tls = attach(conn, local);
    SSL_set_accept_state(tls->ssl);
    tls->is_hungry = true; /* the client begins */
    /* What listener filters read of the connection is the beginning of the handshake. */
    nu_buf_move_all(&tls->cipher_in, &conn->in);
    conn->transport_in = tls->cipher_in.len > 0;
}

/* Whether a session may be offered to a host called `name`, which may be empty. A session of another
 * name never: the certificate behind it need not be good for this one, and a resumption shows no
 * other. One whose name the server has not confirmed only where all hosts have the same. */
static bool is_session_for(const struct tls_transport *tls, const SSL_SESSION *session,
                           struct nu_str name)
{
    const char *known = SSL_SESSION_get0_hostname(session);
    if (known && !nu_str_eq(nu_str_from(known), name))
        return false;
    if (!known && (tls->local->settings->auto_host_sni || tls->is_for_name))
        return false;
    return !tls->peer_name || nu_str_eq(nu_str_from(tls->peer_name), name);
}

/* Offers the newest session. One of TLS 1.3 is used up by that: it must not be seen twice. */
static void resume_session(struct tls_transport *tls, struct nu_str name)
{
    struct nu_tls_context_local *local = tls->local;
    uint32_t at = local->session_count;
    while (at > 0 && !is_session_for(tls, local->sessions[at - 1], name))
        at--;
    if (at == 0)
        return;
    SSL_SESSION *session = local->sessions[at - 1];
    SSL_set_session(tls->ssl, session);
    if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
        return;
    local->session_count--;
    memmove(&local->sessions[at - 1], &local->sessions[at],
            (local->session_count - (at - 1)) * sizeof(SSL_SESSION *));
    SSL_SESSION_free(session);
}

void nu_tls_connect(struct nu_connection *conn, struct nu_tls_context *context,
                    const struct nu_transport_target *target)
{
    struct nu_tls_context_local *local = nu_tls_context_local(context);
    if (nu_unlikely(!local)) {
        nu_counter_inc(&nu_tls_context_factory_stats(context)->upstream_context_secrets_not_ready);
        nu_tls_refuse(conn);
        return;
    }
    struct tls_transport *tls = attach(conn, local);
    const struct nu_tls_settings *settings = local->settings;
    struct nu_str name = settings->server_name;
    if (settings->auto_host_sni && target->hostname.len)
        name = target->hostname;
    tls->is_for_name = target->server_name.len || target->peer_name.len;
    if (target->server_name.len)
        name = target->server_name;
    if (target->peer_name.len) {
        tls->peer_name = nu_strndup(target->peer_name.ptr, target->peer_name.len);
        SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, NULL);
    }
    SSL_set_connect_state(tls->ssl);
    if (target->alpn.len && (target->alpn_is_forced || !settings->alpn.len))
        SSL_set_alpn_protos(tls->ssl, (const unsigned char *)target->alpn.ptr,
                            (unsigned)target->alpn.len);
    if (name.len) {
        char *text = nu_strndup(name.ptr, name.len);
        SSL_set_tlsext_host_name(tls->ssl, text);
        nu_free(text);
    }
    resume_session(tls, name);
}

struct nu_str nu_tls_peer_name_of(const SSL *ssl)
{
    const struct tls_transport *tls = SSL_get_app_data(ssl);
    return nu_str_from(tls->peer_name);
}

int nu_tls_socket_of(const SSL *ssl)
{
    const struct tls_transport *tls = SSL_get_app_data(ssl);
    return tls->conn->fd;
}
