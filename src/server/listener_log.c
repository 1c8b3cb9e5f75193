/* SPDX-License-Identifier: Apache-2.0 */
/* Brings access logs to listeners, which stand below them. */
#include "server/listener_log.h"

#include "access_log/access_log.h"

static const void *create(struct nu_factory *factory,
                          struct Envoy__Config__Accesslog__V3__AccessLog *const *protos,
                          size_t count)
{
    struct nu_access_log_factory access_log = nu_access_log_factory_of(factory);
    struct nu_access_log_list *list = nu_arena_calloc(factory->arena, sizeof(*list));
    return nu_access_log_list_from_protos(&access_log, protos, count, list) ? list : NULL;
}

static void write_line(const void *logs, const struct nu_stream_info *info,
                       const struct nu_runtime *runtime)
{
    struct nu_format_context context = {.info = info, .log_type = NU_LOG_TYPE_NOT_SET};
    nu_access_log_write(logs, &context, runtime);
}

const struct nu_listener_log_class nu_listener_log = {
    .create = create,
    .write = write_line,
};
