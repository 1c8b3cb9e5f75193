/* SPDX-License-Identifier: Apache-2.0 */
/* Access logs from their messages: the type of typed_config picks the logger. */
#include "access_log/access_log.h"
#include "access_log/filter.h"
#include "config/factory.h"
#include "envoy/config/accesslog/v3/accesslog.pb-c.h"
#include "google/protobuf/any.pb-c.h"

typedef struct Envoy__Config__Accesslog__V3__AccessLog log_proto;

struct nu_access_log_factory nu_access_log_factory_of(struct nu_factory *outer)
{
    return (struct nu_access_log_factory){
        .ctx = outer->ctx,
        .arena = outer->arena,
        .runtime = outer->runtime,
        .writer = outer->log_writer,
        .classes = outer->extensions->access_loggers,
        .outer = outer,
    };
}

static const struct nu_access_logger_class *find_class(const struct nu_access_log_factory *factory,
                                                       const ProtobufCMessage *config)
{
    for (size_t i = 0; config && factory->classes[i]; i++) {
        if (factory->classes[i]->config_type == config->descriptor)
            return factory->classes[i];
    }
    return NULL;
}

static const struct nu_access_logger *create_logger(const struct nu_access_log_factory *factory,
                                                    const log_proto *proto)
{
    const ProtobufCMessage *config = nu_config_any(factory->ctx, proto->typed_config);
    const struct nu_access_logger_class *logger_class = find_class(factory, config);
    if (logger_class)
        return logger_class->create(factory, config);
    nu_config_error(factory->ctx, proto, config ? "typed_config" : NULL,
                    "Didn't find a registered implementation for '%s' with type URL: '%s'",
                    proto->name, config ? config->descriptor->name : "");
    return NULL;
}

static bool fill(const struct nu_access_log_factory *factory, const log_proto *proto,
                 struct nu_access_log *out)
{
    if (proto->filter)
        out->filter = nu_log_filter_from_proto(factory, proto->filter);
    out->logger = create_logger(factory, proto);
    return out->logger && (out->filter || !proto->filter);
}

bool nu_access_log_list_from_protos(const struct nu_access_log_factory *factory,
                                    log_proto *const *protos, size_t count,
                                    struct nu_access_log_list *out)
{
    *out = (struct nu_access_log_list){.count = count};
    out->items = nu_arena_calloc(factory->arena, count * sizeof(*out->items));
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        bool filled = fill(factory, protos[i], &out->items[i]);
        if (filled)
            out->needs |= out->items[i].logger->needs;
        ok &= filled;
    }
    return ok;
}
