/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreign functions verify_signature and sign, for keys of RSA (PKCS #1 1.5) and of elliptic
 * curves. Texts of failures are Envoy's: they are part of what a guest is answered.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/alloc.h"
#include "wasm/foreign.h"

/* A signature by a larger key takes too long for a worker; one whose exponents are far longer than
 * its modulus takes minutes, and no key of that size needs as many bytes, in either form. Nor may a
 * smaller one have such exponents (is_in_proportion). */
enum { KEY_BITS_MAX = 8192, KEY_BYTES_MAX = 8192 };

/* OpenSSL verifies with no longer public exponent where a modulus is large, and Envoy's library
 * knows none. Numbers whose product is a modulus have together at most a bit each more than that. */
enum { PUBLIC_BITS_MAX = 64, FACTORS_MAX = 16 };

/* What both functions ask for: one of two forms of a key, which is not there twice. */
static bool has_one(struct nu_str der, struct nu_str pem)
{
    return (der.len != 0) != (pem.len != 0);
}

/* The hash of this name; where there is none, `error` says so. */
static const EVP_MD *hash_by_name(struct nu_str name, struct nu_strbuf *error)
{
    static const struct {
        struct nu_str name;
        const EVP_MD *(*hash)(void);
    } hashes[] = {
        {NU_STR_INIT("sha1"), EVP_sha1},     {NU_STR_INIT("sha224"), EVP_sha224},
        {NU_STR_INIT("sha256"), EVP_sha256}, {NU_STR_INIT("sha384"), EVP_sha384},
        {NU_STR_INIT("sha512"), EVP_sha512},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(hashes); i++) {
        if (nu_str_eq_nocase(hashes[i].name, name))
            return hashes[i].hash();
    }
    nu_strbuf_add(error, name);
    nu_strbuf_add_cstr(error, " is not supported.");
    return NULL;
}

/* --- Keys ------------------------------------------------------------------------------------- */

/* A key under a password is none: nobody is asked for it. */
static int no_password(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *read_pem(struct nu_str pem, bool is_private)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)
                               : PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return key;
}

static EVP_PKEY *read_der(struct nu_str der, bool is_private)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    if (!is_private)
        return d2i_PUBKEY(NULL, &at, (long)der.len);
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    EVP_PKEY *key = info ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return key;
}

/* How long the numbers of an RSA key are, in bits. */
struct lengths {
    int modulus;
    int public_exponent;
    int factors;   /* together */
    int exponents; /* likewise */
    int longest;   /* of all */
};

static void add_length(struct lengths *lengths, const char *name, int bits)
{
    if (strcmp(name, OSSL_PKEY_PARAM_RSA_E) == 0)
        lengths->public_exponent = bits;
    else if (strncmp(name, OSSL_PKEY_PARAM_RSA_FACTOR, strlen(OSSL_PKEY_PARAM_RSA_FACTOR)) == 0)
        lengths->factors += bits;
    else if (strncmp(name, OSSL_PKEY_PARAM_RSA_EXPONENT, strlen(OSSL_PKEY_PARAM_RSA_EXPONENT)) == 0)
        lengths->exponents += bits;
    if (bits > lengths->longest)
        lengths->longest = bits;
}

static bool read_lengths(const EVP_PKEY *key, struct lengths *lengths)
{
    OSSL_PARAM *all = NULL;
    bool ok = EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &all) == 1;
    for (OSSL_PARAM *one = all; one && one->key; one++) {
        BIGNUM *number = NULL;
        if (one->data_type == OSSL_PARAM_UNSIGNED_INTEGER) {
            ok = ok && OSSL_PARAM_get_BN(one, &number) == 1;
            add_length(lengths, one->key, number ? BN_num_bits(number) : 0);
        }
        BN_clear_free(number);
        OPENSSL_cleanse(one->data, one->data_size);
    }
    OSSL_PARAM_free(all);
    return ok;
}

/* Whether the numbers of a private RSA key are as long as those of a key that was made as one:
 * signing takes the time that they ask for. */
static bool is_in_proportion(const EVP_PKEY *key)
{
    struct lengths lengths = {.modulus = EVP_PKEY_get_bits(key)};
    return read_lengths(key, &lengths) && lengths.longest <= lengths.modulus &&
           lengths.public_exponent <= PUBLIC_BITS_MAX &&
           lengths.factors <= lengths.modulus + FACTORS_MAX &&
           lengths.exponents <= lengths.modulus + FACTORS_MAX;
}

static bool is_used(const EVP_PKEY *key, bool is_private)
{
    int type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
    if ((type != EVP_PKEY_RSA && type != EVP_PKEY_EC) || EVP_PKEY_get_bits(key) > KEY_BITS_MAX)
        return false;
    return type == EVP_PKEY_EC || !is_private || is_in_proportion(key);
}

/* NULL for what is no key, or none that is used here. The caller frees it. */
static EVP_PKEY *read_key(struct nu_str der, struct nu_str pem, bool is_private)
{
    if (pem.len + der.len > KEY_BYTES_MAX)
        return NULL;
    EVP_PKEY *key = pem.len ? read_pem(pem, is_private) : read_der(der, is_private);
    if (is_used(key, is_private))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* --- Verifying -------------------------------------------------------------------------------- */

static const char *verify(const EVP_MD *hash, EVP_PKEY *key, struct nu_str signature,
                          struct nu_str text)
{
    const char *error = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!key || EVP_DigestVerifyInit(ctx, NULL, hash, NULL, key) != 1)
        error = "Failed to initialize digest verify.";
    else if (EVP_DigestVerify(ctx, (const unsigned char *)signature.ptr, signature.len,
                              (const unsigned char *)text.ptr, text.len) != 1)
        error = "Failed to verify digest. Error code: 0";
    EVP_MD_CTX_free(ctx);
    return error;
}

enum nu_wasm_status nu_wasm_foreign_verify_signature(struct nu_wasm_vm *vm, struct nu_str arguments,
                                                     struct nu_strbuf *result)
{
    enum { HASH, DER, SIGNATURE, TEXT, PEM, COUNT };
    struct nu_wasm_member in[COUNT] = {
        [HASH] = {.number = 1, .kind = NU_WASM_MEMBER_STRING},
        [DER] = {.number = 2},
        [SIGNATURE] = {.number = 3},
        [TEXT] = {.number = 4},
        [PEM] = {.number = 5},
    };
    struct nu_wasm_member out[] = {{.number = 1, .kind = NU_WASM_MEMBER_NUMBER},
                                   {.number = 2, .kind = NU_WASM_MEMBER_STRING}};
    struct nu_strbuf error = {0};
    (void)vm;
    if (!nu_wasm_message_read(arguments, in, COUNT) || !has_one(in[DER].bytes, in[PEM].bytes))
        return NU_WASM_BAD_ARGUMENT;
    const EVP_MD *hash = hash_by_name(in[HASH].bytes, &error);
    if (hash) {
        EVP_PKEY *key = read_key(in[DER].bytes, in[PEM].bytes, false);
        const char *text = verify(hash, key, in[SIGNATURE].bytes, in[TEXT].bytes);
        EVP_PKEY_free(key);
        nu_strbuf_add_cstr(&error, text ? text : "");
    }
    ERR_clear_error();
    out[0].value = error.len == 0;
    out[1].bytes = nu_strbuf_str(&error);
    nu_wasm_message_write(out, NU_ARRAY_LEN(out), result);
    nu_strbuf_finish(&error);
    return NU_WASM_OK;
}

/* --- Signing ---------------------------------------------------------------------------------- */

static const char *sign(const EVP_MD *hash, EVP_PKEY *key, struct nu_str text,
                        struct nu_strbuf *signature)
{
    const char *error = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    size_t size = 0;
    if (!key || EVP_DigestSignInit(ctx, NULL, hash, NULL, key) != 1)
        error = "Failed to initialize digest sign.";
    else if (EVP_DigestSign(ctx, NULL, &size, bytes, text.len) != 1 ||
             EVP_DigestSign(ctx, (unsigned char *)nu_strbuf_reserve(signature, size), &size, bytes,
                            text.len) != 1)
        error = "Failed to sign digest.";
    else
        nu_strbuf_commit(signature, size);
    EVP_MD_CTX_free(ctx);
    return error;
}

enum nu_wasm_status nu_wasm_foreign_sign(struct nu_wasm_vm *vm, struct nu_str arguments,
                                         struct nu_strbuf *result)
{
    enum { HASH, TEXT, DER, PEM, COUNT };
    struct nu_wasm_member in[COUNT] = {
        [HASH] = {.number = 1, .kind = NU_WASM_MEMBER_STRING},
        [TEXT] = {.number = 2},
        [DER] = {.number = 3},
        [PEM] = {.number = 4},
    };
    struct nu_wasm_member out[] = {{.number = 1, .kind = NU_WASM_MEMBER_NUMBER},
                                   {.number = 2},
                                   {.number = 3, .kind = NU_WASM_MEMBER_STRING}};
    struct nu_strbuf error = {0};
    struct nu_strbuf signature = {0};
    (void)vm;
    if (!nu_wasm_message_read(arguments, in, COUNT) || !has_one(in[DER].bytes, in[PEM].bytes))
        return NU_WASM_BAD_ARGUMENT;
    const EVP_MD *hash = hash_by_name(in[HASH].bytes, &error);
    if (hash) {
        EVP_PKEY *key = read_key(in[DER].bytes, in[PEM].bytes, true);
        const char *text = sign(hash, key, in[TEXT].bytes, &signature);
        EVP_PKEY_free(key);
        nu_strbuf_add_cstr(&error, text ? text : "");
    }
    ERR_clear_error();
    out[0].value = error.len == 0;
    out[1].bytes = nu_strbuf_str(&signature);
    out[2].bytes = nu_strbuf_str(&error);
    nu_wasm_message_write(out, NU_ARRAY_LEN(out), result);
    nu_strbuf_finish(&error);
    nu_strbuf_finish(&signature);
    return NU_WASM_OK;
}
