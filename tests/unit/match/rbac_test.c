/* SPDX-License-Identifier: Apache-2.0 */
/* Role-based access control: actions, policies, every kind of condition. */
#include "harness/config.h"

#include "http/headers.h"
#include "http/metadata.h"
#include "http/ssl_info.h"
#include "http/stream_info.h"
#include "match/rbac.h"

/* What a client's certificate says. */
struct peer {
    struct nu_ssl_info base;
    struct nu_str uri;
    struct nu_str dns;
    struct nu_str subject;
    bool is_shown;
};

static struct nu_str peer_text(struct nu_ssl_info *info, enum nu_ssl_text which)
{
    const struct peer *peer = nu_container_of(info, struct peer, base);
    return which == NU_SSL_PEER_SUBJECT ? peer->subject : nu_str_make(NULL, 0);
}

static struct nu_ssl_list_value peer_list(struct nu_ssl_info *info, enum nu_ssl_list which)
{
    const struct peer *peer = nu_container_of(info, struct peer, base);
    const struct nu_str *name = which == NU_SSL_PEER_URI ? &peer->uri : &peer->dns;
    bool is_known = which == NU_SSL_PEER_URI || which == NU_SSL_PEER_DNS;
    return (struct nu_ssl_list_value){name, is_known && name->len ? 1 : 0};
}

static bool peer_is_shown(struct nu_ssl_info *info)
{
    return nu_container_of(info, struct peer, base)->is_shown;
}

static const struct nu_ssl_info_class peer_class = {
    .text = peer_text,
    .list = peer_list,
    .is_peer_presented = peer_is_shown,
};

struct fixture {
    struct config_fixture config;
    struct nu_connection_info connection;
    struct nu_stream_info info;
    struct peer peer;
    struct nu_headers headers;
    struct nu_rbac_input input;
};

static struct nu_address address(const char *text)
{
    struct nu_address result;
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(text), &result), NU_OK);
    return result;
}

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    config_open(&f->config);
    f->connection.remote = address("10.1.2.3:1000");
    f->connection.direct_remote = address("10.9.9.9:1000");
    f->connection.local = address("192.168.0.1:443");
    f->connection.local_known = true;
    f->connection.requested_server_name = NU_STR("www.example.com");
    f->info.arena = &f->config.arena;
    f->info.connection = &f->connection;
    f->info.remote = address("172.16.0.1:1");
    f->peer.base.cls = &peer_class;
    f->input.info = &f->info;
}

static const struct nu_rbac *compile(struct fixture *f, const char *yaml, bool is_network)
{
    struct nu_match_factory factory = {.ctx = &f->config.ctx, .arena = &f->config.arena};
    const void *proto = config_yaml(&f->config, "envoy.config.rbac.v3.RBAC", yaml);
    assert_config_errors(&f->config, "");
    return nu_rbac_from_proto(&factory, proto, is_network);
}

static struct nu_rbac_verdict judge(struct fixture *f, const char *yaml)
{
    const struct nu_rbac *rbac = compile(f, yaml, f->input.headers == NULL);
    assert_non_null(rbac);
    return nu_rbac_judge(rbac, &f->input);
}

/* Whether a policy with this permission, or this principal, matches. */
static bool permits(struct fixture *f, const char *permission)
{
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "policies: {p: {permissions: [%s], principals: [{any: true}]}}",
             permission);
    return judge(f, yaml).is_allowed;
}

static bool knows(struct fixture *f, const char *principal)
{
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "policies: {p: {permissions: [{any: true}], principals: [%s]}}",
             principal);
    return judge(f, yaml).is_allowed;
}

static void assert_refused(const char *permission, bool is_network, const char *error)
{
    struct fixture f;
    char yaml[1024];
    setup(&f);
    snprintf(yaml, sizeof(yaml), "policies: {p: {permissions: [%s], principals: [{any: true}]}}",
             permission);
    assert_null(compile(&f, yaml, is_network));
    struct nu_strbuf text = {0};
    nu_error_list_format(&f.config.ctx.errors, &text);
    assert_non_null(strstr(text.data, error));
    nu_strbuf_finish(&text);
    config_close(&f.config);
}

#define EVERYBODY "{permissions: [{any: true}], principals: [{any: true}]}"
#define NOBODY "{permissions: [{not_rule: {any: true}}], principals: [{any: true}]}"

TEST(allow_lets_pass_who_matches)
{
    struct fixture f;
    setup(&f);
    assert_true(judge(&f, "policies: {a: " EVERYBODY "}").is_allowed);
    assert_false(judge(&f, "policies: {a: " NOBODY "}").is_allowed);
    assert_false(judge(&f, "policies: {}").is_allowed);
    config_close(&f.config);
}

TEST(deny_refuses_who_matches)
{
    struct fixture f;
    setup(&f);
    assert_false(judge(&f, "{action: DENY, policies: {a: " EVERYBODY "}}").is_allowed);
    assert_true(judge(&f, "{action: DENY, policies: {a: " NOBODY "}}").is_allowed);
    assert_true(judge(&f, "action: DENY").is_allowed);
    config_close(&f.config);
}

TEST(log_lets_all_pass_and_notes_whether_one_matched)
{
    static const struct nu_str key = NU_STR_INIT("access_log_hint");
    struct fixture f;
    setup(&f);
    struct nu_rbac_verdict verdict = judge(&f, "{action: LOG, policies: {a: " EVERYBODY "}}");
    assert_true(verdict.is_allowed);
    nu_rbac_note_log(&f.info, &verdict);
    assert_true(
        nu_metadata_find(f.info.dynamic_metadata, NU_STR("envoy.common"), &key, 1)->boolean);
    verdict = judge(&f, "{action: LOG, policies: {a: " NOBODY "}}");
    assert_true(verdict.is_allowed);
    nu_rbac_note_log(&f.info, &verdict);
    assert_false(
        nu_metadata_find(f.info.dynamic_metadata, NU_STR("envoy.common"), &key, 1)->boolean);
    config_close(&f.config);
}

TEST(policies_are_asked_by_name)
{
    struct fixture f;
    setup(&f);
    struct nu_rbac_verdict verdict =
        judge(&f, "policies: {c: " EVERYBODY ", b: " EVERYBODY ", a: " NOBODY "}");
    assert_true(nu_str_eq(verdict.policy, NU_STR("b")));
    config_close(&f.config);
}

TEST(permission_and_principal_must_both_match)
{
    struct fixture f;
    setup(&f);
    assert_false(judge(&f, "policies: {a: {permissions: [{any: true}], "
                           "principals: [{not_id: {any: true}}]}}")
                     .is_allowed);
    config_close(&f.config);
}

TEST(sets_and_negation_combine)
{
    struct fixture f;
    setup(&f);
    assert_true(permits(&f, "{and_rules: {rules: [{any: true}, {destination_port: 443}]}}"));
    assert_false(permits(&f, "{and_rules: {rules: [{any: true}, {destination_port: 80}]}}"));
    assert_true(permits(&f, "{or_rules: {rules: [{destination_port: 80}, {any: true}]}}"));
    assert_false(permits(&f, "{or_rules: {rules: [{destination_port: 80}]}}"));
    assert_true(permits(&f, "{not_rule: {destination_port: 80}}"));
    assert_true(knows(&f, "{and_ids: {ids: [{any: true}]}}"));
    assert_true(knows(&f, "{or_ids: {ids: [{not_id: {any: true}}, {any: true}]}}"));
    config_close(&f.config);
}

TEST(destinations_are_where_the_client_meant_to_go)
{
    struct fixture f;
    setup(&f);
    assert_true(permits(&f, "{destination_ip: {address_prefix: 192.168.0.0, prefix_len: 16}}"));
    f.connection.restored_local = address("1.2.3.4:80");
    assert_false(permits(&f, "{destination_ip: {address_prefix: 192.168.0.0, prefix_len: 16}}"));
    assert_true(permits(&f, "{destination_port: 80}"));
    config_close(&f.config);
}

TEST(a_range_of_ports_ends_before_its_end)
{
    struct fixture f;
    setup(&f);
    assert_true(permits(&f, "{destination_port_range: {start: 443, end: 444}}"));
    assert_false(permits(&f, "{destination_port_range: {start: 80, end: 443}}"));
    config_close(&f.config);
}

TEST(each_address_of_the_client_has_its_condition)
{
    struct fixture f;
    setup(&f);
    assert_true(knows(&f, "{source_ip: {address_prefix: 10.1.2.3, prefix_len: 32}}"));
    assert_true(knows(&f, "{direct_remote_ip: {address_prefix: 10.9.9.9, prefix_len: 32}}"));
    assert_true(knows(&f, "{remote_ip: {address_prefix: 172.16.0.0, prefix_len: 12}}"));
    assert_false(knows(&f, "{remote_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}"));
    config_close(&f.config);
}

TEST(the_server_name_is_matched_as_text)
{
    struct fixture f;
    setup(&f);
    assert_true(permits(&f, "{requested_server_name: {suffix: .example.com}}"));
    assert_false(permits(&f, "{requested_server_name: {exact: example.com}}"));
    config_close(&f.config);
}

TEST(a_certificate_names_its_owner)
{
    struct fixture f;
    setup(&f);
    assert_false(knows(&f, "{authenticated: {}}"));
    f.connection.ssl = &f.peer.base;
    assert_false(knows(&f, "{authenticated: {}}"));
    f.peer.is_shown = true;
    f.peer.subject = NU_STR("CN=a");
    assert_true(knows(&f, "{authenticated: {}}"));
    assert_true(knows(&f, "{authenticated: {principal_name: {exact: CN=a}}}"));
    f.peer.uri = NU_STR("spiffe://x");
    f.peer.dns = NU_STR("a.test");
    assert_true(knows(&f, "{authenticated: {principal_name: {exact: \"spiffe://x\"}}}"));
    assert_true(knows(&f, "{authenticated: {principal_name: {exact: a.test}}}"));
    assert_false(knows(&f, "{authenticated: {principal_name: {exact: b.test}}}"));
    config_close(&f.config);
}

TEST(metadata_is_found_by_its_path)
{
#define METADATA(value) "{metadata: {filter: f, path: [{key: a}, {key: b}], value: " value "}}"
    struct fixture f;
    setup(&f);
    assert_false(permits(&f, METADATA("{present_match: true}")));
    assert_true(permits(&f, "{metadata: {filter: f, path: [{key: a}], invert: true, value: "
                            "{present_match: true}}}"));
    struct nu_value inner = nu_value_struct();
    nu_value_set(&inner, f.info.arena, NU_STR("b"), nu_value_number(7));
    nu_metadata_set(nu_stream_info_metadata(&f.info), NU_STR("f"), NU_STR("a"), inner);
    assert_true(permits(&f, METADATA("{present_match: true}")));
    assert_false(permits(&f, METADATA("{present_match: false}")));
    assert_true(permits(&f, METADATA("{double_match: {range: {start: 7, end: 8}}}")));
    assert_false(permits(&f, METADATA("{double_match: {range: {start: 6, end: 7}}}")));
    assert_true(permits(&f, METADATA("{double_match: {exact: 7}}")));
    assert_false(permits(&f, METADATA("{string_match: {exact: \"7\"}}")));
    assert_false(permits(&f, METADATA("{null_match: {}}")));
    assert_true(permits(
        &f, METADATA("{or_match: {value_matchers: [{bool_match: true}, {double_match: {exact: "
                     "7}}]}}")));
    config_close(&f.config);
}

TEST(lists_and_booleans_in_metadata_match)
{
    struct fixture f;
    setup(&f);
    struct nu_value list = nu_value_list();
    nu_value_add(&list, f.info.arena, nu_value_string(NU_STR("x")));
    nu_value_add(&list, f.info.arena, nu_value_bool(false));
    nu_metadata_set(nu_stream_info_metadata(&f.info), NU_STR("f"), NU_STR("l"), list);
    assert_true(permits(&f, "{sourced_metadata: {metadata_matcher: {filter: f, path: [{key: l}], "
                            "value: {list_match: {one_of: {string_match: {exact: x}}}}}}}"));
    assert_true(permits(&f, "{sourced_metadata: {metadata_matcher: {filter: f, path: [{key: l}], "
                            "value: {list_match: {one_of: {bool_match: false}}}}}}"));
    assert_false(permits(&f, "{sourced_metadata: {metadata_source: ROUTE, metadata_matcher: "
                             "{filter: f, path: [{key: l}], value: {present_match: true}}}}"));
    config_close(&f.config);
}

TEST(a_connection_has_no_path)
{
    struct fixture f;
    setup(&f);
    assert_false(permits(&f, "{url_path: {path: {prefix: /}}}"));
    config_close(&f.config);
}

TEST(requests_have_headers_and_a_path)
{
    struct fixture f;
    setup(&f);
    nu_headers_init(&f.headers, &f.config.arena, 4);
    nu_headers_add(&f.headers, NU_STR(":path"), NU_STR("/a?b"));
    nu_headers_add(&f.headers, NU_STR("x-user"), NU_STR("me"));
    f.input.headers = &f.headers;
    assert_true(permits(&f, "{url_path: {path: {exact: /a}}}"));
    assert_true(permits(&f, "{header: {name: x-user, string_match: {exact: me}}}"));
    assert_false(knows(&f, "{header: {name: x-user, string_match: {exact: you}}}"));
    config_close(&f.config);
}

TEST(what_cannot_be_is_refused)
{
    assert_refused("{header: {name: x-user, present_match: true}}", true,
                   "Found header(name: \"x-user\") rule,not supported by RBAC network filter");
    assert_refused("{destination_port_range: {start: 5, end: 5}}", true,
                   "range start 5 cannot be greater or equal than range end 5");
    assert_refused("{destination_port_range: {start: -1, end: 5}}", true,
                   "range start -1 is out of bounds");
    assert_refused("{destination_port_range: {start: 1, end: 70000}}", true,
                   "range end 70000 is out of bounds");
    assert_refused("{destination_ip: {address_prefix: x}}", true, "malformed IP address: x");
}

TEST_MAIN()
