/* SPDX-License-Identifier: Apache-2.0 */
/* The time operators that plain text has values for. */
#include "base/clock.h"
#include "format/format_internal.h"
#include "format/time_format.h"
#include "http/stream_info.h"

static void give_time(const struct nu_format_part *part, const struct nu_format_context *context,
                      uint64_t realtime_us, struct nu_op_result *result)
{
    char *out = nu_op_room(context, result, nu_time_format_room(part->time));
    nu_op_give_text(result, nu_str_make(out, nu_time_format_write(part->time, realtime_us, out)));
}

void nu_op_start_time(const struct nu_format_part *part, const struct nu_format_context *context,
                      struct nu_op_result *result)
{
    give_time(part, context, context->info->start_realtime_us, result);
}

/* The moment of formatting. */
void nu_op_emit_time(const struct nu_format_part *part, const struct nu_format_context *context,
                     struct nu_op_result *result)
{
    give_time(part, context, nu_clock_realtime_us(), result);
}
