/* SPDX-License-Identifier: Apache-2.0 */
/* The listener filter proxy_protocol; see its .c file. */
#ifndef NU_FILTERS_LISTENER_PROXY_PROTOCOL_H
#define NU_FILTERS_LISTENER_PROXY_PROTOCOL_H

#include "net/listener_filter.h"

extern const struct nu_listener_filter_factory nu_proxy_protocol_factory;

#endif
