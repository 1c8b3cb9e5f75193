/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path, authority, URL and the other text rules of http/. The first byte picks the path rules, the
 * rest is read as each kind of text in turn. Checked: outcomes are stable (a second pass changes
 * nothing), bounded, and free of what the rules promise to remove.
 */
#include "base/assert.h"
#include "http/authority.h"
#include "http/forwarded.h"
#include "http/grpc.h"
#include "http/path.h"
#include "http/query.h"
#include "http/request_id.h"
#include "http/url.h"
#include "target.h"

static bool is_inside(struct nu_str part, struct nu_str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static bool has_dot_segment(struct nu_str path)
{
    struct nu_str rest = nu_path_without_query(path);
    while (rest.ptr) {
        struct nu_str segment = nu_str_split(&rest, '/');
        if (nu_str_eq(segment, NU_STR(".")) || nu_str_eq(segment, NU_STR("..")))
            return true;
    }
    return false;
}

static void check_normalize(struct nu_arena *arena, struct nu_str path)
{
    struct nu_str once = path;
    if (!nu_path_normalize(arena, &once)) {
        nu_assert(nu_str_eq(once, path));
        return;
    }
    nu_assert(once.len <= path.len * 3);
    struct nu_str twice = once;
    nu_assert(nu_path_normalize(arena, &twice) && nu_str_eq(twice, once));
    if (path.len && path.ptr[0] == '/') {
        nu_assert(once.ptr[0] == '/' && !has_dot_segment(once));
        nu_assert(nu_str_find_char(nu_path_without_query(once), '\\') == NU_NPOS);
    }
    nu_assert(nu_str_eq(nu_path_query(once), nu_path_query(path)));
}

static void check_merge(struct nu_arena *arena, struct nu_str path)
{
    struct nu_str merged = nu_path_merge_slashes(arena, path);
    struct nu_str base = nu_path_without_query(merged);
    nu_assert(merged.len <= path.len);
    nu_assert(nu_str_eq(base, NU_STR("//")) || nu_str_find(base, NU_STR("//")) == NU_NPOS);
    nu_assert(nu_str_eq(nu_path_merge_slashes(arena, merged), merged));
    struct nu_str unescaped = nu_path_unescape_slashes(arena, path);
    nu_assert((unescaped.len != path.len) == nu_path_has_escaped_slashes(path));
}

static void check_rules(struct nu_arena *arena, struct nu_str path, uint8_t flags)
{
    struct nu_path_rules rules = {
        .normalize = flags & 1,
        .merge_slashes = flags & 2,
        .strip_fragment = flags & 4,
        .escaped_slashes = (enum nu_escaped_slashes)(flags >> 3 & 3),
    };
    struct nu_str out = path;
    enum nu_path_verdict verdict = nu_path_apply(&rules, arena, &out);
    if (verdict == NU_PATH_REJECT)
        return;
    nu_assert(nu_str_find_char(out, '#') == NU_NPOS);
    if (rules.normalize && path.len && path.ptr[0] == '/')
        nu_assert(!has_dot_segment(out));
}

static void check_authority(struct nu_arena *arena, struct nu_str text)
{
    struct nu_str bare = nu_authority_strip_port(text, 0);
    nu_assert(nu_str_starts_with(text, bare));
    struct nu_str dotless = nu_authority_strip_trailing_dot(arena, text);
    nu_assert(dotless.len == text.len || dotless.len + 1 == text.len);
    struct nu_str lower = nu_authority_lower(arena, text);
    nu_assert(nu_str_eq_nocase(lower, text));
    struct nu_authority parts = nu_authority_split(text);
    nu_assert(is_inside(parts.host, text) && is_inside(parts.port, text));
    if (nu_authority_is_valid(text, false))
        nu_assert(nu_authority_is_valid(text, true));
}

static void check_url(struct nu_arena *arena, struct nu_str text)
{
    struct nu_url url;
    struct nu_url again;
    nu_referer_is_valid(text);
    if (nu_url_parse(text, &url)) {
        nu_assert(is_inside(url.scheme, text) && is_inside(url.authority, text));
        nu_assert(is_inside(url.host, url.authority) && url.host.len && url.path.len);
        nu_assert(nu_authority_is_valid(url.authority, true));
        struct nu_str whole = nu_arena_concat(arena, url.scheme, NU_STR("://"));
        whole = nu_arena_concat(arena, whole, url.authority);
        whole = nu_arena_concat(arena, whole, url.path);
        nu_assert(nu_url_parse(whole, &again) && nu_str_eq(again.path, url.path));
        nu_assert(nu_str_eq(again.authority, url.authority) && again.port == url.port);
    }
    if (nu_request_target_parse(NU_STR("GET"), text, true, &url) == NU_TARGET_ABSOLUTE)
        nu_assert(nu_scheme_is_valid(url.scheme) && url.userinfo.len < text.len);
    if (nu_request_target_parse(NU_STR("CONNECT"), text, true, &url) == NU_TARGET_CONNECT)
        nu_assert(url.has_port && nu_str_eq(url.authority, text));
}

static void check_small(struct nu_arena *arena, struct nu_str text)
{
    struct nu_query query = nu_query_open(text);
    struct nu_str name;
    struct nu_str value;
    while (nu_query_next(&query, &name, &value)) {
        nu_assert(is_inside(name, text) && is_inside(value, text));
        nu_assert(nu_query_get(text, name).ptr != NULL);
    }
    struct nu_str encoded = nu_grpc_message_encode(arena, text);
    nu_assert(nu_str_eq(nu_percent_decode(arena, encoded), text));
    uint64_t timeout_ms;
    if (nu_grpc_timeout_parse(text, &timeout_ms)) {
        char out[NU_GRPC_TIMEOUT_LEN_MAX];
        uint64_t again_ms;
        size_t len = nu_grpc_timeout_format(timeout_ms, out);
        nu_assert(nu_grpc_timeout_parse(nu_str_make(out, len), &again_ms));
        nu_assert(again_ms <= timeout_ms);
    }
    struct nu_address address;
    bool single;
    for (unsigned skip = 0; skip < 3; skip++) {
        if (nu_forwarded_last(text, skip, &address, &single))
            nu_assert(nu_address_is_ip(&address));
    }
    uint64_t number;
    if (nu_request_id_is_uuid(text))
        nu_assert(nu_request_id_number(text, &number));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct nu_arena arena;
    struct nu_str text = nu_str_make((const char *)data + 1, size - 1);
    nu_arena_init(&arena);
    check_normalize(&arena, text);
    check_merge(&arena, text);
    check_rules(&arena, text, data[0]);
    check_authority(&arena, text);
    check_url(&arena, text);
    check_small(&arena, text);
    nu_arena_finish(&arena);
    return 0;
}
