/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of the two connections, the client's and the upstream's, of which most are the same.
 */
#include "attribute/attribute_internal.h"
#include "http/ssl_info.h"
#include "http/stream_info.h"

/* --- Addresses -------------------------------------------------------------------------------- */

struct nu_attribute nu_attribute_of_address(const struct nu_attribute_source *source,
                                            const struct nu_address *address,
                                            enum nu_attribute_address which)
{
    char text[NU_ADDRESS_TEXT_MAX];
    if (!address || address->family == NU_ADDRESS_NONE)
        return nu_attribute_none();
    if (which == NU_ATTRIBUTE_PORT)
        return nu_address_is_ip(address) ? nu_attribute_int(address->port) : nu_attribute_none();
    size_t len = nu_address_format(address, text);
    return nu_attribute_string(nu_arena_dup(source->arena, nu_str_make(text, len)));
}

static struct nu_attribute get_source(const struct nu_attribute_source *source, unsigned which)
{
    return nu_attribute_of_address(source, &source->info->remote, which);
}

static struct nu_attribute get_destination(const struct nu_attribute_source *source, unsigned which)
{
    struct nu_connection_info *connection = source->info->connection;
    return nu_attribute_of_address(source, connection ? nu_connection_info_local(connection) : NULL,
                                   which);
}

static struct nu_attribute get_upstream(const struct nu_attribute_source *source, unsigned which)
{
    return nu_attribute_of_address(source, &source->info->upstream.host, which);
}

static struct nu_attribute get_upstream_local(const struct nu_attribute_source *source,
                                              unsigned which)
{
    return nu_attribute_of_address(source, &source->info->upstream.local, which);
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* `which` is an answer's number, of the upstream's connection with this bit. */
enum { UPSTREAM = 0x100, ANSWER = 0xff };

static struct nu_ssl_info *ssl_of(const struct nu_attribute_source *source, unsigned which)
{
    const struct nu_stream_info *info = source->info;
    if (which & UPSTREAM)
        return info->upstream.ssl;
    return info->connection ? info->connection->ssl : NULL;
}

static struct nu_attribute get_ssl_text(const struct nu_attribute_source *source, unsigned which)
{
    struct nu_ssl_info *ssl = ssl_of(source, which);
    if (!ssl)
        return nu_attribute_none();
    return nu_attribute_text(nu_ssl_info_text(ssl, (enum nu_ssl_text)(which & ANSWER)));
}

/* Subjects are there with TLS, and empty where there is no certificate. */
static struct nu_attribute get_subject(const struct nu_attribute_source *source, unsigned which)
{
    struct nu_ssl_info *ssl = ssl_of(source, which);
    if (!ssl)
        return nu_attribute_none();
    return nu_attribute_string(nu_ssl_info_text(ssl, (enum nu_ssl_text)(which & ANSWER)));
}

/* The first of several names. */
static struct nu_attribute get_ssl_name(const struct nu_attribute_source *source, unsigned which)
{
    struct nu_ssl_info *ssl = ssl_of(source, which);
    if (!ssl)
        return nu_attribute_none();
    struct nu_ssl_list_value names = nu_ssl_info_list(ssl, (enum nu_ssl_list)(which & ANSWER));
    return names.count ? nu_attribute_string(names.items[0]) : nu_attribute_none();
}

/* --- The client's connection ------------------------------------------------------------------ */

static struct nu_attribute get_id(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    const struct nu_connection_info *connection = source->info->connection;
    return connection ? nu_attribute_uint(connection->id) : nu_attribute_none();
}

static struct nu_attribute get_mtls(const struct nu_attribute_source *source, unsigned which)
{
    struct nu_ssl_info *ssl = ssl_of(source, which);
    return nu_attribute_bool(ssl && nu_ssl_info_is_peer_presented(ssl));
}

static struct nu_attribute get_server_name(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    const struct nu_connection_info *connection = source->info->connection;
    return nu_attribute_string(connection ? connection->requested_server_name : NU_STR(""));
}

static struct nu_attribute get_termination(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    const struct nu_connection_info *connection = source->info->connection;
    return connection ? nu_attribute_text(connection->termination_details) : nu_attribute_none();
}

static struct nu_attribute get_failure(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    const struct nu_connection_info *connection = source->info->connection;
    return connection ? nu_attribute_text(connection->transport_failure_reason)
                      : nu_attribute_none();
}

/* --- The upstream ----------------------------------------------------------------------------- */

static bool has_host(const struct nu_attribute_source *source)
{
    return source->info->upstream.host.family != NU_ADDRESS_NONE;
}

/* Empty where nothing failed. */
static struct nu_attribute get_upstream_failure(const struct nu_attribute_source *source,
                                                unsigned which)
{
    (void)which;
    if (!has_host(source))
        return nu_attribute_none();
    return nu_attribute_string(source->info->upstream.transport_failure_reason);
}

static struct nu_attribute get_attempt_count(const struct nu_attribute_source *source,
                                             unsigned which)
{
    (void)which;
    return nu_attribute_uint(source->info->upstream.attempt_count);
}

static struct nu_attribute get_pool_wait(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_duration_us(source->info->upstream.pool_start_us,
                                    source->info->upstream.pool_ready_us);
}

static struct nu_attribute get_host_count(const struct nu_attribute_source *source, unsigned which)
{
    struct nu_attribute_cluster cluster;
    (void)which;
    if (!source->find_cluster || !source->find_cluster(source, &cluster))
        return nu_attribute_none();
    return nu_attribute_uint(cluster.host_count);
}

static struct nu_attribute get_locality(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    if (!has_host(source))
        return nu_attribute_none();
    return nu_attribute_locality(source, source->info->upstream.host_locality);
}

/* --- Tables ----------------------------------------------------------------------------------- */

/* clang-format off */
#define TLS_FIELDS(side) \
    {NU_STR_INIT("tls_version"), get_ssl_text, NU_SSL_VERSION | (side), false}, \
    {NU_STR_INIT("subject_local_certificate"), get_subject, NU_SSL_LOCAL_SUBJECT | (side), false}, \
    {NU_STR_INIT("subject_peer_certificate"), get_subject, NU_SSL_PEER_SUBJECT | (side), false}, \
    {NU_STR_INIT("dns_san_local_certificate"), get_ssl_name, NU_SSL_LOCAL_DNS | (side), false}, \
    {NU_STR_INIT("dns_san_peer_certificate"), get_ssl_name, NU_SSL_PEER_DNS | (side), false}, \
    {NU_STR_INIT("uri_san_local_certificate"), get_ssl_name, NU_SSL_LOCAL_URI | (side), false}, \
    {NU_STR_INIT("uri_san_peer_certificate"), get_ssl_name, NU_SSL_PEER_URI | (side), false}, \
    {NU_STR_INIT("sha256_peer_certificate_digest"), get_ssl_text, NU_SSL_PEER_SHA256 | (side), false}, \
    {NU_STR_INIT("peer_certificate"), get_ssl_text, NU_SSL_PEER_CERT | (side), false}
/* clang-format on */

static const struct nu_attribute_field connection_fields[] = {
    {NU_STR_INIT("id"), get_id, 0, false},
    {NU_STR_INIT("mtls"), get_mtls, 0, false},
    {NU_STR_INIT("requested_server_name"), get_server_name, 0, false},
    {NU_STR_INIT("termination_details"), get_termination, 0, false},
    {NU_STR_INIT("transport_failure_reason"), get_failure, 0, false},
    TLS_FIELDS(0u),
};

static const struct nu_attribute_field upstream_fields[] = {
    {NU_STR_INIT("address"), get_upstream, NU_ATTRIBUTE_ADDRESS, false},
    {NU_STR_INIT("port"), get_upstream, NU_ATTRIBUTE_PORT, false},
    {NU_STR_INIT("local_address"), get_upstream_local, NU_ATTRIBUTE_ADDRESS, false},
    {NU_STR_INIT("transport_failure_reason"), get_upstream_failure, 0, false},
    {NU_STR_INIT("request_attempt_count"), get_attempt_count, 0, false},
    {NU_STR_INIT("cx_pool_ready_duration"), get_pool_wait, 0, false},
    {NU_STR_INIT("num_endpoints"), get_host_count, 0, false},
    {NU_STR_INIT("locality"), get_locality, 0, false},
    TLS_FIELDS((unsigned)UPSTREAM),
};

static const struct nu_attribute_field source_fields[] = {
    {NU_STR_INIT("address"), get_source, NU_ATTRIBUTE_ADDRESS, false},
    {NU_STR_INIT("port"), get_source, NU_ATTRIBUTE_PORT, false},
};

static const struct nu_attribute_field destination_fields[] = {
    {NU_STR_INIT("address"), get_destination, NU_ATTRIBUTE_ADDRESS, false},
    {NU_STR_INIT("port"), get_destination, NU_ATTRIBUTE_PORT, false},
};

const struct nu_attribute_table nu_attributes_of_connection = {connection_fields,
                                                               NU_ARRAY_LEN(connection_fields)};
const struct nu_attribute_table nu_attributes_of_upstream = {upstream_fields,
                                                             NU_ARRAY_LEN(upstream_fields)};
const struct nu_attribute_table nu_attributes_of_source = {source_fields,
                                                           NU_ARRAY_LEN(source_fields)};
const struct nu_attribute_table nu_attributes_of_destination = {destination_fields,
                                                                NU_ARRAY_LEN(destination_fields)};
