/* SPDX-License-Identifier: Apache-2.0 */
/* The table of reason phrases, as status lines have them. */
#include "http/status.h"

enum { FIRST = 100, LAST = 599 };

static const struct nu_str lines[LAST - FIRST + 1] = {
#define LINE(code, reason) [code - FIRST] = NU_STR_INIT(#code " " reason)
    LINE(100, "Continue"),
    LINE(101, "Switching Protocols"),
    LINE(200, "OK"),
    LINE(201, "Created"),
    LINE(202, "Accepted"),
    LINE(203, "Non-Authoritative Information"),
    LINE(204, "No Content"),
    LINE(205, "Reset Content"),
    LINE(206, "Partial Content"),
    LINE(207, "Multi-Status"),
    LINE(208, "Already Reported"),
    LINE(226, "IM Used"),
    LINE(300, "Multiple Choices"),
    LINE(301, "Moved Permanently"),
    LINE(302, "Found"),
    LINE(303, "See Other"),
    LINE(304, "Not Modified"),
    LINE(305, "Use Proxy"),
    LINE(307, "Temporary Redirect"),
    LINE(308, "Permanent Redirect"),
    LINE(400, "Bad Request"),
    LINE(401, "Unauthorized"),
    LINE(402, "Payment Required"),
    LINE(403, "Forbidden"),
    LINE(404, "Not Found"),
    LINE(405, "Method Not Allowed"),
    LINE(406, "Not Acceptable"),
    LINE(407, "Proxy Authentication Required"),
    LINE(408, "Request Timeout"),
    LINE(409, "Conflict"),
    LINE(410, "Gone"),
    LINE(411, "Length Required"),
    LINE(412, "Precondition Failed"),
    LINE(413, "Payload Too Large"),
    LINE(414, "URI Too Long"),
    LINE(415, "Unsupported Media Type"),
    LINE(416, "Range Not Satisfiable"),
    LINE(417, "Expectation Failed"),
    LINE(421, "Misdirected Request"),
    LINE(422, "Unprocessable Entity"),
    LINE(423, "Locked"),
    LINE(424, "Failed Dependency"),
    LINE(425, "Too Early"),
    LINE(426, "Upgrade Required"),
    LINE(428, "Precondition Required"),
    LINE(429, "Too Many Requests"),
    LINE(431, "Request Header Fields Too Large"),
    LINE(500, "Internal Server Error"),
    LINE(501, "Not Implemented"),
    LINE(502, "Bad Gateway"),
    LINE(503, "Service Unavailable"),
    LINE(504, "Gateway Timeout"),
    LINE(505, "HTTP Version Not Supported"),
    LINE(506, "Variant Also Negotiates"),
    LINE(507, "Insufficient Storage"),
    LINE(508, "Loop Detected"),
    LINE(510, "Not Extended"),
    LINE(511, "Network Authentication Required"),
    LINE(599, "Last Unassigned Server Error Code"),
#undef LINE
};

struct nu_str nu_status_line(uint32_t status)
{
    return status - FIRST <= LAST - FIRST ? lines[status - FIRST] : nu_str_make(NULL, 0);
}

struct nu_str nu_status_reason(uint32_t status)
{
    enum { BEFORE_REASON = sizeof("200 ") - 1 };
    struct nu_str line = nu_status_line(status);
    return line.ptr ? nu_str_skip(line, BEFORE_REASON) : NU_STR("Unknown");
}

void nu_status_format(uint32_t status, char out[3])
{
    out[0] = (char)('0' + status / 100 % 10);
    out[1] = (char)('0' + status / 10 % 10);
    out[2] = (char)('0' + status % 10);
}
