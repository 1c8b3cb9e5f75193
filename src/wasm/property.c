/* SPDX-License-Identifier: Apache-2.0 */
/* Where properties come from. */
#include "wasm/property.h"

#include "format/format.h"
#include "http/filter_state.h"
#include "upstream/cluster.h"
#include "wasm/http_stream.h"
#include "wasm/plugin.h"

/* --- The source of attributes ----------------------------------------------------------------- */

/* The route's cluster, which is known before the router has found it. */
static bool find_cluster(const struct nu_attribute_source *source, struct nu_attribute_cluster *out)
{
    struct nu_filter *filter = source->owner;
    const struct nu_upstream_info *seen = &source->info->upstream;
    const struct nu_cluster_table *table = filter->chain->loop->clusters;
    struct nu_str name = nu_filter_cluster_name(filter);
    const struct nu_cluster_local *local =
        table && name.len ? nu_cluster_table_find(table, name) : NULL;
    if (local)
        *out = (struct nu_attribute_cluster){.name = local->cluster->name,
                                             .metadata = local->cluster->metadata,
                                             .host_count = local->hosts->count};
    else
        *out = (struct nu_attribute_cluster){.name = seen->cluster,
                                             .metadata = seen->cluster_metadata};
    return out->name.len != 0;
}

struct nu_attribute_source nu_wasm_attribute_source(struct nu_wasm_vm *vm, struct nu_arena *arena)
{
    const struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    const struct nu_wasm_plugin *plugin = vm->effective->plugin;
    struct nu_attribute_source source = {
        .arena = arena,
        .info = nu_wasm_vm_info(vm),
        .node = plugin ? plugin->node : NULL,
    };
    const struct nu_format_context *logged = vm->effective->logged;
    if (logged) {
        source.info = logged->info;
        source.request_headers = logged->request_headers;
        source.response_headers = logged->response_headers;
        source.response_trailers = logged->response_trailers;
    } else if (stream) {
        source.request_headers = nu_filter_request_headers(stream->filter);
        source.response_headers = nu_filter_response_headers(stream->filter);
        source.response_trailers = nu_filter_response_trailers(stream->filter);
        source.find_cluster = find_cluster;
        source.owner = stream->filter;
    }
    return source;
}

/* --- What else there is ----------------------------------------------------------------------- */

/* Names that earlier Envoys had, which stand for attributes of xds. */
static struct nu_attribute find_former(const struct nu_attribute_source *source, struct nu_str name)
{
    static const struct nu_str names[] = {
        NU_STR_INIT("node"),           NU_STR_INIT("listener_direction"),
        NU_STR_INIT("cluster_name"),   NU_STR_INIT("listener_metadata"),
        NU_STR_INIT("route_name"),     NU_STR_INIT("cluster_metadata"),
        NU_STR_INIT("route_metadata"), NU_STR_INIT("upstream_host_metadata"),
    };
    size_t i = 0;
    while (i < NU_ARRAY_LEN(names) && !nu_str_eq(names[i], name))
        i++;
    if (i == NU_ARRAY_LEN(names))
        return nu_attribute_none();
    struct nu_attribute xds = nu_attribute_root(source, NU_STR("xds"));
    return nu_attribute_member(source, &xds, name);
}

static struct nu_attribute find_plugin(const struct nu_wasm_vm *vm,
                                       const struct nu_attribute_source *source, struct nu_str name)
{
    const struct nu_wasm_plugin *plugin = vm->effective->plugin;
    if (plugin && nu_str_eq(name, NU_STR("plugin_name")))
        return nu_attribute_string(plugin->name);
    if (plugin && nu_str_eq(name, NU_STR("plugin_root_id")))
        return nu_attribute_string(plugin->root_id);
    if (nu_str_eq(name, NU_STR("plugin_vm_id")))
        return nu_attribute_string(vm->spec->vm_id);
    if (nu_str_eq(name, NU_STR("connection_id")) && source->info && source->info->connection)
        return nu_attribute_uint(source->info->connection->id);
    return nu_attribute_none();
}

/* What a guest has set, on the stream or, as some native filter may have, on its upstream. */
static struct nu_attribute find_own(const struct nu_attribute_source *source, struct nu_str name)
{
    static const struct nu_str roots[] = {NU_STR_INIT("filter_state"),
                                          NU_STR_INIT("upstream_filter_state")};
    struct nu_str key = nu_arena_concat(source->arena, NU_STR("wasm."), name);
    struct nu_attribute found = nu_attribute_none();
    for (size_t i = 0; i < NU_ARRAY_LEN(roots) && found.type == NU_ATTRIBUTE_NONE; i++) {
        struct nu_attribute state = nu_attribute_root(source, roots[i]);
        found = nu_attribute_member(source, &state, key);
    }
    return found;
}

static struct nu_attribute find_first(struct nu_wasm_vm *vm,
                                      const struct nu_attribute_source *source, struct nu_str name)
{
    struct nu_attribute found = nu_attribute_root(source, name);
    if (found.type == NU_ATTRIBUTE_NONE)
        found = find_former(source, name);
    if (found.type == NU_ATTRIBUTE_NONE)
        found = find_plugin(vm, source, name);
    if (found.type == NU_ATTRIBUTE_NONE)
        found = find_own(source, name);
    return found;
}

struct nu_attribute nu_wasm_property_find(struct nu_wasm_vm *vm,
                                          const struct nu_attribute_source *source,
                                          struct nu_str path)
{
    if (path.len == 0)
        return nu_attribute_null();
    if (path.len > NU_WASM_STREAM_BYTES_MAX) /* none could have been set */
        return nu_attribute_none();
    if (nu_str_ends_with(path, nu_str_make("\0", 1)))
        path.len--;
    struct nu_attribute found = find_first(vm, source, nu_str_split(&path, '\0'));
    while (path.ptr && found.type != NU_ATTRIBUTE_NONE)
        found = nu_attribute_member(source, &found, nu_str_split(&path, '\0'));
    return found;
}
