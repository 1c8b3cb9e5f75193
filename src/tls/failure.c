/* SPDX-License-Identifier: Apache-2.0 */
/*
 * People search their logs, and the web, for BoringSSL's reasons. Those that a handshake commonly
 * fails for have the same meaning in OpenSSL and get their numbers and names here; others keep
 * OpenSSL's own text (docs/differences.md).
 */
#include "tls/failure.h"

#include <openssl/err.h>
#include <string.h>

enum {
    BORING_LIB_SYS = 2,
    BORING_LIB_SSL = 16,
    BORING_LIB_SHIFT = 24,
    ALERT_FIRST = 1000, /* the reason of an alert is its number and this, in both libraries */
    ALERT_LAST = 1255,
    ALERT_HANDSHAKE_FAILURE = ALERT_FIRST + 40,
    HANDSHAKE_FAILURE_ON_CLIENT_HELLO = 154,
    TOO_MANY_KEY_UPDATES = 260,
};

struct reason {
    int number;       /* OpenSSL's */
    uint16_t boring;  /* BoringSSL's */
    const char *name; /* BoringSSL's */
};

#define SAME_NAME(name, boring) \
    { \
        SSL_R_##name, (boring), #name \
    }

static const struct reason reasons[] = {
    SAME_NAME(BAD_CHANGE_CIPHER_SPEC, 103),
    SAME_NAME(BAD_DIGEST_LENGTH, 106),
    SAME_NAME(BAD_ECPOINT, 108),
    SAME_NAME(BAD_LENGTH, 111),
    SAME_NAME(BAD_PACKET_LENGTH, 112),
    SAME_NAME(BAD_SIGNATURE, 114),
    SAME_NAME(CA_DN_LENGTH_MISMATCH, 122),
    SAME_NAME(CCS_RECEIVED_EARLY, 124),
    SAME_NAME(CERTIFICATE_VERIFY_FAILED, 125),
    SAME_NAME(CERT_CB_ERROR, 126),
    SAME_NAME(CERT_LENGTH_MISMATCH, 127),
    SAME_NAME(CLIENTHELLO_TLSEXT, 132),
    SAME_NAME(DATA_LENGTH_TOO_LONG, 136),
    SAME_NAME(DECRYPTION_FAILED, 138),
    SAME_NAME(DECRYPTION_FAILED_OR_BAD_RECORD_MAC, 139),
    SAME_NAME(DIGEST_CHECK_FAILED, 142),
    SAME_NAME(ECC_CERT_NOT_FOR_SIGNING, 144),
    SAME_NAME(ENCRYPTED_LENGTH_TOO_LONG, 146),
    SAME_NAME(ERROR_IN_RECEIVED_CIPHER_LIST, 148),
    SAME_NAME(EXCESSIVE_MESSAGE_SIZE, 150),
    SAME_NAME(HTTPS_PROXY_REQUEST, 155),
    SAME_NAME(HTTP_REQUEST, 156),
    SAME_NAME(INAPPROPRIATE_FALLBACK, 157),
    SAME_NAME(LENGTH_MISMATCH, 162),
    SAME_NAME(NO_CERTIFICATES_RETURNED, 172),
    SAME_NAME(NO_CIPHERS_AVAILABLE, 175),
    SAME_NAME(NO_RENEGOTIATION, 182),
    SAME_NAME(NO_SHARED_CIPHER, 184),
    SAME_NAME(OLD_SESSION_CIPHER_NOT_RETURNED, 187),
    SAME_NAME(PEER_DID_NOT_RETURN_A_CERTIFICATE, 192),
    SAME_NAME(RECORD_LENGTH_MISMATCH, 199),
    SAME_NAME(RENEGOTIATION_MISMATCH, 202),
    SAME_NAME(UNEXPECTED_MESSAGE, 223),
    SAME_NAME(UNEXPECTED_RECORD, 225),
    SAME_NAME(UNKNOWN_ALERT_TYPE, 227),
    SAME_NAME(UNKNOWN_CERTIFICATE_TYPE, 228),
    SAME_NAME(UNKNOWN_CIPHER_RETURNED, 229),
    SAME_NAME(UNKNOWN_PROTOCOL, 233),
    SAME_NAME(UNSAFE_LEGACY_RENEGOTIATION_DISABLED, 236),
    SAME_NAME(UNSUPPORTED_COMPRESSION_ALGORITHM, 238),
    SAME_NAME(UNSUPPORTED_ELLIPTIC_CURVE, 239),
    SAME_NAME(UNSUPPORTED_PROTOCOL, 240),
    SAME_NAME(WRONG_CERTIFICATE_TYPE, 241),
    SAME_NAME(WRONG_CIPHER_RETURNED, 242),
    SAME_NAME(WRONG_CURVE, 243),
    SAME_NAME(WRONG_SIGNATURE_TYPE, 245),
    SAME_NAME(WRONG_SSL_VERSION, 246),
    SAME_NAME(WRONG_VERSION_NUMBER, 247),
    SAME_NAME(NO_APPLICATION_PROTOCOL, 307),
    /* One meaning, two names. */
    {SSL_R_BAD_EXTENSION, 149, "ERROR_PARSING_EXTENSION"},
    {SSL_R_DATA_BETWEEN_CCS_AND_FINISHED, 255, "EXCESS_HANDSHAKE_DATA"},
    {SSL_R_MISSING_SUPPORTED_GROUPS_EXTENSION, 164, "MISSING_EXTENSION"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, 253, "NO_COMMON_SIGNATURE_ALGORITHMS"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, 266, "NO_SHARED_GROUP"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, 253, "NO_COMMON_SIGNATURE_ALGORITHMS"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, 146, "ENCRYPTED_LENGTH_TOO_LONG"},
    {SSL_R_UNSOLICITED_EXTENSION, 222, "UNEXPECTED_EXTENSION"},
    {SSL_R_VERSION_TOO_HIGH, 240, "UNSUPPORTED_PROTOCOL"},
    {SSL_R_VERSION_TOO_LOW, 240, "UNSUPPORTED_PROTOCOL"},
    /* Alerts of the peer. */
    {1000, 1000, "SSLV3_ALERT_CLOSE_NOTIFY"},
    {1010, 1010, "SSLV3_ALERT_UNEXPECTED_MESSAGE"},
    {1020, 1020, "SSLV3_ALERT_BAD_RECORD_MAC"},
    {1021, 1021, "TLSV1_ALERT_DECRYPTION_FAILED"},
    {1022, 1022, "TLSV1_ALERT_RECORD_OVERFLOW"},
    {1030, 1030, "SSLV3_ALERT_DECOMPRESSION_FAILURE"},
    {1040, 1040, "SSLV3_ALERT_HANDSHAKE_FAILURE"},
    {1041, 1041, "SSLV3_ALERT_NO_CERTIFICATE"},
    {1042, 1042, "SSLV3_ALERT_BAD_CERTIFICATE"},
    {1043, 1043, "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"},
    {1044, 1044, "SSLV3_ALERT_CERTIFICATE_REVOKED"},
    {1045, 1045, "SSLV3_ALERT_CERTIFICATE_EXPIRED"},
    {1046, 1046, "SSLV3_ALERT_CERTIFICATE_UNKNOWN"},
    {1047, 1047, "SSLV3_ALERT_ILLEGAL_PARAMETER"},
    {1048, 1048, "TLSV1_ALERT_UNKNOWN_CA"},
    {1049, 1049, "TLSV1_ALERT_ACCESS_DENIED"},
    {1050, 1050, "TLSV1_ALERT_DECODE_ERROR"},
    {1051, 1051, "TLSV1_ALERT_DECRYPT_ERROR"},
    {1060, 1060, "TLSV1_ALERT_EXPORT_RESTRICTION"},
    {1070, 1070, "TLSV1_ALERT_PROTOCOL_VERSION"},
    {1071, 1071, "TLSV1_ALERT_INSUFFICIENT_SECURITY"},
    {1080, 1080, "TLSV1_ALERT_INTERNAL_ERROR"},
    {1086, 1086, "TLSV1_ALERT_INAPPROPRIATE_FALLBACK"},
    {1090, 1090, "TLSV1_ALERT_USER_CANCELLED"},
    {1100, 1100, "TLSV1_ALERT_NO_RENEGOTIATION"},
    {1110, 1110, "TLSV1_ALERT_UNSUPPORTED_EXTENSION"},
    {1111, 1111, "TLSV1_ALERT_CERTIFICATE_UNOBTAINABLE"},
    {1112, 1112, "TLSV1_ALERT_UNRECOGNIZED_NAME"},
    {1113, 1113, "TLSV1_ALERT_BAD_CERTIFICATE_STATUS_RESPONSE"},
    {1114, 1114, "TLSV1_ALERT_BAD_CERTIFICATE_HASH_VALUE"},
    {1115, 1115, "TLSV1_ALERT_UNKNOWN_PSK_IDENTITY"},
    {1116, 1116, "TLSV1_ALERT_CERTIFICATE_REQUIRED"},
    {1120, 1120, "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"},
};

static void add(struct nu_strbuf *out, unsigned long lib, unsigned long reason,
                const char *lib_name, const char *name)
{
    nu_strbuf_addf(out, "|%lu:%s:OPENSSL_internal:%s", lib << BORING_LIB_SHIFT | reason, lib_name,
                   name);
}

static void add_ssl(struct nu_strbuf *out, unsigned long reason, const char *name)
{
    add(out, BORING_LIB_SSL, reason, "SSL routines", name);
}

static void add_reason(struct nu_strbuf *out, unsigned long code)
{
    int number = ERR_GET_REASON(code);
    for (size_t i = 0; i < NU_ARRAY_LEN(reasons); i++) {
        if (reasons[i].number == number) {
            add_ssl(out, reasons[i].boring, reasons[i].name);
            return;
        }
    }
    if (number >= ALERT_FIRST && number <= ALERT_LAST) {
        add_ssl(out, (unsigned long)number, "unknown error");
        return;
    }
    const char *text = ERR_reason_error_string(code);
    nu_strbuf_addf(out, "|%lu:SSL routines:%s", code, text ? text : "unknown");
}

static void add_foreign(struct nu_strbuf *out, unsigned long code)
{
    const char *lib = ERR_lib_error_string(code);
    const char *text = ERR_reason_error_string(code);
    nu_strbuf_addf(out, "|%lu:%s:%s", code, lib ? lib : "unknown", text ? text : "unknown");
}

/* Nothing of the server came before its alert: then BoringSSL says so. */
static bool is_answer_to_hello(const SSL *ssl)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);
    return !SSL_is_server(ssl) && (state == TLS_ST_CW_CLNT_HELLO || state == TLS_ST_CR_SRVR_HELLO);
}

void nu_tls_describe_errors(const SSL *ssl, struct nu_strbuf *out)
{
    unsigned long code;
    nu_strbuf_add_cstr(out, "TLS_error:");
    while ((code = ERR_get_error()) != 0) {
        if (ERR_GET_LIB(code) == ERR_LIB_SSL)
            add_reason(out, code);
        else
            add_foreign(out, code);
        if (ERR_GET_REASON(code) == ALERT_HANDSHAKE_FAILURE && is_answer_to_hello(ssl))
            add_ssl(out, HANDSHAKE_FAILURE_ON_CLIENT_HELLO, "HANDSHAKE_FAILURE_ON_CLIENT_HELLO");
    }
    nu_strbuf_add_cstr(out, ":TLS_error_end");
}

void nu_tls_describe_key_updates(struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, "TLS_error:");
    add_ssl(out, TOO_MANY_KEY_UPDATES, "TOO_MANY_KEY_UPDATES");
    nu_strbuf_add_cstr(out, ":TLS_error_end");
}

void nu_tls_describe_errno(int error, struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, "TLS_error:");
    add(out, BORING_LIB_SYS, (unsigned long)error, "system library", strerror(error));
    nu_strbuf_add_cstr(out, ":TLS_error_end");
}
