/* SPDX-License-Identifier: Apache-2.0 */
/* What is the same each time stands here as it is; what was asked for goes through the JSON
 * writer. */
#include "server/wasm_run/config.h"

#include "base/address.h"
#include "base/base64.h"
#include "base/json.h"

#define TYPE "\"@type\":\"type.googleapis.com/"
#define HTTP_FILTER TYPE "envoy.extensions.filters.http."

/* --- The plug-in ------------------------------------------------------------------------------ */

static void add_text(struct nu_json *json, const char *key, struct nu_str value)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_string(json, value);
}

/* A BytesValue: the guest gets the same as of a StringValue, and any bytes may be in it. */
static void add_configuration(struct nu_json *json, const struct nu_wasm_run_content *content)
{
    struct nu_strbuf text = {0};
    if (!content->is_given)
        return;
    nu_base64_add(&text, nu_strbuf_str(&content->bytes));
    nu_json_key(json, NU_STR("configuration"));
    nu_json_object_begin(json);
    add_text(json, "@type", NU_STR("type.googleapis.com/google.protobuf.BytesValue"));
    add_text(json, "value", nu_strbuf_str(&text));
    nu_json_object_end(json);
    nu_strbuf_finish(&text);
}

static void add_environment(struct nu_json *json, const struct nu_wasm_run_list *list)
{
    if (list->count == 0)
        return;
    nu_json_key(json, NU_STR("environment_variables"));
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("key_values"));
    nu_json_object_begin(json);
    for (size_t i = 0; i < list->count; i++) {
        struct nu_str name = nu_str_from(list->items[i]);
        struct nu_str value = name;
        name = nu_str_split(&value, '=');
        nu_json_key(json, name);
        nu_json_string(json, value);
    }
    nu_json_object_end(json);
    nu_json_object_end(json);
}

static void add_vm(struct nu_json *json, const struct nu_wasm_run_options *options)
{
    nu_json_key(json, NU_STR("vm_config"));
    nu_json_object_begin(json);
    add_text(json, "vm_id", nu_str_from(options->vm_id));
    add_text(json, "runtime", NU_STR("envoy.wasm.runtime.v8"));
    nu_json_key(json, NU_STR("code"));
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("local"));
    nu_json_object_begin(json);
    add_text(json, "filename", nu_str_from(options->file));
    nu_json_object_end(json);
    nu_json_object_end(json);
    add_configuration(json, &options->vm_configuration);
    add_environment(json, &options->environment);
    nu_json_object_end(json);
}

/* The file's name without folder and ending. */
static struct nu_str name_of_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct nu_str name = nu_str_from(slash ? slash + 1 : path);
    struct nu_str ending = NU_STR(".wasm");
    return nu_str_ends_with(name, ending) ? nu_str_first(name, name.len - ending.len) : name;
}

static void add_plugin(const struct nu_wasm_run_options *options, struct nu_strbuf *out)
{
    struct nu_json json;
    nu_json_init(&json, out, false);
    nu_json_object_begin(&json);
    add_text(&json, "name",
             options->name ? nu_str_from(options->name) : name_of_file(options->file));
    add_text(&json, "root_id", nu_str_from(options->root_id));
    add_configuration(&json, &options->configuration);
    add_vm(&json, options);
    nu_json_object_end(&json);
}

/* --- Clusters --------------------------------------------------------------------------------- */

#define GRPC_OPTIONS \
    ",\"typed_extension_protocol_options\":{" \
    "\"envoy.extensions.upstreams.http.v3.HttpProtocolOptions\":{" TYPE \
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions\"," \
    "\"explicit_http_config\":{\"http2_protocol_options\":{}}}}"

/* Of a name: whichever of its addresses can be connected to. */
#define ALL_ADDRESSES "\"LOGICAL_DNS\",\"dns_lookup_family\":\"ALL\""

static void add_cluster(struct nu_strbuf *out, struct nu_str name, struct nu_str host,
                        uint16_t port, bool is_grpc)
{
    struct nu_address address;
    bool is_ip = nu_address_parse_ip(host, port, &address) == NU_OK;
    nu_strbuf_add_cstr(out, "{\"name\":");
    nu_json_escape(out, name);
    nu_strbuf_addf(out, ",\"type\":%s,\"load_assignment\":{\"cluster_name\":",
                   is_ip ? "\"STATIC\"" : ALL_ADDRESSES);
    nu_json_escape(out, name);
    nu_strbuf_add_cstr(out, ",\"endpoints\":[{\"lb_endpoints\":[{\"endpoint\":{\"address\":{"
                            "\"socket_address\":{\"address\":");
    nu_json_escape(out, host);
    nu_strbuf_addf(out, ",\"port_value\":%u}}}}]}]}%s}", port, is_grpc ? GRPC_OPTIONS : "");
}

/* NAME=HOST:PORT, which was checked; an address of IPv6 may have its brackets. */
static void add_named_cluster(struct nu_strbuf *out, const char *text, bool is_grpc)
{
    struct nu_str host = nu_str_from(text);
    struct nu_str name = nu_str_split(&host, '=');
    size_t colon = nu_str_rfind_char(host, ':');
    uint64_t port = 0;
    enum nu_result ok = nu_str_to_u64(nu_str_skip(host, colon + 1), &port);
    (void)ok;
    host = nu_str_first(host, colon);
    if (nu_str_starts_with(host, NU_STR("[")) && nu_str_ends_with(host, NU_STR("]")))
        host = nu_str_make(host.ptr + 1, host.len - 2);
    nu_strbuf_add_char(out, ',');
    add_cluster(out, name, host, (uint16_t)port, is_grpc);
}

static void add_clusters(const struct nu_wasm_run_options *options, uint16_t upstream_port,
                         struct nu_strbuf *out)
{
    add_cluster(out, NU_STR("upstream"), NU_STR("127.0.0.1"), upstream_port, false);
    for (size_t i = 0; i < options->clusters.count; i++)
        add_named_cluster(out, options->clusters.items[i], false);
    for (size_t i = 0; i < options->grpc_clusters.count; i++)
        add_named_cluster(out, options->grpc_clusters.items[i], true);
}

/* --- All -------------------------------------------------------------------------------------- */

static const char listener_begin[] =
    "{\"static_resources\":{\"listeners\":[{\"name\":\"listener\",\"address\":{\"socket_address\":"
    "{\"address\":\"127.0.0.1\",\"port_value\":0}},\"filter_chains\":[{\"filters\":[{"
    "\"name\":\"http\",\"typed_config\":{" TYPE
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\","
    "\"stat_prefix\":\"run\",\"route_config\":{\"name\":\"routes\",\"virtual_hosts\":[{"
    "\"name\":\"all\",\"domains\":[\"*\"],\"routes\":[{\"match\":{\"prefix\":\"/\"},\"route\":{"
    "\"cluster\":\"upstream\"}}]}]},\"access_log\":[{\"name\":\"log\",\"typed_config\":{" TYPE
    "envoy.extensions.access_loggers.file.v3.FileAccessLog\",\"path\":";
static const char filters_begin[] =
    ",\"log_format\":{\"text_format_source\":{\"inline_string\":"
    "\"%RESPONSE_CODE%\\t%RESPONSE_CODE_DETAILS%\\t%RESPONSE_FLAGS%\\n\"}}}}],"
    "\"http_filters\":[{\"name\":\"wasm\",\"typed_config\":{" HTTP_FILTER
    "wasm.v3.Wasm\",\"config\":";
static const char filters_end[] = "}},{\"name\":\"router\",\"typed_config\":{" HTTP_FILTER
                                  "router.v3.Router\"}}]}}]}]}],\"clusters\":[";

void nu_wasm_run_config_write(const struct nu_wasm_run_options *options, uint16_t upstream_port,
                              const char *access_log, struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, listener_begin);
    nu_json_escape(out, nu_str_from(access_log));
    nu_strbuf_add_cstr(out, filters_begin);
    add_plugin(options, out);
    nu_strbuf_add_cstr(out, filters_end);
    add_clusters(options, upstream_port, out);
    nu_strbuf_add_cstr(out, "]}}");
}
