/* SPDX-License-Identifier: Apache-2.0 */
/* The pace of questions. */
#include "net/dns_pace.h"

#include "base/random.h"

void nu_dns_pace_init(struct nu_dns_pace *pace, const struct nu_dns_pace_params *params)
{
    pace->params = params;
    pace->backoff_ms = params->failure_base_ms;
}

static uint64_t least_ttl_ms(const struct nu_dns_answer *answer)
{
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->addresses[i].ttl_s < least)
            least = answer->addresses[i].ttl_s;
    }
    return answer->count ? (uint64_t)least * 1000 : 0;
}

uint64_t nu_dns_pace_after_answer(struct nu_dns_pace *pace, const struct nu_dns_answer *answer)
{
    const struct nu_dns_pace_params *params = pace->params;
    uint64_t pause_ms = params->refresh_ms;
    uint64_t ttl_ms = least_ttl_ms(answer);
    if (params->respect_ttl && ttl_ms)
        pause_ms = ttl_ms > params->min_refresh_ms ? ttl_ms : params->min_refresh_ms;
    if (params->jitter_ms)
        pause_ms += nu_random_below(params->jitter_ms);
    pace->backoff_ms = params->failure_base_ms;
    return pause_ms;
}

uint64_t nu_dns_pace_after_failure(struct nu_dns_pace *pace)
{
    const struct nu_dns_pace_params *params = pace->params;
    if (!params->failure_base_ms)
        return params->refresh_ms;
    uint64_t bound_ms = pace->backoff_ms;
    pace->backoff_ms =
        bound_ms < params->failure_max_ms / 2 ? bound_ms * 2 : params->failure_max_ms;
    return nu_random_below(bound_ms) + 1;
}
