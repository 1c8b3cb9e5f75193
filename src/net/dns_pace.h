/* SPDX-License-Identifier: Apache-2.0 */
/* When a name is asked for again: after an answer and after a failure, as Envoy paces it. */
#ifndef NU_NET_DNS_PACE_H
#define NU_NET_DNS_PACE_H

#include "net/dns.h"

struct nu_dns_pace_params {
    uint64_t refresh_ms;
    uint64_t jitter_ms;       /* up to so much later; 0: none */
    uint64_t failure_base_ms; /* after a failure; doubles, at random below; 0: refresh_ms */
    uint64_t failure_max_ms;
    uint64_t min_refresh_ms; /* of what an answer's age asks for; 0: none */
    bool respect_ttl;        /* refresh when the answer has become too old instead */
};

/* Of one name. */
struct nu_dns_pace {
    const struct nu_dns_pace_params *params; /* borrowed */
    uint64_t backoff_ms;                     /* bound of the next pause after a failure */
};

void nu_dns_pace_init(struct nu_dns_pace *pace, const struct nu_dns_pace_params *params);
/* The pause until the next question, in milliseconds. */
uint64_t nu_dns_pace_after_answer(struct nu_dns_pace *pace, const struct nu_dns_answer *answer);
uint64_t nu_dns_pace_after_failure(struct nu_dns_pace *pace);

#endif
