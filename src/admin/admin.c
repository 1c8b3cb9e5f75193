/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin listener: settings as Envoy's admin has them, from the bootstrap's `admin`, and its
 * life.
 */
#include "admin/admin_internal.h"
#include "config/values.h"
#include "net/listener_from_proto.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb-c.h"

/* Fields that Envoy deprecates are read all the same. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Envoy__Config__Bootstrap__V3__Admin admin_proto;

enum {
    BUFFER_LIMIT = 256 * 1024, /* of an answer that its client does not take */
    HEAD_BYTES = 60 * 1024,
    MAX_HEADERS = 100,
    DRAIN_MS = 1100, /* how long a connection that is given up may go on; about Envoy's */
};

/* --- Settings --------------------------------------------------------------------------------- */

static void fill_hcm(struct nu_admin *admin, struct nu_factory *factory)
{
    struct nu_hcm_config *config = &admin->hcm.config;
    config->stat_prefix = NU_STR("admin");
    config->h1.max_headers = MAX_HEADERS;
    config->h1.max_head_bytes = HEAD_BYTES;
    config->h1.allow_absolute_url = true;
    config->delayed_close_timeout_ms = 0; /* as Envoy's: who asks to close is not waited for */
    config->drain_timeout_ms = DRAIN_MS;
    config->buffer_limit_bytes = BUFFER_LIMIT;
    config->use_remote_address = true;
    config->path.normalize = true;
    config->path.merge_slashes = true;
    config->server_name = NU_STR("envoy");
    config->local_cluster_name = factory->local->cluster;
    config->local_node_id = factory->local->node_id;
    config->local_address = factory->local->address;
    config->stats = nu_stat_set_create(factory->stats, &nu_http_stats_table, NU_STR("http.admin"));
    config->http1_stats =
        nu_stat_set_create(factory->stats, &nu_http1_stats_table, NU_STR("http1"));
    nu_h2_options_init(&config->h2);
    config->h2.max_head_bytes = HEAD_BYTES;
    config->h2.max_headers = MAX_HEADERS;
    config->http2_stats =
        nu_stat_set_create(factory->stats, &nu_http2_stats_table, NU_STR("http2"));
    config->listener_stats = nu_stat_set_create(factory->stats, &nu_listener_http_stats_table,
                                                NU_STR("listener.admin.http.admin"));
    admin->filter = (struct nu_filter_entry){
        .cls = &nu_admin_filter,
        .name = NU_STR("envoy.filters.http.admin"),
        .config = admin,
    };
    nu_filter_chain_config_init(&config->filters, factory->arena, &admin->filter, 1);
    nu_hcm_make_header_sets();
}

static void fill_listener(struct nu_admin *admin, const admin_proto *proto)
{
    admin->network_filter = (struct nu_network_filter_entry){
        .cls = &nu_hcm_filter,
        .config = &admin->hcm,
        .name = NU_STR("envoy.filters.network.http_connection_manager"),
    };
    admin->chain = (struct nu_filter_chain_spec){
        .filters = &admin->network_filter,
        .filter_count = 1,
    };
    admin->listener_config = (struct nu_listener_config){
        .name = NU_STR("admin"),
        .stat_name = NU_STR("admin"),
        .addresses = &admin->address,
        .address_count = 1,
        .only_chain = &admin->chain,
        .buffer_limit_bytes = BUFFER_LIMIT,
        .ignore_global_limit = proto->ignore_global_conn_limit,
    };
}

/* The older spelling of one file logger with the default line. */
static bool add_old_access_log(struct nu_access_log_factory *factory, const admin_proto *proto,
                               struct nu_access_log_list *list)
{
    Envoy__Extensions__AccessLoggers__File__V3__FileAccessLog file;
    envoy__extensions__access_loggers__file__v3__file_access_log__init(&file);
    file.path = nu_unconst(proto->access_log_path);
    const struct nu_access_logger *logger =
        nu_file_access_logger.create(factory, (const ProtobufCMessage *)&file);
    if (!logger)
        return false;
    struct nu_access_log *items =
        nu_arena_alloc(factory->arena, (list->count + 1) * sizeof(*items));
    if (list->count)
        memcpy(items, list->items, list->count * sizeof(*items));
    items[list->count++] = (struct nu_access_log){.logger = logger};
    list->items = items;
    list->needs |= logger->needs;
    return true;
}

static void read_access_logs(struct nu_admin *admin, struct nu_factory *outer,
                             const admin_proto *proto)
{
    struct nu_access_log_factory factory = nu_access_log_factory_of(outer);
    factory.is_on_main_thread = true;
    struct nu_access_log_list *list = &admin->hcm.config.access_logs;
    if (!nu_access_log_list_from_protos(&factory, proto->access_log, proto->n_access_log, list))
        return;
    if (proto->access_log_path[0])
        (void)!add_old_access_log(&factory, proto, list);
}

static void read_allowed_paths(struct nu_admin *admin, struct nu_factory *outer,
                               const admin_proto *proto)
{
    struct nu_match_factory factory = {
        .ctx = outer->ctx,
        .arena = outer->arena,
        .runtime = outer->runtime,
    };
    (void)!nu_string_matcher_list_from_protos(&factory, proto->allow_paths, proto->n_allow_paths,
                                              &admin->allowed_paths);
}

struct nu_admin *nu_admin_from_proto(struct nu_factory *factory, const struct nu_admin_parts *parts)
{
    const admin_proto *proto = parts->bootstrap->admin;
    if (!proto || !proto->address)
        return NULL;
    size_t errors = factory->ctx->errors.count;
    struct nu_admin *admin = nu_arena_calloc(factory->arena, sizeof(*admin));
    admin->parts = *parts;
    admin->stats = factory->stats;
    admin->loop = factory->loop;
    admin->local = factory->local;
    admin->extensions = factory->extensions;
    nu_admin_read_bootstrap(admin, factory);
    (void)!nu_listen_address_from_proto(factory, proto, "address", proto->address, &admin->address);
    fill_hcm(admin, factory);
    fill_listener(admin, proto);
    read_access_logs(admin, factory, proto);
    read_allowed_paths(admin, factory, proto);
    return factory->ctx->errors.count == errors ? admin : NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

bool nu_admin_open(struct nu_admin *admin, struct nu_strbuf *error)
{
    admin->listener =
        nu_listener_create(&admin->listener_config, 1, admin->stats, NULL, NULL, error);
    if (!admin->listener || !nu_listener_open(admin->listener, error))
        return false;
    admin->worker_set = nu_stat_set_create(admin->stats, &nu_listener_worker_stats_table,
                                           NU_STR("listener.admin.main_thread"));
    admin->worker_listener =
        nu_worker_listener_create(admin->listener, admin->loop, 0, admin->worker_set);
    nu_worker_listener_start(admin->worker_listener);
    return true;
}

const struct nu_address *nu_admin_address(const struct nu_admin *admin)
{
    return &admin->listener->bound[0];
}

void nu_admin_set_drain(struct nu_admin *admin, enum nu_drain_mode mode, uint64_t start_us,
                        uint64_t duration_us)
{
    nu_drain_set(&admin->listener->drain, mode, start_us, duration_us);
}

void nu_admin_close(struct nu_admin *admin)
{
    if (!admin)
        return;
    nu_worker_listener_destroy(&admin->worker_listener);
    nu_listener_destroy(&admin->listener);
    nu_stat_set_destroy(&admin->worker_set);
    nu_hcm_finish(&admin->hcm);
}
