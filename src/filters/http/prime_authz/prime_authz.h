/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prime authorizer (nuncio.filters.http.prime_authz): a request passes when the number in its
 * token header is a prime, and is refused otherwise. README.md beside this file is its manual; the
 * arithmetic is in the prime module.
 */
#ifndef NU_FILTERS_HTTP_PRIME_AUTHZ_H
#define NU_FILTERS_HTTP_PRIME_AUTHZ_H

#include "filter/factory.h"

/* nuncio.filters.http.prime_authz */
extern const struct nu_filter_factory nu_prime_authz_factory;

#endif
