/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the access log types, and the default line. */
#include "format/format.h"

static const struct nu_str type_names[NU_LOG_TYPE_COUNT] = {
#define X(id, number, name) [NU_LOG_TYPE_##id] = NU_STR_INIT(name),
    NU_ACCESS_LOG_TYPES(X)
#undef X
};

struct nu_str nu_access_log_type_name(enum nu_access_log_type type)
{
    return type_names[type];
}

struct nu_str nu_format_default_text(void)
{
    return NU_STR("[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
                  "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
                  "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
                  "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" "
                  "\"%UPSTREAM_HOST%\"\n");
}
