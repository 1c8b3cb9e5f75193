/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs as Envoy reads them: request targets of HTTP/1, `referer` values, redirect locations. Envoy
 * checks a request line twice, loosely and then strictly, and names the failures differently; so
 * does nu_request_target_parse. Everything returned is a view of the input or a constant.
 */
#ifndef NU_HTTP_URL_H
#define NU_HTTP_URL_H

#include "base/str.h"

struct nu_url {
    struct nu_str scheme;    /* as written; empty without one */
    struct nu_str userinfo;  /* ptr is NULL without one */
    struct nu_str authority; /* host and port, IPv6 with its brackets */
    struct nu_str host;      /* IPv6 without its brackets */
    struct nu_str path;      /* path, query and fragment, from the first character behind the
                                authority; "/" when there is nothing */
    uint32_t port;           /* 0 without one */
    bool has_port;
    bool has_fragment;
};

/* Reads "scheme://authority..."; false if it is not of that form. */
NU_MUST_USE bool nu_url_parse(struct nu_str text, struct nu_url *out);
/* Reads the "host:port" of a CONNECT. */
NU_MUST_USE bool nu_url_parse_connect(struct nu_str text, struct nu_url *out);

/* What became of a request target, and the response_code_details of the failures. */
enum nu_target_result {
    NU_TARGET_ORIGIN,             /* a path; only url->path is set */
    NU_TARGET_ABSOLUTE,           /* scheme, authority and path; the scheme is http or https */
    NU_TARGET_CONNECT,            /* authority only */
    NU_TARGET_INVALID_CHARACTERS, /* a control character: http1.invalid_characters */
    NU_TARGET_MALFORMED,          /* http1.codec_error */
    NU_TARGET_INVALID_URL,        /* http1.invalid_url */
    NU_TARGET_INVALID_SCHEME,     /* http1.invalid_scheme */
};

/* Judges the target of an HTTP/1 request line. Without `allow_absolute` everything well-formed but
 * a CONNECT is taken as a path. */
enum nu_target_result nu_request_target_parse(struct nu_str method, struct nu_str target,
                                              bool allow_absolute, struct nu_url *out);

/* "http" or "https", in any case: what `:scheme` may be. */
bool nu_scheme_is_valid(struct nu_str scheme);
/* Whether a `referer` value may be passed on: a URL without fragment and userinfo, or a relative
 * reference of plain characters. */
bool nu_referer_is_valid(struct nu_str value);

#endif
