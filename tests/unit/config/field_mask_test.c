/* SPDX-License-Identifier: Apache-2.0 */
/* Field masks, and printing through them in parts. */
#include "harness/config.h"

#include "config/field_mask.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"

#define CLUSTER "envoy.config.cluster.v3.Cluster"

static const char cluster_text[] =
    "name: a\n"
    "connect_timeout: 1s\n"
    "load_assignment:\n"
    "  cluster_name: b\n"
    "  endpoints:\n"
    "  - lb_endpoints:\n"
    "    - endpoint: {address: {socket_address: {address: 1.2.3.4, port_value: 5}}}\n"
    "metadata: {filter_metadata: {x: {y: [1, {z: true}]}, w: {}}}\n";

static bool add(struct nu_field_mask *mask, struct nu_arena *arena, const char *path)
{
    return nu_field_mask_add(mask, nu_str_from(path),
                             &envoy__config__cluster__v3__cluster__descriptor, arena);
}

TEST(paths_must_name_fields_and_not_go_through_repeated_ones)
{
    static const struct {
        const char *path;
        bool valid;
    } cases[] = {
        {"name", true},
        {"load_assignment.cluster_name", true},
        {"load_assignment.endpoints", true},
        {"eds_cluster_config", true}, /* Envoy's, never set here */
        {"load_assignment.endpoints.priority", false},
        {"name.x", false},
        {"nosuch", false},
        {"load_assignment.nosuch", false},
        {"Name", false},
        {"", false},
        {"load_assignment.", false},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        struct nu_arena arena;
        struct nu_field_mask mask = {0};
        nu_arena_init(&arena);
        if (add(&mask, &arena, cases[i].path) != cases[i].valid)
            fail_msg("%s", cases[i].path);
        nu_arena_finish(&arena);
    }
}

static void check_masked(const char *const *paths, size_t count, const char *expected)
{
    struct config_fixture f;
    struct nu_field_mask mask = {0};
    struct nu_config_print_options options = {.mask = &mask};
    struct nu_strbuf text = {0};
    struct nu_json json;
    config_open(&f);
    const void *message = config_yaml(&f, CLUSTER, cluster_text);
    for (size_t i = 0; i < count; i++)
        assert_true(add(&mask, &f.arena, paths[i]));
    nu_json_init(&json, &text, false);
    struct nu_config_printer *printer = nu_config_printer_create(message, &options);
    while (nu_config_printer_next(printer, &json))
        continue;
    assert_str(nu_strbuf_str(&text), expected);
    nu_config_printer_destroy(&printer);
    nu_strbuf_finish(&text);
    config_close(&f);
}

TEST(what_a_mask_names_is_printed)
{
    check_masked((const char *const[]){"name", "eds_cluster_config"}, 2, "{\"name\":\"a\"}");
}

TEST(paths_with_a_common_beginning_add_up)
{
    check_masked(
        (const char *const[]){"load_assignment.cluster_name", "load_assignment.endpoints"}, 2,
        "{\"load_assignment\":{\"cluster_name\":\"b\",\"endpoints\":[{\"lb_endpoints\":[{"
        "\"endpoint\":{\"address\":{\"socket_address\":{\"address\":\"1.2.3.4\",\"port_value\":5}"
        "}}}]}]}}");
}

TEST(a_whole_message_covers_paths_into_it)
{
    check_masked((const char *const[]){"metadata.filter_metadata", "metadata"}, 2,
                 "{\"metadata\":{\"filter_metadata\":{\"x\":{\"y\":[1,{\"z\":true}]},\"w\":{}}}}");
}

TEST(parts_put_together_are_the_whole)
{
    struct config_fixture f;
    struct nu_config_print_options options = {.with_type = true};
    struct nu_strbuf parts = {0};
    struct nu_json json;
    size_t count = 0;
    config_open(&f);
    const void *message = config_yaml(&f, CLUSTER, cluster_text);
    nu_json_init(&json, &parts, true);
    struct nu_config_printer *printer = nu_config_printer_create(message, &options);
    for (bool more = true; more; count++) {
        struct nu_strbuf part = {0};
        json.out = &part; /* another one each time */
        more = nu_config_printer_next(printer, &json);
        nu_strbuf_add(&parts, nu_strbuf_str(&part));
        nu_strbuf_finish(&part);
    }
    nu_config_printer_destroy(&printer);
    struct nu_strbuf whole = {0};
    nu_json_init(&json, &whole, true);
    nu_config_print(&json, message);
    assert_true(count > 15);
    static const char type[] = "{\n \"@type\": \"type.googleapis.com/" CLUSTER "\",\n";
    assert_true(nu_str_starts_with(nu_strbuf_str(&parts), nu_str_from(type)));
    assert_str(nu_str_skip(nu_strbuf_str(&parts), sizeof(type) - 1), whole.data + 2);
    nu_strbuf_finish(&parts);
    nu_strbuf_finish(&whole);
    config_close(&f);
}

TEST(a_printing_can_be_given_up)
{
    struct config_fixture f;
    struct nu_config_print_options options = {0};
    struct nu_strbuf text = {0};
    struct nu_json json;
    config_open(&f);
    const void *extension =
        config_yaml(&f, "envoy.config.core.v3.TypedExtensionConfig",
                    "name: x\n"
                    "typed_config: {'@type': x/" CLUSTER ", name: a, connect_timeout: 1s}\n");
    nu_json_init(&json, &text, false);
    struct nu_config_printer *printer = nu_config_printer_create(extension, &options);
    for (unsigned i = 0; i < 4; i++)
        assert_true(nu_config_printer_next(printer, &json));
    nu_config_printer_destroy(&printer);
    assert_str(nu_strbuf_str(&text),
               "{\"name\":\"x\",\"typed_config\":{\"@type\":\"x/" CLUSTER "\",\"name\":\"a\"");
    nu_strbuf_finish(&text);
    config_close(&f);
}

TEST_MAIN()
