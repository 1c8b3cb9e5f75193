/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the dates, numbers and names of certificates. */
#include "tls/describe.h"

#include <openssl/bn.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "base/address.h"

enum { DAY_S = 24 * 3600 };

/* Seconds since 1970; 0 for a time that cannot be read. */
static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int64_t nu_tls_expiration_of(const X509 *certificate)
{
    return seconds_of(X509_get0_notAfter(certificate));
}

static uint64_t days_left(const X509 *certificate, uint64_t now_s)
{
    int64_t left = seconds_of(X509_get0_notAfter(certificate)) - (int64_t)now_s;
    return left > 0 ? (uint64_t)left / DAY_S : 0;
}

static void print_text(struct nu_json *json, struct nu_str key, struct nu_str value)
{
    nu_json_key(json, key);
    nu_json_string(json, value);
}

static void print_time(struct nu_json *json, struct nu_str key, const ASN1_TIME *time)
{
    struct tm tm = {0};
    char text[32];
    if (ASN1_TIME_to_tm(time, &tm) == 1)
        print_text(json, key,
                   nu_str_make(text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm)));
}

static void print_serial(struct nu_json *json, const X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    for (char *c = hex; c && *c; c++)
        *c = nu_ascii_lower(*c);
    print_text(json, NU_STR("serial_number"), nu_str_from(hex));
    OPENSSL_free(hex);
    BN_free(number);
}

static void print_days(struct nu_json *json, uint64_t days)
{
    char text[20];
    print_text(json, NU_STR("days_until_expiration"),
               nu_str_make(text, nu_u64_to_chars(days, text)));
}

/* --- Names ------------------------------------------------------------------------------------ */

static struct nu_str text_of(const ASN1_STRING *string)
{
    return nu_str_make((const char *)ASN1_STRING_get0_data(string),
                       (size_t)ASN1_STRING_length(string));
}

static void print_name(struct nu_json *json, struct nu_str key, struct nu_str value)
{
    nu_json_object_begin(json);
    print_text(json, key, value);
    nu_json_object_end(json);
}

static void print_ip(struct nu_json *json, const ASN1_STRING *bytes)
{
    struct nu_address address = {0};
    struct nu_str ip = text_of(bytes);
    char text[NU_ADDRESS_TEXT_MAX];
    if (ip.len != 4 && ip.len != 16)
        return;
    address.family = ip.len == 4 ? NU_ADDRESS_IPV4 : NU_ADDRESS_IPV6;
    memcpy(address.ip, ip.ptr, ip.len);
    print_name(json, NU_STR("ip_address"), nu_str_make(text, nu_address_format_ip(&address, text)));
}

static void print_names_of_kind(struct nu_json *json, const GENERAL_NAMES *names, int kind)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != kind)
            continue;
        if (kind == GEN_IPADD)
            print_ip(json, name->d.iPAddress);
        else
            print_name(json, kind == GEN_DNS ? NU_STR("dns") : NU_STR("uri"), text_of(name->d.ia5));
    }
}

static void print_names(struct nu_json *json, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    nu_json_key(json, NU_STR("subject_alt_names"));
    nu_json_array_begin(json);
    print_names_of_kind(json, names, GEN_DNS);
    print_names_of_kind(json, names, GEN_URI);
    print_names_of_kind(json, names, GEN_IPADD);
    nu_json_array_end(json);
    GENERAL_NAMES_free(names);
}

/* --- Contexts --------------------------------------------------------------------------------- */

static void print_second(struct nu_json *json, struct nu_str key, int64_t seconds)
{
    struct tm tm;
    char text[32];
    time_t time = (time_t)seconds;
    gmtime_r(&time, &tm);
    print_text(json, key,
               nu_str_make(text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm)));
}

static void print_staple(struct nu_json *json, const struct nu_tls_staple *staple)
{
    if (!staple || !staple->der.len)
        return;
    nu_json_key(json, NU_STR("ocsp_details"));
    nu_json_object_begin(json);
    print_second(json, NU_STR("valid_from"), staple->from_s);
    if (staple->until_s != INT64_MAX)
        print_second(json, NU_STR("expiration"), staple->until_s);
    nu_json_object_end(json);
}

static void print_certificate(struct nu_json *json, const X509 *certificate, struct nu_str source,
                              const struct nu_tls_staple *staple, uint64_t now_s)
{
    nu_json_object_begin(json);
    print_text(json, NU_STR("path"), source);
    print_serial(json, certificate);
    print_names(json, certificate);
    print_days(json, days_left(certificate, now_s));
    print_time(json, NU_STR("valid_from"), X509_get0_notBefore(certificate));
    print_time(json, NU_STR("expiration_time"), X509_get0_notAfter(certificate));
    print_staple(json, staple);
    nu_json_object_end(json);
}

/* The first of what is trusted, or NULL. */
static const X509 *trusted_ca(const struct nu_tls_settings *settings)
{
    const struct nu_tls_validator *validator = &settings->validator;
    return validator->ca_list ? sk_X509_value(validator->ca_list, 0) : NULL;
}

void nu_tls_describe_context(const struct nu_tls_context *context, uint64_t now_s,
                             struct nu_json *json)
{
    const struct nu_tls_settings *settings = nu_tls_context_settings(context);
    if (!settings)
        return;
    const X509 *ca = trusted_ca(settings);
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("ca_cert"));
    nu_json_array_begin(json);
    if (ca)
        print_certificate(json, ca, settings->validator.ca_source, NULL, now_s);
    nu_json_array_end(json);
    nu_json_key(json, NU_STR("cert_chain"));
    nu_json_array_begin(json);
    for (size_t i = 0; i < settings->certificate_count; i++)
        print_certificate(json, settings->certificates[i].leaf, settings->certificates[i].source,
                          &settings->certificates[i].staple, now_s);
    nu_json_array_end(json);
    nu_json_object_end(json);
}

static uint64_t days_of_context(const struct nu_tls_settings *settings, uint64_t now_s)
{
    uint64_t least = UINT32_MAX;
    const X509 *ca = settings ? trusted_ca(settings) : NULL;
    if (ca)
        least = nu_min_size(least, days_left(ca, now_s));
    for (size_t i = 0; settings && i < settings->certificate_count; i++)
        least = nu_min_size(least, days_left(settings->certificates[i].leaf, now_s));
    return least;
}

uint32_t nu_tls_days_until_expiry(const struct nu_list *list, uint64_t now_s)
{
    uint64_t least = UINT32_MAX;
    const struct nu_tls_context *context = NULL;
    while ((context = nu_tls_context_next(list, context)))
        least = nu_min_size(least, days_of_context(nu_tls_context_settings(context), now_s));
    return (uint32_t)least;
}

uint64_t nu_tls_seconds_until_staple_expiry(const struct nu_list *list, uint64_t now_s)
{
    int64_t first = INT64_MAX;
    const struct nu_tls_context *context = NULL;
    while ((context = nu_tls_context_next(list, context))) {
        const struct nu_tls_settings *settings = nu_tls_context_settings(context);
        for (size_t i = 0; settings && i < settings->certificate_count; i++) {
            const struct nu_tls_staple *staple = &settings->certificates[i].staple;
            if (staple->der.len && staple->until_s < first)
                first = staple->until_s;
        }
    }
    return first == INT64_MAX || first <= (int64_t)now_s ? 0 : (uint64_t)first - now_s;
}
