/* SPDX-License-Identifier: Apache-2.0 */
/* The listener filter original_dst; see its .c file. */
#ifndef NU_FILTERS_LISTENER_ORIGINAL_DST_H
#define NU_FILTERS_LISTENER_ORIGINAL_DST_H

#include "net/listener_filter.h"

extern const struct nu_listener_filter_factory nu_original_dst_factory;

#endif
