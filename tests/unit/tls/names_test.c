/* SPDX-License-Identifier: Apache-2.0 */
/* What operators and logs call ciphers, groups and versions: the names that BoringSSL has. */
#include "tls/names.h"

#include <openssl/ssl.h>

#include "harness/test.h"

static struct nu_strbuf out;

static bool cipher(const char *name)
{
    nu_strbuf_clear(&out);
    return nu_tls_cipher_translate(nu_str_from(name), &out);
}

TEST(ciphers_have_two_names)
{
    assert_true(cipher("ECDHE-RSA-AES128-GCM-SHA256"));
    assert_str(nu_strbuf_str(&out), "ECDHE-RSA-AES128-GCM-SHA256");
    assert_true(cipher("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"));
    assert_str(nu_strbuf_str(&out), "ECDHE-RSA-CHACHA20-POLY1305");
    assert_false(cipher("ecdhe-rsa-aes128-gcm-sha256"));
    assert_false(cipher(""));
    nu_strbuf_finish(&out);
}

TEST(suites_of_tls_13_are_told_apart)
{
    assert_true(nu_tls_is_tls13_suite(NU_STR("TLS_CHACHA20_POLY1305_SHA256")));
    assert_false(nu_tls_is_tls13_suite(NU_STR("TLS_RSA_WITH_AES_128_CBC_SHA")));
    assert_false(cipher("TLS_AES_128_GCM_SHA256"));
    nu_strbuf_finish(&out);
}

TEST(curves_and_signature_algorithms)
{
    assert_true(nu_tls_curve_translate(NU_STR("P-256"), &out));
    assert_str(nu_strbuf_str(&out), "P-256");
    assert_false(nu_tls_curve_translate(NU_STR("P-999"), &out));
    nu_strbuf_clear(&out);
    assert_true(nu_tls_sigalg_translate(NU_STR("ecdsa_secp256r1_sha256"), &out));
    assert_str(nu_strbuf_str(&out), "ECDSA+SHA256");
    assert_false(nu_tls_sigalg_translate(NU_STR("md5"), &out));
    nu_strbuf_finish(&out);
}

TEST(a_signature_is_named_by_key_and_digest)
{
    assert_str(nu_tls_sigalg_name(EVP_PKEY_EC, NID_sha384), "ecdsa_secp384r1_sha384");
    assert_str(nu_tls_sigalg_name(EVP_PKEY_RSA_PSS, NID_sha256), "rsa_pss_rsae_sha256");
    assert_str(nu_tls_sigalg_name(EVP_PKEY_RSA, NID_sha256), "rsa_pkcs1_sha256");
    assert_str(nu_tls_sigalg_name(EVP_PKEY_ED25519, NID_undef), "ed25519");
    assert_str(nu_tls_sigalg_name(EVP_PKEY_DSA, NID_sha256), "");
}

TEST(openssl_takes_every_name_of_the_tables)
{
    static const char *const names[] = {
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",       "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    };
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++) {
        assert_true(cipher(names[i]));
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, out.data), 1);
    }
    SSL_CTX_free(ctx);
    nu_strbuf_finish(&out);
}

TEST_MAIN()
