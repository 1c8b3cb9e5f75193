/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers about a handshake, in Envoy's words. What OpenSSL has as a text of its own is handed out
 * as it is; everything else is made once, in an arena that the first such question brings.
 */
#include "tls/info.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "tls/context.h"

struct answers {
    struct nu_arena arena;
    uint32_t known_texts; /* bits of enum nu_ssl_text */
    uint32_t known_lists; /* bits of enum nu_ssl_list */
    struct nu_str texts[NU_SSL_TEXT_COUNT];
    struct nu_ssl_list_value lists[NU_SSL_LIST_COUNT];
};

struct tls_info {
    struct nu_ssl_info base;
    SSL *ssl;                           /* owned: one reference */
    struct nu_tls_context_local *local; /* a reference: what its settings are */
    struct answers *answers; /* owned; NULL before the first answer that has to be made */
};

static struct tls_info *info_of(struct nu_ssl_info *base)
{
    return nu_container_of(base, struct tls_info, base);
}

static struct answers *answers_of(struct tls_info *info)
{
    if (!info->answers) {
        info->answers = nu_calloc(1, sizeof(*info->answers));
        nu_arena_init(&info->answers->arena);
    }
    return info->answers;
}

/* --- Texts ------------------------------------------------------------------------------------ */

static struct nu_str none(void)
{
    return nu_str_make(NULL, 0);
}

static struct nu_str hex(struct nu_arena *arena, const unsigned char *bytes, size_t len)
{
    char *out = nu_arena_alloc(arena, len * 2);
    nu_hex_write(bytes, len, out);
    return nu_str_make(out, len * 2);
}

static struct nu_str digest(struct nu_arena *arena, const X509 *certificate, const EVP_MD *md)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    return X509_digest(certificate, md, bytes, &len) == 1 ? hex(arena, bytes, len) : none();
}

static struct nu_str serial(struct nu_arena *arena, const X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number ? BN_bn2hex(number) : NULL;
    struct nu_str out = text ? nu_arena_dup(arena, nu_str_from(text)) : none();
    for (size_t i = 0; i < out.len; i++) {
        char *c = nu_unconst(out.ptr + i);
        *c = nu_ascii_lower(*c);
    }
    OPENSSL_free(text);
    BN_free(number);
    return out;
}

static struct nu_str take_bio(struct nu_arena *arena, BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    struct nu_str out =
        len > 0 ? nu_arena_dup(arena, nu_str_make(data, (size_t)len)) : nu_str_make("", 0);
    BIO_free(bio);
    return out;
}

static struct nu_str name(struct nu_arena *arena, const X509_NAME *x509_name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509_NAME_print_ex(bio, x509_name, 0, XN_FLAG_RFC2253);
    return take_bio(arena, bio);
}

/* What would end a quoted value of a header is written in the way of URLs. */
static void add_url_encoded(struct nu_strbuf *out, struct nu_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n' || c == ' ' || c == '+' || c == '/' || c == '=')
            nu_strbuf_addf(out, "%%%02X", (unsigned char)c);
        else
            nu_strbuf_add_char(out, c);
    }
}

static void add_pem(struct nu_strbuf *out, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    if (PEM_write_bio_X509(bio, certificate) == 1) {
        long len = BIO_get_mem_data(bio, &data);
        add_url_encoded(out, nu_str_make(data, (size_t)len));
    }
    BIO_free(bio);
}

/* --- The certificates ------------------------------------------------------------------------- */

/* The `index`th that the peer showed, its own first; NULL behind the last. OpenSSL's chain begins
 * with the peer's own for clients alone. */
static X509 *peer_at(const SSL *ssl, int index)
{
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    if (!leaf || index == 0)
        return leaf;
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    if (SSL_is_server(ssl))
        index--;
    return index < sk_X509_num(chain) ? sk_X509_value(chain, index) : NULL;
}

static struct nu_str pem(struct nu_arena *arena, const SSL *ssl, bool whole_chain)
{
    struct nu_strbuf text = {0};
    X509 *certificate;
    for (int i = 0; (i == 0 || whole_chain) && (certificate = peer_at(ssl, i)); i++)
        add_pem(&text, certificate);
    struct nu_str out = nu_arena_dup(arena, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
    return out;
}

static struct nu_str session_id(struct nu_arena *arena, const SSL *ssl)
{
    const SSL_SESSION *session = SSL_get_session(ssl);
    unsigned len = 0;
    /* Those of TLS 1.3 are made up by OpenSSL, and by nobody else. */
    if (!session || SSL_version(ssl) >= TLS1_3_VERSION)
        return none();
    const unsigned char *id = SSL_SESSION_get_id(session, &len);
    return len ? hex(arena, id, len) : none();
}

static struct nu_str make_peer_text(struct nu_arena *arena, const SSL *ssl, X509 *peer,
                                    enum nu_ssl_text which)
{
    switch (which) {
    case NU_SSL_PEER_SUBJECT:
        return name(arena, X509_get_subject_name(peer));
    case NU_SSL_PEER_ISSUER:
        return name(arena, X509_get_issuer_name(peer));
    case NU_SSL_PEER_SERIAL:
        return serial(arena, peer);
    case NU_SSL_PEER_SHA256:
        return digest(arena, peer, EVP_sha256());
    case NU_SSL_PEER_SHA1:
        return digest(arena, peer, EVP_sha1());
    case NU_SSL_PEER_CERT:
        return pem(arena, ssl, false);
    case NU_SSL_PEER_CHAIN:
        return pem(arena, ssl, true);
    default:
        return none();
    }
}

static struct nu_str make_text(struct nu_arena *arena, const SSL *ssl, enum nu_ssl_text which)
{
    const X509 *own = SSL_get_certificate(ssl);
    X509 *peer = SSL_get0_peer_certificate(ssl);
    if (which == NU_SSL_SESSION_ID)
        return session_id(arena, ssl);
    if (which == NU_SSL_LOCAL_SUBJECT)
        return own ? name(arena, X509_get_subject_name(own)) : none();
    return peer ? make_peer_text(arena, ssl, peer, which) : none();
}

static struct nu_str alpn_of(const SSL *ssl)
{
    const unsigned char *protocol = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &len);
    return nu_str_make((const char *)protocol, len);
}

static struct nu_str text(struct nu_ssl_info *base, enum nu_ssl_text which)
{
    struct tls_info *info = info_of(base);
    switch (which) {
    case NU_SSL_VERSION:
        return nu_str_from(SSL_get_version(info->ssl));
    case NU_SSL_CIPHER: {
        const SSL_CIPHER *cipher = SSL_get_current_cipher(info->ssl);
        return cipher ? nu_str_from(SSL_CIPHER_get_name(cipher)) : none();
    }
    case NU_SSL_SERVER_NAME:
        return nu_str_from(SSL_get_servername(info->ssl, TLSEXT_NAMETYPE_host_name));
    case NU_SSL_ALPN:
        return alpn_of(info->ssl);
    default:
        break;
    }
    struct answers *answers = answers_of(info);
    if (!(answers->known_texts >> which & 1)) {
        answers->texts[which] = make_text(&answers->arena, info->ssl, which);
        answers->known_texts |= 1u << which;
    }
    return answers->texts[which];
}

/* --- Lists ------------------------------------------------------------------------------------ */

static struct nu_str text_of(const ASN1_STRING *string)
{
    return nu_str_make((const char *)ASN1_STRING_get0_data(string),
                       (size_t)ASN1_STRING_length(string));
}

static struct nu_str address(struct nu_arena *arena, struct nu_str bytes)
{
    char buffer[INET6_ADDRSTRLEN];
    if (bytes.len != 4 && bytes.len != 16)
        return none();
    const char *done =
        inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.ptr, buffer, sizeof(buffer));
    return done ? nu_arena_dup(arena, nu_str_from(buffer)) : none();
}

static struct nu_str decimal(struct nu_arena *arena, const ASN1_INTEGER *integer)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(integer, NULL);
    char *digits = number ? BN_bn2dec(number) : NULL;
    struct nu_str out = digits ? nu_arena_dup(arena, nu_str_from(digits)) : none();
    OPENSSL_free(digits);
    BN_free(number);
    return out;
}

/* Wide characters become UTF-8. */
static struct nu_str narrow(struct nu_arena *arena, const ASN1_STRING *string)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, string);
    struct nu_str out =
        len >= 0 ? nu_arena_dup(arena, nu_str_make((char *)utf8, (size_t)len)) : none();
    OPENSSL_free(utf8);
    return out;
}

static struct nu_str other_name(struct nu_arena *arena, const ASN1_TYPE *value)
{
    char buffer[128];
    switch (value->type) {
    case V_ASN1_NULL:
        return none();
    case V_ASN1_BOOLEAN:
        return value->value.boolean ? NU_STR("true") : NU_STR("false");
    case V_ASN1_ENUMERATED:
    case V_ASN1_INTEGER:
        return decimal(arena, value->value.integer);
    case V_ASN1_OBJECT:
        OBJ_obj2txt(buffer, sizeof(buffer), value->value.object, 1);
        return nu_arena_dup(arena, nu_str_from(buffer));
    case V_ASN1_BMPSTRING:
    case V_ASN1_UNIVERSALSTRING:
        return narrow(arena, value->value.asn1_string);
    default:
        return nu_arena_dup(arena, text_of(value->value.asn1_string));
    }
}

static struct nu_str name_text(struct nu_arena *arena, const GENERAL_NAME *general)
{
    switch (general->type) {
    case GEN_IPADD:
        return address(arena, text_of(general->d.iPAddress));
    case GEN_OTHERNAME:
        return other_name(arena, general->d.otherName->value);
    default: /* the others that are asked for are texts */
        return nu_arena_dup(arena, text_of(general->d.ia5));
    }
}

/* The names of one kind in a certificate. */
static struct nu_ssl_list_value names(struct nu_arena *arena, const X509 *certificate, int kind)
{
    struct nu_ssl_list_value list = {0};
    GENERAL_NAMES *all =
        certificate ? X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL) : NULL;
    int count = all ? sk_GENERAL_NAME_num(all) : 0;
    if (count == 0) {
        GENERAL_NAMES_free(all);
        return list;
    }
    struct nu_str *items = nu_arena_alloc(arena, (size_t)count * sizeof(*items));
    for (int i = 0; i < count; i++) {
        const GENERAL_NAME *general = sk_GENERAL_NAME_value(all, i);
        if (general->type == kind)
            items[list.count++] = name_text(arena, general);
    }
    list.items = items;
    GENERAL_NAMES_free(all);
    return list;
}

static struct nu_str of_certificate(struct nu_arena *arena, const X509 *certificate,
                                    enum nu_ssl_list which)
{
    if (which == NU_SSL_PEER_CHAIN_SERIALS)
        return serial(arena, certificate);
    return digest(arena, certificate, which == NU_SSL_PEER_CHAIN_SHA1 ? EVP_sha1() : EVP_sha256());
}

static struct nu_ssl_list_value of_chain(struct nu_arena *arena, const SSL *ssl,
                                         enum nu_ssl_list which)
{
    struct nu_ssl_list_value list = {0};
    while (peer_at(ssl, (int)list.count))
        list.count++;
    struct nu_str *items = nu_arena_alloc(arena, list.count * sizeof(*items));
    for (size_t i = 0; i < list.count; i++)
        items[i] = of_certificate(arena, peer_at(ssl, (int)i), which);
    list.items = items;
    return list;
}

static struct nu_ssl_list_value make_list(struct nu_arena *arena, const SSL *ssl,
                                          enum nu_ssl_list which)
{
    static const int kinds[NU_SSL_LIST_COUNT] = {
        [NU_SSL_PEER_DNS] = GEN_DNS,
        [NU_SSL_LOCAL_DNS] = GEN_DNS,
        [NU_SSL_PEER_URI] = GEN_URI,
        [NU_SSL_LOCAL_URI] = GEN_URI,
        [NU_SSL_PEER_IP] = GEN_IPADD,
        [NU_SSL_LOCAL_IP] = GEN_IPADD,
        [NU_SSL_PEER_EMAIL] = GEN_EMAIL,
        [NU_SSL_LOCAL_EMAIL] = GEN_EMAIL,
        [NU_SSL_PEER_OTHER_NAME] = GEN_OTHERNAME,
        [NU_SSL_LOCAL_OTHER_NAME] = GEN_OTHERNAME,
    };
    if (which >= NU_SSL_PEER_CHAIN_SHA256)
        return of_chain(arena, ssl, which);
    const X509 *certificate =
        which >= NU_SSL_LOCAL_DNS ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
    return names(arena, certificate, kinds[which]);
}

static struct nu_ssl_list_value list(struct nu_ssl_info *base, enum nu_ssl_list which)
{
    struct tls_info *info = info_of(base);
    struct answers *answers = answers_of(info);
    if (!(answers->known_lists >> which & 1)) {
        answers->lists[which] = make_list(&answers->arena, info->ssl, which);
        answers->known_lists |= 1u << which;
    }
    return answers->lists[which];
}

/* --- The rest --------------------------------------------------------------------------------- */

static bool get_time(struct nu_ssl_info *base, enum nu_ssl_time which, int64_t *seconds)
{
    const X509 *peer = SSL_get0_peer_certificate(info_of(base)->ssl);
    struct tm tm = {0};
    if (!peer || ASN1_TIME_to_tm(which == NU_SSL_PEER_VALID_FROM ? X509_get0_notBefore(peer)
                                                                 : X509_get0_notAfter(peer),
                                 &tm) != 1)
        return false;
    *seconds = (int64_t)timegm(&tm);
    return true;
}

static bool is_peer_presented(struct nu_ssl_info *base)
{
    return SSL_get0_peer_certificate(info_of(base)->ssl) != NULL;
}

static bool is_peer_validated(struct nu_ssl_info *base)
{
    const struct tls_info *info = info_of(base);
    return is_peer_presented(base) && SSL_get_verify_result(info->ssl) == X509_V_OK &&
           !nu_tls_validator_is_empty(&info->local->settings->validator);
}

static void destroy(struct nu_ssl_info *base)
{
    struct tls_info *info = info_of(base);
    if (info->answers)
        nu_arena_finish(&info->answers->arena);
    nu_free(info->answers);
    SSL_free(info->ssl);
    nu_tls_context_local_unref(info->local);
    nu_free(info);
}

static const struct nu_ssl_info_class tls_info_class = {
    .text = text,
    .list = list,
    .time = get_time,
    .is_peer_presented = is_peer_presented,
    .is_peer_validated = is_peer_validated,
    .destroy = destroy,
};

struct nu_ssl_info *nu_tls_info_create(SSL *ssl)
{
    struct tls_info *info = nu_calloc(1, sizeof(*info));
    info->base = (struct nu_ssl_info){.cls = &tls_info_class, .refs = 1};
    info->ssl = ssl;
    SSL_up_ref(ssl);
    info->local = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    info->local->refs++;
    return &info->base;
}
