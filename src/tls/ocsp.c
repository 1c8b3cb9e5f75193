/* SPDX-License-Identifier: Apache-2.0 */
/* Reading OCSP responses. Their signatures are the client's to check; here they are only kept from
 * being sent for the wrong certificate, or too late. */
#include "tls/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <time.h>

static bool fail(struct nu_strbuf *error, const char *text)
{
    nu_strbuf_add_cstr(error, text);
    ERR_clear_error();
    return false;
}

static int64_t seconds_of(const ASN1_GENERALIZEDTIME *time, int64_t other)
{
    struct tm tm = {0};
    return time && ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : other;
}

static bool is_for(const OCSP_SINGLERESP *single, const X509 *certificate)
{
    ASN1_INTEGER *serial = NULL;
    OCSP_CERTID *id = nu_unconst(OCSP_SINGLERESP_get0_id(single));
    return OCSP_id_get0_info(NULL, NULL, NULL, &serial, id) == 1 &&
           ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) == 0;
}

static bool read_basic(OCSP_BASICRESP *basic, const X509 *certificate, struct nu_tls_staple *out,
                       struct nu_strbuf *error)
{
    ASN1_GENERALIZEDTIME *from;
    ASN1_GENERALIZEDTIME *until;
    if (OCSP_resp_count(basic) != 1)
        return fail(error, "OCSP Response must be for one certificate only");
    OCSP_SINGLERESP *single = OCSP_resp_get0(basic, 0);
    if (!is_for(single, certificate))
        return fail(error, "OCSP response does not match its TLS certificate");
    OCSP_single_get0_status(single, NULL, NULL, &from, &until);
    out->from_s = seconds_of(from, 0);
    out->until_s = seconds_of(until, INT64_MAX);
    return true;
}

static bool read_response(OCSP_RESPONSE *response, const X509 *certificate,
                          struct nu_tls_staple *out, struct nu_strbuf *error)
{
    if (!response)
        return fail(error, "OCSP response is malformed");
    if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return fail(error, "OCSP response was unsuccessful");
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    if (!basic)
        return fail(error, "OCSP response has no body that is understood");
    bool ok = read_basic(basic, certificate, out, error);
    OCSP_BASICRESP_free(basic);
    return ok;
}

bool nu_tls_staple_load(struct nu_str der, const X509 *certificate, struct nu_arena *arena,
                        struct nu_tls_staple *out, struct nu_strbuf *error)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
    bool ok = read_response(response, certificate, out, error);
    OCSP_RESPONSE_free(response);
    if (ok)
        out->der = nu_arena_dup(arena, der);
    return ok;
}

bool nu_tls_must_staple(const X509 *certificate)
{
    enum { STATUS_REQUEST = 5 };
    TLS_FEATURE *features = X509_get_ext_d2i(certificate, NID_tlsfeature, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
        found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == STATUS_REQUEST;
    sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
    ERR_clear_error();
    return found;
}

enum nu_tls_staple_action nu_tls_staple_decide(const struct nu_tls_staple *staple,
                                               enum nu_tls_staple_policy policy, int64_t now_s)
{
    bool is_there = staple->der.len > 0;
    if (is_there && staple->from_s <= now_s && now_s < staple->until_s)
        return NU_TLS_STAPLE_SEND;
    if (policy == NU_TLS_STAPLE_MUST || (policy == NU_TLS_STAPLE_STRICT && is_there))
        return NU_TLS_STAPLE_REFUSE;
    return NU_TLS_STAPLE_OMIT;
}
