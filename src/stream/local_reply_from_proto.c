/* SPDX-License-Identifier: Apache-2.0 */
/* Reading LocalReplyConfig. */
#include "config/config.h"
#include "config/factory.h"
#include "config/values.h"
#include "stream/local_reply_config.h"

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"

typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__ResponseMapper mapper_proto;
typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__LocalReplyConfig
    config_proto;

static const struct nu_log_filter *
read_filter(const struct nu_factory *factory,
            const Envoy__Config__Accesslog__V3__AccessLogFilter *proto)
{
    struct nu_access_log_factory access_log = {
        .ctx = factory->ctx,
        .arena = factory->arena,
        .runtime = factory->runtime,
        .writer = factory->log_writer,
        .classes = factory->extensions->access_loggers,
    };
    return nu_log_filter_from_proto(&access_log, proto);
}

static void read_body(const struct nu_factory *factory, struct nu_reply_mapper *mapper,
                      const Envoy__Config__Core__V3__DataSource *proto)
{
    struct nu_str body;
    if (!proto || !nu_config_data_source(factory->ctx, proto, &body))
        return;
    mapper->has_body = true;
    mapper->body = nu_arena_dup(factory->arena, body);
}

static void read_edits(const struct nu_factory *factory, struct nu_reply_mapper *mapper,
                       const mapper_proto *proto)
{
    struct nu_match_factory match = {
        .ctx = factory->ctx,
        .arena = factory->arena,
        .runtime = factory->runtime,
    };
    struct nu_header_edits_source source = {
        .owner = proto,
        .add_field = "headers_to_add",
        .adds = proto->headers_to_add,
        .add_count = proto->n_headers_to_add,
    };
    mapper->edits = nu_header_edits_from_source(&match, &source);
}

static void read_format(const struct nu_factory *factory, struct nu_format_string *format,
                        const Envoy__Config__Core__V3__SubstitutionFormatString *proto)
{
    if (proto && nu_format_string_from_proto(factory->ctx, proto, factory->arena, format))
        format->content_type = nu_arena_dup(factory->arena, format->content_type);
}

static void read_mapper(const struct nu_factory *factory, struct nu_reply_mapper *mapper,
                        const mapper_proto *proto)
{
    mapper->filter = read_filter(factory, proto->filter);
    mapper->status = nu_u32_or(proto->status_code, 0);
    read_body(factory, mapper, proto->body);
    read_edits(factory, mapper, proto);
    read_format(factory, &mapper->format, proto->body_format_override);
}

const struct nu_local_reply_config *
nu_local_reply_config_from_proto(const struct nu_factory *factory, const config_proto *proto)
{
    size_t errors = factory->ctx->errors.count;
    struct nu_local_reply_config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    struct nu_reply_mapper *mappers =
        nu_arena_calloc(factory->arena, (proto->n_mappers + 1) * sizeof(*mappers));
    for (size_t i = 0; i < proto->n_mappers; i++)
        read_mapper(factory, &mappers[i], proto->mappers[i]);
    read_format(factory, &config->format, proto->body_format);
    config->mappers = mappers;
    config->mapper_count = proto->n_mappers;
    return factory->ctx->errors.count == errors ? config : NULL;
}
