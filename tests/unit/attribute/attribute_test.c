/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of a request whose like a real Envoy 1.36.4 was asked about: types and values are
 * those that it gave, but for times. The tests write a path with slashes, and what is found as its
 * type and its value.
 */
#include "harness/test.h"

#include "attribute/attribute.h"
#include "base/value.h"
#include "config/struct.h"
#include "envoy/config/core/v3/base.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "http/filter_state.h"
#include "http/headers.h"
#include "http/locality.h"
#include "http/metadata.h"
#include "http/ssl_info.h"
#include "http/stream_info.h"

static struct {
    struct nu_arena arena;
    struct nu_headers request;
    struct nu_headers response;
    struct nu_headers trailers;
    struct nu_connection_info connection;
    struct nu_stream_info info;
    struct nu_metadata_slot host_metadata;
    struct nu_attribute_source source;
    struct nu_strbuf out;
} f;

static const struct nu_locality locality = {NU_STR_INIT("lr"), NU_STR_INIT("lz"),
                                            NU_STR_INIT("ls")};

static void add(struct nu_headers *headers, const char *name, const char *value)
{
    nu_headers_add(headers, nu_str_from(name), nu_str_from(value));
}

static struct nu_address address(const char *text)
{
    struct nu_address parsed;
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(text), &parsed), NU_OK);
    return parsed;
}

static void setup(void)
{
    memset(&f, 0, sizeof(f));
    nu_arena_init(&f.arena);
    nu_headers_init(&f.request, &f.arena, 16);
    nu_headers_init(&f.response, &f.arena, 16);
    nu_headers_init(&f.trailers, &f.arena, 4);
    f.info.arena = &f.arena;
    f.info.connection = &f.connection;
    f.source = (struct nu_attribute_source){.arena = &f.arena,
                                            .info = &f.info,
                                            .request_headers = &f.request,
                                            .response_headers = &f.response,
                                            .response_trailers = &f.trailers};
}

static void teardown(void)
{
    nu_strbuf_finish(&f.out);
    nu_arena_finish(&f.arena);
}

/* --- Showing what is found ---------------------------------------------------------------------- */

static void show(const struct nu_attribute *value);

static void show_entries(const struct nu_attribute *value, const char *name)
{
    struct nu_attribute_entries all;
    nu_strbuf_add_cstr(&f.out, name);
    if (!nu_attribute_list(&f.source, value, &all))
        return;
    for (size_t i = 0; i < all.count; i++) {
        nu_strbuf_addf(&f.out, " %.*s{", NU_STR_ARG(all.items[i].key));
        show(&all.items[i].value);
        nu_strbuf_add_char(&f.out, '}');
    }
    nu_strbuf_add_char(&f.out, '.');
}

static void show_message(const struct nu_attribute *value)
{
    struct nu_strbuf bytes = {0};
    assert_true(nu_attribute_encode(&f.source, value, &bytes));
    nu_strbuf_add_cstr(&f.out, "message ");
    for (size_t i = 0; i < bytes.len; i++)
        nu_strbuf_addf(&f.out, "%02x", (unsigned char)bytes.data[i]);
    nu_strbuf_finish(&bytes);
}

static void show(const struct nu_attribute *value)
{
    switch (value->type) {
    case NU_ATTRIBUTE_NONE:
        nu_strbuf_add_cstr(&f.out, "none");
        break;
    case NU_ATTRIBUTE_NULL:
        nu_strbuf_add_cstr(&f.out, "null");
        break;
    case NU_ATTRIBUTE_BOOL:
        nu_strbuf_add_cstr(&f.out, value->boolean ? "true" : "false");
        break;
    case NU_ATTRIBUTE_INT:
        nu_strbuf_addf(&f.out, "int %lld", (long long)value->integer);
        break;
    case NU_ATTRIBUTE_UINT:
        nu_strbuf_addf(&f.out, "uint %llu", (unsigned long long)value->natural);
        break;
    case NU_ATTRIBUTE_DOUBLE:
        nu_strbuf_addf(&f.out, "double %g", value->real);
        break;
    case NU_ATTRIBUTE_STRING:
        nu_strbuf_addf(&f.out, "'%.*s'", NU_STR_ARG(value->text));
        break;
    case NU_ATTRIBUTE_BYTES:
        nu_strbuf_addf(&f.out, "bytes '%.*s'", NU_STR_ARG(value->text));
        break;
    case NU_ATTRIBUTE_TIME:
        nu_strbuf_addf(&f.out, "time %lld", (long long)value->integer);
        break;
    case NU_ATTRIBUTE_DURATION:
        nu_strbuf_addf(&f.out, "duration %lld", (long long)value->integer);
        break;
    case NU_ATTRIBUTE_MAP:
        show_entries(value, "map");
        break;
    case NU_ATTRIBUTE_LIST:
        show_entries(value, "list");
        break;
    case NU_ATTRIBUTE_MESSAGE:
        show_message(value);
        break;
    }
}

static struct nu_str find(const char *path)
{
    struct nu_str rest = nu_str_from(path);
    struct nu_attribute value = nu_attribute_root(&f.source, nu_str_split(&rest, '/'));
    while (rest.ptr)
        value = nu_attribute_member(&f.source, &value, nu_str_split(&rest, '/'));
    nu_strbuf_clear(&f.out);
    show(&value);
    return nu_strbuf_str(&f.out);
}

/* --- Requests and responses --------------------------------------------------------------------- */

TEST(request_is_told_by_its_headers)
{
    setup();
    add(&f.request, ":path", "/p?a=1&b#f");
    add(&f.request, ":authority", "a.test");
    add(&f.request, ":method", "GET");
    add(&f.request, ":scheme", "http");
    add(&f.request, "user-agent", "ua");
    add(&f.request, "x-two", "a");
    add(&f.request, "x-two", "b");
    f.info.protocol = NU_PROTOCOL_HTTP11;
    assert_str(find("request/path"), "'/p?a=1&b#f'");
    assert_str(find("request/url_path"), "'/p'");
    assert_str(find("request/query"), "'a=1&b'");
    assert_str(find("request/host"), "'a.test'");
    assert_str(find("request/method"), "'GET'");
    assert_str(find("request/scheme"), "'http'");
    assert_str(find("request/useragent"), "'ua'");
    assert_str(find("request/referer"), "none");
    assert_str(find("request/protocol"), "'HTTP/1.1'");
    assert_str(find("request/headers/X-Two"), "'a,b'");
    assert_str(find("request/headers/none"), "none");
    assert_str(find("request/headers"),
               "map :path{'/p?a=1&b#f'} :authority{'a.test'} :method{'GET'} :scheme{'http'} "
               "user-agent{'ua'} x-two{'a,b'}.");
    assert_str(find("request/nope"), "none");
    assert_str(find("request/path/x"), "none");
    assert_str(find("request"), "map"); /* cannot be told whole */
    teardown();
}

TEST(values_of_a_name_are_joined_also_where_they_are_empty)
{
    setup();
    add(&f.request, "x", "");
    add(&f.request, "y", "1");
    add(&f.request, "x", "a");
    add(&f.request, "x", "");
    add(&f.request, "y", "2");
    assert_str(find("request/headers/x"), "',a,'");
    assert_str(find("request/headers"), "map x{',a,'} y{'1,2'}.");
    teardown();
}

TEST(query_ends_where_a_fragment_begins)
{
    setup();
    add(&f.request, ":path", "/p?a=#?b");
    assert_str(find("request/query"), "'a='");
    nu_headers_set(&f.request, NU_STR(":path"), NU_STR("/p#?b"));
    assert_str(find("request/query"), "''");
    assert_str(find("request/url_path"), "'/p'");
    teardown();
}

TEST(request_sizes_and_times_are_numbers)
{
    setup();
    add(&f.request, "ab", "cde");
    f.info.bytes_received = 10;
    f.info.start_realtime_us = 1795708957783124;
    f.info.start_us = 1000;
    assert_str(find("request/size"), "int 10");
    assert_str(find("request/total_size"), "int 15");
    assert_str(find("request/time"), "time 1795708957783124000");
    assert_str(find("request/duration"), "none");
    f.info.end_us = 1500;
    add(&f.request, "content-length", "33");
    assert_str(find("request/duration"), "duration 500000");
    assert_str(find("request/size"), "int 33");
    teardown();
}

TEST(response_is_none_before_it_is_there)
{
    setup();
    f.source.response_headers = f.source.response_trailers = NULL;
    assert_str(find("response/code"), "none");
    assert_str(find("response/code_details"), "none");
    assert_str(find("response/grpc_status"), "none");
    assert_str(find("response/flags"), "int 0");
    assert_str(find("response/size"), "int 0");
    assert_str(find("response/headers"), "map.");
    assert_str(find("response/backend_latency"), "none");
    teardown();
}

TEST(response_is_told_with_envoys_flag_bits)
{
    setup();
    add(&f.response, ":status", "503");
    add(&f.trailers, "x-t", "v");
    f.info.response_code_details = NU_STR("cluster_not_found");
    nu_stream_info_set_flag(&f.info, NU_FLAG_NO_CLUSTER_FOUND);
    f.info.upstream.first_tx_us = 5;
    f.info.upstream.last_rx_us = 7;
    assert_str(find("response/code"), "int 503");
    assert_str(find("response/code_details"), "'cluster_not_found'");
    assert_str(find("response/grpc_status"), "int 14");
    assert_str(find("response/flags"), "int 16777216");
    assert_str(find("response/trailers"), "map x-t{'v'}.");
    assert_str(find("response/total_size"), "int 14");
    assert_str(find("response/backend_latency"), "duration 2000");
    f.info.flags = NU_FLAG_BIT(UPSTREAM_CONNECTION_FAILURE);
    assert_str(find("response/flags"), "int 32");
    teardown();
}

/* --- Connections -------------------------------------------------------------------------------- */

struct fake_info {
    struct nu_ssl_info base;
    bool has_peer;
};

static bool fake_presented(struct nu_ssl_info *base)
{
    return nu_container_of(base, struct fake_info, base)->has_peer;
}

static struct nu_str fake_text(struct nu_ssl_info *base, enum nu_ssl_text which)
{
    bool has_peer = fake_presented(base);
    switch (which) {
    case NU_SSL_VERSION:
        return NU_STR("TLSv1.3");
    case NU_SSL_LOCAL_SUBJECT:
        return NU_STR("CN=server");
    case NU_SSL_PEER_SUBJECT:
        return has_peer ? NU_STR("CN=client") : NU_STR("");
    case NU_SSL_PEER_SHA256:
        return has_peer ? NU_STR("1686") : NU_STR("");
    default:
        return NU_STR("");
    }
}

static struct nu_ssl_list_value fake_list(struct nu_ssl_info *base, enum nu_ssl_list which)
{
    static const struct nu_str names[] = {NU_STR_INIT("a.test"), NU_STR_INIT("b.test")};
    (void)base;
    return (struct nu_ssl_list_value){names, which == NU_SSL_LOCAL_DNS ? 2 : 0};
}

static const struct nu_ssl_info_class fake_class = {
    .text = fake_text,
    .list = fake_list,
    .is_peer_presented = fake_presented,
};

TEST(connection_without_tls_has_no_certificates)
{
    setup();
    f.connection.id = 7;
    f.info.remote = address("127.0.0.2:47139");
    f.connection.local = address("127.0.0.1:80");
    f.connection.local_known = true;
    assert_str(find("connection/id"), "uint 7");
    assert_str(find("connection/mtls"), "false");
    assert_str(find("connection/requested_server_name"), "''");
    assert_str(find("connection/tls_version"), "none");
    assert_str(find("connection/subject_peer_certificate"), "none");
    assert_str(find("connection/termination_details"), "none");
    assert_str(find("source/address"), "'127.0.0.2:47139'");
    assert_str(find("source/port"), "int 47139");
    assert_str(find("destination/address"), "'127.0.0.1:80'");
    teardown();
}

TEST(connection_with_tls_tells_of_both_certificates)
{
    struct fake_info fake = {.base = {.cls = &fake_class}, .has_peer = true};
    setup();
    f.connection.ssl = &fake.base;
    assert_str(find("connection/mtls"), "true");
    assert_str(find("connection/tls_version"), "'TLSv1.3'");
    assert_str(find("connection/subject_peer_certificate"), "'CN=client'");
    assert_str(find("connection/subject_local_certificate"), "'CN=server'");
    assert_str(find("connection/dns_san_local_certificate"), "'a.test'");
    assert_str(find("connection/uri_san_peer_certificate"), "none");
    assert_str(find("connection/sha256_peer_certificate_digest"), "'1686'");
    assert_str(find("upstream/tls_version"), "none");
    fake.has_peer = false;
    assert_str(find("connection/mtls"), "false");
    assert_str(find("connection/subject_peer_certificate"), "''");
    assert_str(find("connection/sha256_peer_certificate_digest"), "none");
    teardown();
}

static bool find_cluster(const struct nu_attribute_source *source, struct nu_attribute_cluster *out)
{
    (void)source;
    *out = (struct nu_attribute_cluster){.name = NU_STR("origin"), .host_count = 3};
    return true;
}

TEST(upstream_is_known_once_there_is_a_host)
{
    setup();
    f.source.find_cluster = find_cluster;
    assert_str(find("upstream/address"), "none");
    assert_str(find("upstream/locality"), "none");
    assert_str(find("upstream/transport_failure_reason"), "none");
    assert_str(find("upstream/request_attempt_count"), "uint 0");
    assert_str(find("upstream/num_endpoints"), "uint 3");
    assert_str(find("upstream/cx_pool_ready_duration"), "none");
    assert_str(find("upstream_filter_state"), "none");
    f.info.upstream.host = address("127.0.0.1:81");
    f.info.upstream.host_locality = &locality;
    f.info.upstream.pool_start_us = f.info.upstream.pool_ready_us = 9;
    assert_str(find("upstream/address"), "'127.0.0.1:81'");
    assert_str(find("upstream/port"), "int 81");
    assert_str(find("upstream/local_address"), "none");
    assert_str(find("upstream/transport_failure_reason"), "''");
    assert_str(find("upstream/cx_pool_ready_duration"), "duration 0");
    assert_str(find("upstream/locality"), "message 0a026c7212026c7a1a026c73");
    assert_str(find("upstream/locality/zone"), "'lz'");
    assert_str(find("upstream/locality/nope"), "none");
    assert_str(find("upstream_filter_state"), "map");
    teardown();
}

/* --- Configuration ------------------------------------------------------------------------------ */

static struct nu_metadata *metadata(const char *space, const char *text)
{
    struct nu_metadata *made = nu_metadata_create(&f.arena);
    nu_metadata_set(made, nu_str_from(space), NU_STR("k"), nu_value_string(nu_str_from(text)));
    return made;
}

TEST(metadata_are_messages_of_maps)
{
    setup();
    struct nu_metadata *made = metadata("c.ns", "cv");
    f.info.upstream.cluster = NU_STR("origin");
    f.info.upstream.cluster_metadata = made;
    assert_str(find("xds/cluster_name"), "'origin'");
    assert_str(find("xds/cluster_metadata"), "message 0a130a04632e6e73120b0a090a016b12041a026376");
    assert_str(find("xds/cluster_metadata/filter_metadata"), "map c.ns{map k{'cv'}.}.");
    assert_str(find("xds/cluster_metadata/filter_metadata/c.ns/k"), "'cv'");
    assert_str(find("xds/cluster_metadata/typed_filter_metadata"), "map.");
    assert_str(find("xds/cluster_metadata/nope"), "none");
    teardown();
}

TEST(metadata_hold_values_of_all_types)
{
    setup();
    struct nu_metadata *made = nu_stream_info_metadata(&f.info);
    struct nu_value list = nu_value_list();
    nu_value_add(&list, &f.arena, nu_value_number(1));
    nu_value_add(&list, &f.arena, nu_value_string(NU_STR("two")));
    nu_metadata_set(made, NU_STR("n"), NU_STR("b"), nu_value_bool(true));
    nu_metadata_set(made, NU_STR("n"), NU_STR("d"), nu_value_number(1.5));
    nu_metadata_set(made, NU_STR("n"), NU_STR("l"), list);
    nu_metadata_set(made, NU_STR("n"), NU_STR("z"), nu_value_null());
    assert_str(find("metadata/filter_metadata/n"),
               "map b{true} d{double 1.5} l{list {double 1} {'two'}.} z{null}.");
    assert_str(find("metadata/filter_metadata/n/l/1"), "'two'");
    assert_str(find("metadata/filter_metadata/n/l/+1"), "'two'");
    assert_str(find("metadata/filter_metadata/n/l/2"), "none");
    assert_str(find("metadata/filter_metadata/n/l/-1"), "none");
    assert_str(find("metadata/filter_metadata/n/l/x"), "none");
    assert_str(find("metadata/filter_metadata/n/z"), "null");
    teardown();
}

/* What another reader of the format makes of the bytes is what they were made of. */
TEST(metadata_are_encoded_as_protobuf)
{
    setup();
    struct nu_metadata *made = nu_stream_info_metadata(&f.info);
    struct nu_value list = nu_value_list();
    struct nu_value record = nu_value_struct();
    static char large[300];
    memset(large, 'x', sizeof(large));
    nu_value_set(&record, &f.arena, NU_STR("t"), nu_value_bool(true));
    nu_value_set(&record, &f.arena, NU_STR("f"), nu_value_bool(false));
    nu_value_add(&list, &f.arena, nu_value_null());
    nu_value_add(&list, &f.arena, record);
    nu_value_add(&list, &f.arena, nu_value_list());
    nu_metadata_set(made, NU_STR("n"), NU_STR("d"), nu_value_number(-1.5));
    nu_metadata_set(made, NU_STR("n"), NU_STR("l"), list);
    nu_metadata_set(made, NU_STR("n"), NU_STR("s"),
                    nu_value_string(nu_str_make(large, sizeof(large))));
    nu_metadata_set(made, NU_STR("m"), NU_STR(""), nu_value_string(NU_STR("")));
    struct nu_strbuf bytes = {0};
    struct nu_attribute root = nu_attribute_root(&f.source, NU_STR("metadata"));
    assert_true(nu_attribute_encode(&f.source, &root, &bytes));
    ProtobufCMessage *message =
        protobuf_c_message_unpack(&envoy__config__core__v3__metadata__descriptor, NULL, bytes.len,
                                  (const uint8_t *)bytes.data);
    assert_non_null(message);
    const Envoy__Config__Core__V3__Metadata *read = (const void *)message;
    assert_int_equal(read->n_filter_metadata, 2);
    for (size_t i = 0; i < read->n_filter_metadata; i++) {
        struct nu_value space = nu_struct_from_proto(read->filter_metadata[i]->value, &f.arena);
        const struct nu_value *want =
            nu_value_get(&made->namespaces, nu_str_from(read->filter_metadata[i]->key));
        assert_non_null(want);
        assert_true(nu_value_eq(&space, want));
    }
    protobuf_c_message_free_unpacked(message, NULL);
    nu_strbuf_finish(&bytes);
    teardown();
}

TEST(xds_tells_of_route_and_host)
{
    setup();
    assert_str(find("xds/route_name"), "none");
    assert_str(find("xds/route_metadata"), "none");
    assert_str(find("xds/virtual_host_metadata"), "none");
    assert_str(find("xds/upstream_host_metadata"), "none");
    f.info.has_route = true;
    f.info.virtual_host_name = NU_STR("vh");
    f.info.upstream.host = address("127.0.0.1:81");
    f.connection.direction = NU_TRAFFIC_OUTBOUND;
    assert_str(find("xds/route_name"), "''");
    assert_str(find("xds/route_metadata"), "message ");
    assert_str(find("xds/virtual_host_name"), "'vh'");
    assert_str(find("xds/virtual_host_metadata"), "message ");
    assert_str(find("xds/upstream_host_metadata"), "null");
    assert_str(find("xds/upstream_host_locality_metadata"), "null");
    assert_str(find("xds/listener_direction"), "int 2");
    assert_str(find("xds/filter_chain_name"), "''");
    assert_str(find("xds/cluster_name"), "none");
    f.host_metadata.now = metadata("h.ns", "hv");
    f.info.upstream.host_metadata = &f.host_metadata;
    f.info.upstream.host_locality_metadata = metadata("loc.ns", "lov");
    assert_str(find("xds/upstream_host_metadata/filter_metadata/h.ns/k"), "'hv'");
    assert_str(find("xds/upstream_host_locality_metadata"),
               "message 0a160a066c6f632e6e73120c0a0a0a016b12051a036c6f76");
    teardown();
}

TEST(node_is_known_without_a_stream)
{
    Envoy__Config__Core__V3__Node node = ENVOY__CONFIG__CORE__V3__NODE__INIT;
    Google__Protobuf__Struct extra = GOOGLE__PROTOBUF__STRUCT__INIT;
    Envoy__Config__Core__V3__Extension extension = ENVOY__CONFIG__CORE__V3__EXTENSION__INIT;
    Envoy__Config__Core__V3__Extension *extensions[] = {&extension};
    const char *urls[] = {"one", "two"};
    setup();
    f.source.info = NULL;
    assert_str(find("xds/node"), "none");
    node.id = nu_unconst("me");
    node.extensions = extensions;
    node.n_extensions = 1;
    extension.type_urls = urls;
    extension.n_type_urls = 2;
    f.source.node = &node;
    assert_str(find("xds/node/id"), "'me'");
    assert_str(find("xds/node/metadata"), "map.");
    node.metadata = &extra;
    assert_str(find("xds/node/metadata"), "map.");
    assert_str(find("xds/node/locality"), "message ");
    assert_str(find("xds/node/locality/region"), "''");
    assert_str(find("xds/node/user_agent_version"), "''");
    assert_str(find("xds/node/client_features"), "list.");
    assert_str(find("xds/node/extensions/0/type_urls/1"), "'two'");
    assert_str(find("xds/node/extensions/0/disabled"), "false");
    assert_str(find("xds/node/nope"), "none");
    assert_str(find("xds/route_name"), "none");
    assert_str(find("xds"), "map");
    assert_str(find("request/path"), "none");
    assert_str(find("metadata"), "none");
    teardown();
}

TEST(filter_state_is_bytes_unless_its_class_says_more)
{
    static const struct nu_str text = NU_STR_INIT("value");
    struct nu_filter_state_class texts = nu_filter_state_string;
    texts.is_string = true;
    setup();
    struct nu_filter_state_object object = {
        .name = NU_STR("a"), .object_class = &nu_filter_state_string, .object = &text};
    assert_int_equal(nu_stream_info_set_state(&f.info, &object), NU_OK);
    object.name = NU_STR("b");
    object.object_class = &texts;
    assert_int_equal(nu_stream_info_set_state(&f.info, &object), NU_OK);
    assert_str(find("filter_state/a"), "bytes 'value'");
    assert_str(find("filter_state/b"), "'value'");
    assert_str(find("filter_state/c"), "none");
    assert_str(find("filter_state"), "map");
    teardown();
}

TEST(unknown_roots_are_none)
{
    setup();
    assert_str(find("nope"), "none");
    assert_str(find(""), "none");
    assert_str(find("nope/x"), "none");
    teardown();
}

TEST_MAIN()
