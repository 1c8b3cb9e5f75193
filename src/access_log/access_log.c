/* SPDX-License-Identifier: Apache-2.0 */
/* Handing a stream to the loggers of a list. */
#include "access_log/access_log.h"

#include "access_log/filter.h"

void nu_access_log_write(const struct nu_access_log_list *list,
                         const struct nu_format_context *context, const struct nu_runtime *runtime)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct nu_access_log *log = &list->items[i];
        if (!log->filter || nu_log_filter_accepts(log->filter, context, runtime))
            log->logger->logger_class->log(log->logger, context);
    }
}
