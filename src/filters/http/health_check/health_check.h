/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health check filter (envoy.filters.http.health_check): answers the health checks that others
 * make of this process, and tells them when it is to be left. README.md beside this file is its
 * manual.
 */
#ifndef NU_FILTERS_HTTP_HEALTH_CHECK_H
#define NU_FILTERS_HTTP_HEALTH_CHECK_H

#include "filter/factory.h"

/* envoy.filters.http.health_check */
extern const struct nu_filter_factory nu_health_check_factory;

#endif
