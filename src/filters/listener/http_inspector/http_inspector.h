/* SPDX-License-Identifier: Apache-2.0 */
/* The listener filter http_inspector; see its .c file. */
#ifndef NU_FILTERS_LISTENER_HTTP_INSPECTOR_H
#define NU_FILTERS_LISTENER_HTTP_INSPECTOR_H

#include "net/listener_filter.h"

extern const struct nu_listener_filter_factory nu_http_inspector_factory;

#endif
