/* SPDX-License-Identifier: Apache-2.0 */
/* dynamic_forward_proxy: a filter that has the host of a request looked up before it goes on. */
#ifndef NU_FILTERS_HTTP_DYNAMIC_FORWARD_PROXY_H
#define NU_FILTERS_HTTP_DYNAMIC_FORWARD_PROXY_H

#include "filter/factory.h"

extern const struct nu_filter_factory nu_dynamic_forward_proxy_factory;

#endif
