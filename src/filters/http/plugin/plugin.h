/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters from shared libraries (nuncio.filters.http.plugin). The plug-in's filters stand in the
 * chain like built-in ones: nothing of this module runs once the configuration is made. README.md
 * beside this file is its manual.
 */
#ifndef NU_FILTERS_HTTP_PLUGIN_H
#define NU_FILTERS_HTTP_PLUGIN_H

#include "filter/factory.h"

/* nuncio.filters.http.plugin */
extern const struct nu_filter_factory nu_plugin_factory;

#endif
