/* SPDX-License-Identifier: Apache-2.0 */
#include "http/status.h"

struct nu_str nu_status_reason(uint32_t status)
{
    switch (status) {
    case 100:
        return NU_STR("Continue");
    case 200:
        return NU_STR("OK");
    case 400:
        return NU_STR("Bad Request");
    case 403:
        return NU_STR("Forbidden");
    case 404:
        return NU_STR("Not Found");
    case 503:
        return NU_STR("Service Unavailable");
    default:
        return NU_STR("Unknown");
    }
}
