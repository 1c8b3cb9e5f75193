/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plug-in's library: found, checked, loaded, and given back. Main thread, while loading.
 *
 * Each use of a plug-in opens its library anew; the system keeps one copy and counts. It is let go
 * when the arena of the configuration that uses it is freed, after everything that was made of it.
 */
#ifndef NU_FILTERS_HTTP_PLUGIN_LIBRARY_H
#define NU_FILTERS_HTTP_PLUGIN_LIBRARY_H

#include "nuncio/plugin.h"

#include "config/factory.h"

struct Nuncio__Filters__Http__Plugin__V1__Plugin;

/* The filter that `proto` names, of the library that it names; NULL after adding an error. */
const struct nu_filter_class *
nu_plugin_find_class(struct nu_factory *factory,
                     const struct Nuncio__Filters__Http__Plugin__V1__Plugin *proto);

#endif
