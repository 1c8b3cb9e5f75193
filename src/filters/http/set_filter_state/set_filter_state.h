/* SPDX-License-Identifier: Apache-2.0 */
/* set_filter_state: a filter that sets filter state when a request comes. */
#ifndef NU_FILTERS_HTTP_SET_FILTER_STATE_SET_FILTER_STATE_H
#define NU_FILTERS_HTTP_SET_FILTER_STATE_SET_FILTER_STATE_H

#include "filter/factory.h"

extern const struct nu_filter_factory nu_http_set_filter_state_factory;

#endif
