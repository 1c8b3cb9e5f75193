/* SPDX-License-Identifier: Apache-2.0 */
/* Settings with runtime keys: the key's value if it has one of the kind, else the default. */
#include "harness/test.h"

#include "config/config.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "envoy/config/core/v3/base.pb-c.h"
#include "runtime/settings.h"

static struct nu_arena arena;
static struct nu_config_ctx ctx;

static const void *read(const char *yaml, const ProtobufCMessageDescriptor *descriptor)
{
    const void *message =
        nu_config_read(&ctx, "test", nu_str_from(yaml), NU_CONFIG_YAML, descriptor);
    assert_non_null(message);
    return message;
}

static struct nu_runtime *start(void)
{
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    return nu_runtime_from_proto(
        read("layers: [{name: s, static_layer: {share: 100, flag: true, count: 7, number: 50}}]",
             &envoy__config__bootstrap__v3__layered_runtime__descriptor),
        &ctx);
}

static void end(struct nu_runtime *runtime)
{
    nu_runtime_unref(&runtime);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
}

TEST(a_share_follows_its_key)
{
    struct nu_runtime *runtime = start();
    const ProtobufCMessageDescriptor *type =
        &envoy__config__core__v3__runtime_fractional_percent__descriptor;
    struct nu_runtime_share share = nu_runtime_share_from_proto(
        read("{default_value: {numerator: 1, denominator: MILLION}, runtime_key: share}", type),
        &arena);
    assert_int_equal(share.fallback.denominator, 1000000);
    assert_true(nu_runtime_share_has(&share, runtime, 999999));
    assert_false(nu_runtime_share_has(&share, NULL, 999999));
    share = nu_runtime_share_from_proto(
        read("{default_value: {numerator: 20, denominator: TEN_THOUSAND}}", type), &arena);
    assert_true(nu_runtime_share_has(&share, runtime, 10019));
    assert_false(nu_runtime_share_has(&share, runtime, 10020));
    end(runtime);
}

TEST(flags_counts_and_numbers_follow_their_keys)
{
    struct nu_runtime *runtime = start();
    struct nu_runtime_flag flag =
        nu_runtime_flag_from_proto(read("{default_value: false, runtime_key: flag}",
                                        &envoy__config__core__v3__runtime_feature_flag__descriptor),
                                   &arena);
    assert_true(nu_runtime_flag_get(&flag, runtime));
    assert_false(nu_runtime_flag_get(&flag, NULL));
    struct nu_runtime_count count =
        nu_runtime_count_from_proto(read("{default_value: 3, runtime_key: count}",
                                         &envoy__config__core__v3__runtime_uint32__descriptor),
                                    &arena);
    assert_int_equal(nu_runtime_count_get(&count, runtime), 7);
    assert_int_equal(nu_runtime_count_get(&count, NULL), 3);
    struct nu_runtime_number number =
        nu_runtime_number_from_proto(read("{default_value: 1.5, runtime_key: absent}",
                                          &envoy__config__core__v3__runtime_double__descriptor),
                                     &arena);
    assert_true(nu_runtime_number_get(&number, runtime) == 1.5);
    struct nu_runtime_number percent =
        nu_runtime_percent_from_proto(read("{default_value: {value: 12}, runtime_key: number}",
                                           &envoy__config__core__v3__runtime_percent__descriptor),
                                      &arena);
    assert_true(nu_runtime_number_get(&percent, runtime) == 50);
    assert_true(nu_runtime_number_get(&percent, NULL) == 12);
    end(runtime);
}

TEST_MAIN()
