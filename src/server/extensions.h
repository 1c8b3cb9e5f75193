/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of everything that is built in: filters, loggers. */
#ifndef NU_SERVER_EXTENSIONS_H
#define NU_SERVER_EXTENSIONS_H

#include "config/factory.h"

extern const struct nu_extensions nu_built_in_extensions;

#endif
