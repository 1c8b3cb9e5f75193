/* SPDX-License-Identifier: Apache-2.0 */
/* Where a host is. */
#ifndef NU_HTTP_LOCALITY_H
#define NU_HTTP_LOCALITY_H

#include "base/str.h"

struct nu_locality {
    struct nu_str region;
    struct nu_str zone;
    struct nu_str sub_zone;
};

#endif
