/* SPDX-License-Identifier: Apache-2.0 */
/* GrpcServices in bytes, judged as an Envoy 1.36 judges those of its wasm guests. */
#include "harness/test.h"

#include "client/grpc_service.h"
#include "route/retry_policy.h"

struct fixture {
    struct nu_arena arena;
    struct nu_grpc_service service;
    struct nu_strbuf error;
};

static enum nu_grpc_service_result read_bytes(struct fixture *f, struct nu_str bytes)
{
    memset(f, 0, sizeof(*f));
    nu_arena_init(&f->arena);
    return nu_grpc_service_read(&f->arena, bytes, &f->service, &f->error);
}

static void finish(struct fixture *f)
{
    nu_strbuf_finish(&f->error);
    nu_arena_finish(&f->arena);
}

TEST(a_service_is_a_cluster_with_what_is_said_to_it)
{
    struct fixture f;
    assert_int_equal(read_bytes(&f, NU_STR("\x0a\x0f\x0a\1c\x12\4auth\x22\2\x08\x64(\1"
                                           "*\6\x0a\1x\x12\1y*\3\x0a\1z")),
                     NU_GRPC_SERVICE_OK);
    assert_str(f.service.cluster, "c");
    assert_str(f.service.authority, "auth");
    assert_int_equal(f.service.max_message_bytes, 100);
    assert_true(f.service.is_anonymous);
    assert_int_equal(f.service.metadata_count, 1); /* one without a value is none */
    assert_str(f.service.metadata[0].name, "x");
    assert_str(f.service.metadata[0].value, "y");
    assert_null(f.service.retry);
    finish(&f);
}

TEST(bytes_that_are_no_service_are_none)
{
    static const struct nu_str none[] = {
        NU_STR_INIT(""),         NU_STR_INIT("origin"), NU_STR_INIT("empty"),
        NU_STR_INIT("\xff\xff"), NU_STR_INIT("*\0"),    NU_STR_INIT("\x0a\x7f"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(none); i++) {
        struct fixture f;
        assert_int_equal(read_bytes(&f, none[i]), NU_GRPC_SERVICE_NONE);
        assert_int_equal(f.error.len, 0);
        finish(&f);
    }
}

TEST(what_cannot_be_is_refused_by_name)
{
    static const struct {
        struct nu_str bytes;
        const char *error;
    } refused[] = {
        {NU_STR_INIT("\x12\5\x0a\3a:1"), "google_grpc: known to Envoy, not implemented by nuncio"},
        {NU_STR_INIT("\x0a\3\x0a\1c*\x0a\x0a\4Host\x12\2hh"), "initial_metadata[0]: :-prefixed"},
        {NU_STR_INIT("\x0a\3\x0a\1c2\2\x22\0"), "retry_policy.retry_priority: known to Envoy"},
        {NU_STR_INIT("\x0a\3\x0a\1c2\x0d\x0a\x08\x0a\2\x08\2\x12\2\x08\1\x1a\1x"), "max_interval"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(refused); i++) {
        struct fixture f;
        assert_int_equal(read_bytes(&f, refused[i].bytes), NU_GRPC_SERVICE_REFUSED);
        if (nu_str_find(nu_strbuf_str(&f.error), nu_str_from(refused[i].error)) == NU_NPOS)
            fail_msg("%s", f.error.data);
        finish(&f);
    }
}

TEST(a_retry_policy_has_envoy_s_pauses_and_times)
{
    struct fixture f;
    assert_int_equal(read_bytes(&f, NU_STR("\x0a\3\x0a\1c2\x0c\x1a\x0a"
                                           "5xx,absurd")),
                     NU_GRPC_SERVICE_OK);
    assert_int_equal(f.service.retry->conditions, NU_RETRY_ON_5XX);
    assert_int_equal(f.service.retry->max_retries, 1);
    assert_int_equal(f.service.retry->base_interval_ms, 1000);
    assert_int_equal(f.service.retry->max_interval_ms, 10000);
    assert_int_equal(f.service.retry->per_try_timeout_ms, 10000);
    finish(&f);
    assert_int_equal(read_bytes(&f, NU_STR("\x0a\3\x0a\1c2\x08\x1a\6absurd")), NU_GRPC_SERVICE_OK);
    assert_null(f.service.retry);
    finish(&f);
}

TEST_MAIN()
