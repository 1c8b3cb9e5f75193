/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of failures; the expected ones were printed by Envoy 1.36.4. */
#include "harness/test.h"

#include <errno.h>
#include <openssl/err.h>

#include "tls/failure.h"

/* Describes errors of OpenSSL's SSL library, for a client or a server that has read nothing. */
static void check(bool is_server, const int *reasons, const char *expected)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(ctx);
    struct nu_strbuf out = {0};
    if (is_server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_do_handshake(ssl); /* a client has said hello, and waits */
    ERR_clear_error();
    for (; *reasons; reasons++)
        ERR_raise(ERR_LIB_SSL, *reasons);
    nu_tls_describe_errors(ssl, &out);
    assert_string_equal(out.data, expected);
    assert_int_equal(ERR_peek_error(), 0);
    nu_strbuf_finish(&out);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

TEST(common_reasons_have_the_numbers_and_names_of_boringssl)
{
    check(true, (int[]){SSL_R_CERTIFICATE_VERIFY_FAILED, 0},
          "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED"
          ":TLS_error_end");
    check(true, (int[]){SSL_R_NO_SHARED_CIPHER, 0},
          "TLS_error:|268435640:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER:TLS_error_end");
    check(true, (int[]){SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, 0},
          "TLS_error:|268435648:SSL routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE"
          ":TLS_error_end");
    check(true, (int[]){SSL_R_HTTP_REQUEST, 0},
          "TLS_error:|268435612:SSL routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end");
    check(true, (int[]){SSL_R_VERSION_TOO_LOW, 0},
          "TLS_error:|268435696:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL:TLS_error_end");
}

TEST(an_alert_that_answers_the_hello_is_marked)
{
    check(false, (int[]){SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, 0},
          "TLS_error:|268436496:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE"
          "|268435610:SSL routines:OPENSSL_internal:HANDSHAKE_FAILURE_ON_CLIENT_HELLO"
          ":TLS_error_end");
    check(true, (int[]){SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, 0},
          "TLS_error:|268436496:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE"
          ":TLS_error_end");
}

TEST(alerts_without_a_name_keep_their_number)
{
    check(false, (int[]){SSL_AD_REASON_OFFSET + 109, 0},
          "TLS_error:|268436565:SSL routines:OPENSSL_internal:unknown error:TLS_error_end");
}

TEST(several_errors_stand_in_their_order)
{
    check(false, (int[]){SSL_R_BAD_PACKET_LENGTH, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, 0},
          "TLS_error:|268435568:SSL routines:OPENSSL_internal:BAD_PACKET_LENGTH"
          "|268435595:SSL routines:OPENSSL_internal:DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
          ":TLS_error_end");
}

TEST(other_reasons_keep_the_text_of_openssl)
{
    struct nu_strbuf expected = {0};
    nu_strbuf_addf(&expected, "TLS_error:|%lu:SSL routines:bad srtp mki value:TLS_error_end",
                   ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_SRTP_MKI_VALUE));
    check(false, (int[]){SSL_R_BAD_SRTP_MKI_VALUE, 0}, expected.data);
    nu_strbuf_finish(&expected);
}

TEST(a_broken_socket_is_an_error_of_the_system)
{
    struct nu_strbuf out = {0};
    nu_tls_describe_errno(ECONNRESET, &out);
    assert_string_equal(out.data, "TLS_error:|33554536:system library:OPENSSL_internal:"
                                  "Connection reset by peer:TLS_error_end");
    nu_strbuf_finish(&out);
}

TEST_MAIN()
