/* SPDX-License-Identifier: Apache-2.0 */
/* What all load balancers share. */
#include "upstream/lb.h"

static int32_t find_by_address(const struct nu_host_set *hosts, struct nu_str address)
{
    for (uint32_t i = 0; i < hosts->count; i++) {
        if (nu_str_eq(nu_host_address_text(hosts->hosts[i]), address))
            return (int32_t)i;
    }
    return NU_LB_NONE;
}

/* The last one chosen stands where none is accepted. */
static int32_t choose_until_accepted(struct nu_lb *lb, const struct nu_lb_context *context,
                                     int32_t index)
{
    for (uint32_t i = 0; i < context->max_attempts; i++) {
        if (index == NU_LB_NONE || context->accepts(context, lb->hosts->hosts[index]))
            break;
        lb->attempt = i + 1;
        index = lb->cls->choose(lb, context);
    }
    lb->attempt = 0;
    return index;
}

int32_t nu_lb_choose(struct nu_lb *lb, const struct nu_lb_context *context)
{
    if (nu_unlikely(context->override_host.len)) {
        int32_t index = find_by_address(lb->hosts, context->override_host);
        if (index != NU_LB_NONE)
            return index;
    }
    int32_t index = lb->cls->choose(lb, context);
    if (nu_unlikely(context->accepts != NULL))
        index = choose_until_accepted(lb, context, index);
    return index;
}
