/* SPDX-License-Identifier: Apache-2.0 */
/* Reading where connections come from. The words of the errors are Envoy's. */
#include "net/socket_from_proto.h"
#include "upstream/hosts/bind.h"

#include "config/values.h"

#include "envoy/config/core/v3/address.pb-c.h"

typedef Envoy__Config__Core__V3__BindConfig bind_proto;

struct reading {
    struct nu_factory *factory;
    const char *scope;
    const bind_proto *proto;
    struct nu_bind_config *config;
};

static void fail(const struct reading *reading, const char *field, const char *what)
{
    nu_config_error(reading->factory->ctx, reading->proto, field, "%s's upstream binding config %s",
                    reading->scope, what);
}

static void read_options(const struct reading *reading, struct nu_bind_source *source,
                         Envoy__Config__Core__V3__SocketOption *const *list, size_t count)
{
    struct nu_arena *arena = reading->factory->arena;
    struct nu_socket_option *options = nu_arena_calloc(arena, (count + 1) * sizeof(*options));
    for (size_t i = 0; i < count; i++)
        options[i] = nu_socket_option_from_proto(arena, list[i]);
    source->options = options;
    source->option_count = count;
}

/* The next source, with the options that all have; NULL after an error. */
static struct nu_bind_source *add_source(const struct reading *reading,
                                         const Envoy__Config__Core__V3__SocketAddress *proto)
{
    struct nu_bind_source *source = &reading->config->sources[reading->config->count];
    if (nu_address_parse_ip(nu_str_from(proto->address), (uint16_t)proto->port_value,
                            &source->address) != NU_OK) {
        nu_config_error(reading->factory->ctx, proto, "address", "malformed IP address: %s",
                        proto->address);
        return NULL;
    }
    read_options(reading, source, reading->proto->socket_options, reading->proto->n_socket_options);
    reading->config->count++;
    return source;
}

static void add_extra(const struct reading *reading)
{
    const bind_proto *proto = reading->proto;
    if (proto->n_additional_source_addresses) {
        add_source(reading, proto->additional_source_addresses[0]);
        return;
    }
    const Envoy__Config__Core__V3__ExtraSourceAddress *extra = proto->extra_source_addresses[0];
    struct nu_bind_source *source = add_source(reading, extra->address);
    if (source && extra->socket_options)
        read_options(reading, source, extra->socket_options->socket_options,
                     extra->socket_options->n_socket_options);
}

/* False after an error. */
static bool check(const struct reading *reading)
{
    const bind_proto *proto = reading->proto;
    size_t extra = proto->n_extra_source_addresses + proto->n_additional_source_addresses;
    if (proto->n_extra_source_addresses && proto->n_additional_source_addresses) {
        fail(reading, "extra_source_addresses",
             "has both `extra_source_addresses` and `additional_source_addresses`");
        return false;
    }
    if (extra && !proto->source_address) {
        fail(reading, NULL, "has extra/additional source addresses but no source_address");
        return false;
    }
    if (extra > 1) {
        fail(reading, NULL, "has more than one extra/additional source addresses");
        return false;
    }
    return true;
}

static void read_sources(const struct reading *reading)
{
    const bind_proto *proto = reading->proto;
    struct nu_bind_config *config = reading->config;
    if (!proto->source_address) {
        read_options(reading, &config->sources[0], proto->socket_options, proto->n_socket_options);
        config->count = 1;
        return;
    }
    if (!add_source(reading, proto->source_address))
        return;
    if (proto->n_extra_source_addresses + proto->n_additional_source_addresses)
        add_extra(reading);
    if (config->count == 2 &&
        config->sources[0].address.family == config->sources[1].address.family)
        fail(reading, NULL, "has two same IP version source addresses");
}

const struct nu_bind_config *nu_bind_from_proto(struct nu_factory *factory, const char *scope,
                                                const bind_proto *proto)
{
    if (!proto)
        return NULL;
    struct nu_bind_config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    const struct reading reading = {factory, scope, proto, config};
    size_t errors = factory->ctx->errors.count;
    config->freebind = nu_bool_or(proto->freebind, false);
    if (check(&reading))
        read_sources(&reading);
    return factory->ctx->errors.count == errors ? config : NULL;
}
