/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a transport that shook hands knows of its two ends: the certificates that both showed, the
 * version, the names. Envoy's Ssl::ConnectionInfo, for logs, header formats, x-forwarded-client-cert
 * and filters that judge the peer.
 *
 * An answer is found when it is first asked for and kept from then on, so that a connection of
 * which nobody asks pays nothing. It lives as long as the info; whoever prints it after the
 * connection's end (a stream that is logged) holds a reference. References are plain numbers: the
 * info stays on the connection's thread.
 */
#ifndef NU_HTTP_SSL_INFO_H
#define NU_HTTP_SSL_INFO_H

#include "base/arena.h"

/* Texts; empty where there is none. */
enum nu_ssl_text {
    NU_SSL_VERSION,      /* "TLSv1.3" */
    NU_SSL_CIPHER,       /* "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256" */
    NU_SSL_SESSION_ID,   /* hex; of TLS 1.2 alone */
    NU_SSL_SERVER_NAME,  /* what the client asked for */
    NU_SSL_ALPN,         /* the protocol that was agreed on */
    NU_SSL_PEER_SUBJECT, /* as RFC 2253 has it */
    NU_SSL_PEER_ISSUER,
    NU_SSL_PEER_SERIAL,
    NU_SSL_PEER_SHA256, /* hex, of the certificate */
    NU_SSL_PEER_SHA1,
    NU_SSL_PEER_CERT,  /* PEM, URL-encoded */
    NU_SSL_PEER_CHAIN, /* the same of all that the peer sent, its own first */
    NU_SSL_LOCAL_SUBJECT,
    NU_SSL_TEXT_COUNT
};

/* Lists of texts: names in certificates, and what is said of each certificate of the chain. */
enum nu_ssl_list {
    NU_SSL_PEER_DNS,
    NU_SSL_PEER_URI,
    NU_SSL_PEER_IP,
    NU_SSL_PEER_EMAIL,
    NU_SSL_PEER_OTHER_NAME,
    NU_SSL_LOCAL_DNS,
    NU_SSL_LOCAL_URI,
    NU_SSL_LOCAL_IP,
    NU_SSL_LOCAL_EMAIL,
    NU_SSL_LOCAL_OTHER_NAME,
    NU_SSL_PEER_CHAIN_SHA256,
    NU_SSL_PEER_CHAIN_SHA1,
    NU_SSL_PEER_CHAIN_SERIALS,
    NU_SSL_LIST_COUNT
};

/* When the peer's certificate begins and ceases to be good. */
enum nu_ssl_time {
    NU_SSL_PEER_VALID_FROM,
    NU_SSL_PEER_VALID_UNTIL,
};

struct nu_ssl_list_value {
    const struct nu_str *items;
    size_t count;
};

struct nu_ssl_info;

struct nu_ssl_info_class {
    struct nu_str (*text)(struct nu_ssl_info *info, enum nu_ssl_text which);
    struct nu_ssl_list_value (*list)(struct nu_ssl_info *info, enum nu_ssl_list which);
    /* Seconds since 1970; false if the peer showed no certificate. */
    bool (*time)(struct nu_ssl_info *info, enum nu_ssl_time which, int64_t *seconds);
    bool (*is_peer_presented)(struct nu_ssl_info *info);
    bool (*is_peer_validated)(struct nu_ssl_info *info);
    /* The last reference is gone. */
    void (*destroy)(struct nu_ssl_info *info);
};

/* The base of a transport's own struct. */
struct nu_ssl_info {
    const struct nu_ssl_info_class *cls;
    uint32_t refs;
};

static inline struct nu_str nu_ssl_info_text(struct nu_ssl_info *info, enum nu_ssl_text which)
{
    return info->cls->text(info, which);
}

static inline struct nu_ssl_list_value nu_ssl_info_list(struct nu_ssl_info *info,
                                                        enum nu_ssl_list which)
{
    return info->cls->list(info, which);
}

static inline bool nu_ssl_info_time(struct nu_ssl_info *info, enum nu_ssl_time which,
                                    int64_t *seconds)
{
    return info->cls->time(info, which, seconds);
}

/* The peer showed a certificate. */
static inline bool nu_ssl_info_is_peer_presented(struct nu_ssl_info *info)
{
    return info->cls->is_peer_presented(info);
}

/* And it was found to be good. */
static inline bool nu_ssl_info_is_peer_validated(struct nu_ssl_info *info)
{
    return info->cls->is_peer_validated(info);
}

static inline struct nu_ssl_info *nu_ssl_info_ref(struct nu_ssl_info *info)
{
    info->refs++;
    return info;
}

/* NULL is allowed. */
static inline void nu_ssl_info_unref(struct nu_ssl_info *info)
{
    if (info && --info->refs == 0)
        info->cls->destroy(info);
}

/* Keeps a reference until the arena is freed. */
struct nu_ssl_info *nu_ssl_info_hold(struct nu_ssl_info *info, struct nu_arena *arena);

#endif
