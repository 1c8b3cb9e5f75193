/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up filter factories by the type of their configuration. */
#include "filter/factory.h"

const struct nu_filter_factory *
nu_filter_factory_find(const struct nu_filter_factory *const *factories, struct nu_str type)
{
    for (; *factories; factories++) {
        if (nu_str_eq(nu_str_from((*factories)->type), type))
            return *factories;
    }
    return NULL;
}

const struct nu_filter_factory *
nu_filter_factory_find_route(const struct nu_filter_factory *const *factories, struct nu_str type)
{
    for (; *factories; factories++) {
        const char *route_type = (*factories)->route_type;
        if (route_type && nu_str_eq(nu_str_from(route_type), type))
            return *factories;
    }
    return NULL;
}
