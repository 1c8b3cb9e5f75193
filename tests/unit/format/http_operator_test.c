/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on headers, the path and gRPC's status. The expectations were seen with Envoy
 * 1.36.4. */
#include "harness/format_fixture.h"

static struct fixture f;

static const struct nu_format_options log_options;

/* With prefix_rewrite /new for /old?; without a rewrite the first row's values. */
TEST(path_chooses_between_the_original_and_the_rewritten_path)
{
    static const struct operator_case rewritten[] = {
        {"PATH", "/old?", "\"/old?\""},
        {"PATH(:)", "/old?", "\"/old?\""},
        {"PATH(WQ:)", "/old?", "\"/old?\""},
        {"PATH(NQ)", "/old", "\"/old\""},
        {"PATH(WQ:ORIG)", "/old?", "\"/old?\""},
        {"PATH(NQ:ORIG)", "/old", "\"/old\""},
        {"PATH(WQ:PATH)", "/new?", "\"/new?\""},
        {"PATH(NQ:PATH)", "/new", "\"/new\""},
        {"PATH(NQ:ORIG_OR_PATH)", "/old", "\"/old\""},
        {"PATH(:ORIG)", "/old?", "\"/old?\""},
        {"PATH(:PATH)", "/new?", "\"/new?\""},
        {"PATH(NQ):3", "/ol", "\"/ol\""},
        {"PATH():0", "", "\"\""},
        {"REQ(x-envoy-original-path?:PATH)", "/old?", "\"/old?\""},
    };
    fixture_init(&f);
    nu_headers_set(&f.request, NU_STR(":path"), NU_STR("/new?"));
    nu_headers_add(&f.request, NU_STR("x-envoy-original-path"), NU_STR("/old?"));
    fixture_check(&f, rewritten, NU_ARRAY_LEN(rewritten));
    fixture_finish(&f);
}

TEST(query_parameters_are_decoded)
{
    static const struct operator_case cases[] = {
        {"QUERY_PARAM(a)", "abc", "\"abc\""},     {"QUERY_PARAM(a):2", "ab", "\"ab\""},
        {"QUERY_PARAM(a):0", "", "\"\""},         {"QUERY_PARAM(b)", "", "\"\""},
        {"QUERY_PARAM(c)", "", "\"\""},           {"QUERY_PARAM(d)", "1+2+%zz", "\"1+2+%zz\""},
        {"QUERY_PARAM(e)", "%", "\"%\""},         {"QUERY_PARAM(f)", "%4", "\"%4\""},
        {"QUERY_PARAM(g)", "7", "\"7\""},         {"QUERY_PARAM(%67)", "-", "null"},
        {"QUERY_PARAM(h)", "a=b#f", "\"a=b#f\""}, {"QUERY_PARAM(A)", "-", "null"},
        {"QUERY_PARAM(ab)", "-", "null"},
    };
    fixture_init(&f);
    nu_headers_set(&f.request, NU_STR(":path"),
                   NU_STR("/x?a=abc&a=2&b&c=&=5&d=1+2%2B%zz&e=%&f=%4&%67=7&h=a=b#f"));
    fixture_check(&f, cases, NU_ARRAY_LEN(cases));
    nu_headers_set(&f.request, NU_STR(":path"), NU_STR("/x"));
    assert_str(fixture_format(&f, "%QUERY_PARAM(a)%", &log_options), "-");
    fixture_finish(&f);
}

TEST(a_long_query_parameter_is_printed_whole)
{
    fixture_init(&f);
    struct nu_strbuf path = {0};
    nu_strbuf_add_cstr(&path, "/x?a=");
    for (int i = 0; i < 5000; i++)
        nu_strbuf_add_char(&path, (char)('a' + i % 26));
    nu_headers_set(&f.request, NU_STR(":path"), nu_strbuf_str(&path));
    struct nu_str out = fixture_format(&f, "%QUERY_PARAM(a)%", &log_options);
    assert_true(nu_str_eq(out, nu_str_skip(nu_strbuf_str(&path), 5)));
    nu_strbuf_finish(&path);
    fixture_finish(&f);
}

TEST(req_without_query_cuts_any_header)
{
    static const struct nu_format_options options = {.has_req_without_query = true};
    fixture_init(&f);
    nu_headers_set(&f.request, NU_STR(":path"), NU_STR("/p?q=1"));
    nu_headers_set(&f.request, NU_STR("x-a"), NU_STR("v?w"));
    assert_str(fixture_format(&f,
                              "%REQ_WITHOUT_QUERY(:path)% %REQ_WITHOUT_QUERY(x-none?:PATH)% "
                              "%REQ_WITHOUT_QUERY(none)% %REQ_WITHOUT_QUERY(:path):1% "
                              "%REQ_WITHOUT_QUERY(x-a)%",
                              &options),
               "/p /p - / v");
    fixture_finish(&f);
}

struct grpc_case {
    const char *status; /* grpc-status of the response; NULL: none */
    uint32_t http;
    const char *text; /* camel|snake|number */
    const char *json; /* snake, number */
};

static void check_grpc(const struct grpc_case *c)
{
    nu_headers_remove(&f.response, NU_STR("grpc-status"));
    if (c->status)
        nu_headers_add(&f.response, NU_STR("grpc-status"), nu_str_from(c->status));
    f.info.response_code = c->http;
    assert_str(fixture_format(&f, "%GRPC_STATUS%|%GRPC_STATUS(SNAKE_STRING)%|%GRPC_STATUS_NUMBER%",
                              &log_options),
               c->text);
    struct nu_value list = nu_value_list();
    nu_value_add(&list, &f.arena, nu_value_string(NU_STR("%GRPC_STATUS(SNAKE_STRING)%")));
    nu_value_add(&list, &f.arena, nu_value_string(NU_STR("%GRPC_STATUS(NUMBER)%")));
    struct nu_value json = nu_value_struct();
    nu_value_set(&json, &f.arena, NU_STR("k"), list);
    struct nu_str out = fixture_json(&f, &json, &log_options);
    assert_str(nu_str_make(out.ptr + 5, out.len - 6), c->json);
}

TEST(grpc_status_has_names)
{
    static const struct grpc_case cases[] = {
        {"0", 200, "OK|OK|0", "[\"OK\",0]"},
        {"1", 200, "Canceled|CANCELLED|1", "[\"CANCELLED\",1]"},
        {"2", 200, "Unknown|UNKNOWN|2", "[\"UNKNOWN\",2]"},
        {"3", 200, "InvalidArgument|INVALID_ARGUMENT|3", "[\"INVALID_ARGUMENT\",3]"},
        {"4", 200, "DeadlineExceeded|DEADLINE_EXCEEDED|4", "[\"DEADLINE_EXCEEDED\",4]"},
        {"5", 200, "NotFound|NOT_FOUND|5", "[\"NOT_FOUND\",5]"},
        {"05", 200, "NotFound|NOT_FOUND|5", "[\"NOT_FOUND\",5]"},
        {"6", 200, "AlreadyExists|ALREADY_EXISTS|6", "[\"ALREADY_EXISTS\",6]"},
        {"7", 200, "PermissionDenied|PERMISSION_DENIED|7", "[\"PERMISSION_DENIED\",7]"},
        {"8", 200, "ResourceExhausted|RESOURCE_EXHAUSTED|8", "[\"RESOURCE_EXHAUSTED\",8]"},
        {"9", 200, "FailedPrecondition|FAILED_PRECONDITION|9", "[\"FAILED_PRECONDITION\",9]"},
        {"10", 200, "Aborted|ABORTED|10", "[\"ABORTED\",10]"},
        {"11", 200, "OutOfRange|OUT_OF_RANGE|11", "[\"OUT_OF_RANGE\",11]"},
        {"12", 200, "Unimplemented|UNIMPLEMENTED|12", "[\"UNIMPLEMENTED\",12]"},
        {"13", 200, "Internal|INTERNAL|13", "[\"INTERNAL\",13]"},
        {"14", 200, "Unavailable|UNAVAILABLE|14", "[\"UNAVAILABLE\",14]"},
        {"15", 200, "DataLoss|DATA_LOSS|15", "[\"DATA_LOSS\",15]"},
        {"16", 200, "Unauthenticated|UNAUTHENTICATED|16", "[\"UNAUTHENTICATED\",16]"},
        {"17", 200, "17|17|17", "[\"17\",17]"},
        {"-1", 200, "-1|-1|-1", "[\"-1\",-1]"},
        {"abc", 200, "-1|-1|-1", "[\"-1\",-1]"},
        {"1x", 200, "-1|-1|-1", "[\"-1\",-1]"},
        {"99999999999", 200, "99999999999|99999999999|99999999999",
         "[\"99999999999\",99999999999]"},
        {"", 200, "Unknown|UNKNOWN|2", "[\"UNKNOWN\",2]"},
        {NULL, 200, "Unknown|UNKNOWN|2", "[\"UNKNOWN\",2]"},
        {NULL, 301, "Unknown|UNKNOWN|2", "[\"UNKNOWN\",2]"},
        {NULL, 400, "Internal|INTERNAL|13", "[\"INTERNAL\",13]"},
        {NULL, 401, "Unauthenticated|UNAUTHENTICATED|16", "[\"UNAUTHENTICATED\",16]"},
        {NULL, 403, "PermissionDenied|PERMISSION_DENIED|7", "[\"PERMISSION_DENIED\",7]"},
        {NULL, 404, "Unimplemented|UNIMPLEMENTED|12", "[\"UNIMPLEMENTED\",12]"},
        {NULL, 429, "Unavailable|UNAVAILABLE|14", "[\"UNAVAILABLE\",14]"},
        {NULL, 500, "Unknown|UNKNOWN|2", "[\"UNKNOWN\",2]"},
        {NULL, 502, "Unavailable|UNAVAILABLE|14", "[\"UNAVAILABLE\",14]"},
        {NULL, 503, "Unavailable|UNAVAILABLE|14", "[\"UNAVAILABLE\",14]"},
        {NULL, 504, "Unavailable|UNAVAILABLE|14", "[\"UNAVAILABLE\",14]"},
    };
    fixture_init(&f);
    nu_headers_add(&f.request, NU_STR("content-type"), NU_STR("application/grpc"));
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++)
        check_grpc(&cases[i]);
    fixture_finish(&f);
}

TEST(grpc_status_is_for_grpc_requests_and_trailers_come_first)
{
    static const struct {
        const char *type;
        const char *expected;
    } cases[] = {{"application/grpc+proto", "NotFound"},
                 {"application/grpcx", "-"},
                 {"application/grpc;a=b", "-"},
                 {"application/grpc-web", "-"},
                 {"text/plain", "-"},
                 {"APPLICATION/GRPC", "-"}};
    fixture_init(&f);
    nu_headers_add(&f.response, NU_STR("grpc-status"), NU_STR("5"));
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        nu_headers_set(&f.request, NU_STR("content-type"), nu_str_from(cases[i].type));
        assert_str(fixture_format(&f, "%GRPC_STATUS%", &log_options), cases[i].expected);
    }
    struct nu_headers trailers;
    nu_headers_init(&trailers, &f.arena, 2);
    nu_headers_add(&trailers, NU_STR("grpc-status"), NU_STR("3"));
    f.context.response_trailers = &trailers;
    nu_headers_set(&f.request, NU_STR("content-type"), NU_STR("application/grpc"));
    assert_str(fixture_format(&f, "%GRPC_STATUS% %TRAILER(Grpc-Status)% %RESPONSE_TRAILERS_BYTES%",
                              &log_options),
               "InvalidArgument 3 12");
    fixture_finish(&f);
}

/* The values of by|hash|uri|dns|subject in an x-forwarded-client-cert header. */
TEST(xfcc_values_are_found_outside_of_quotes)
{
    static const struct {
        const char *header;
        const char *expected;
    } cases[] = {
        {"By=b1;Hash=h1;URI=u1;DNS=d1;Subject=\"s=1,\\\"q\\\";x\"", "b1|h1|u1|d1|s=1,\"q\";x"},
        {"URI=u1,URI=u2", "-|-|u1|-|-"},
        {"Hash=h;URI=", "-|h||-|-"},
        {"hash=h1;uri=u1", "-|h1|u1|-|-"},
        {"Subject=\"\";Hash=h,Subject=plain;URI=\"q,uo\"", "-|h|q,uo|-|"},
        {"garbage", "-|-|-|-|-"},
        {"URI", "-|-||-|-"},
        {"=x", "-|-|-|-|-"},
        {" URI=u1 ; By=x", "x|-|u1|-|-"},
        {"URI=a=b", "-|-|a=b|-|-"},
        {"URI=a;URI=b, Hash=q", "-|q|a|-|-"},
        {"URI=\"unterminated", "-|-|-|-|-"},
        {"DNS=a;DNS=b;Subject=\"a\\\\b\"", "-|-|-|a|a\\b"},
        {"URI=\"a\"b", "-|-|\"a\"b|-|-"},
        {"URI=a\"b;c\"d", "-|-|a\"b;c\"d|-|-"},
        {"Hash=h1;,URI=u", "-|h1|u|-|-"},
        {"Hash=h,URI=\"unterm", "-|h|-|-|-"},
        {"URI=\"a,Hash=b", "-|-|-|-|-"},
        {"Subject=\"a\\nb\"", "-|-|-|-|a\\nb"},
        {"Subject=\" x \"", "-|-|-|-| x "},
        {"Subject=\"\\\\\";Hash=h", "-|h|-|-|\\"},
        {"Hash=\"\";Hash=z", "-||-|-|-"},
        {"Subject=\"a\" ;Hash=q", "-|q|-|-|a"},
        {"Sub\"ject;Hash=x\"y", "-|-|-|-|-"},
    };
    fixture_init(&f);
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        nu_headers_set(&f.request, NU_STR("x-forwarded-client-cert"), nu_str_from(cases[i].header));
        assert_str(fixture_format(&f,
                                  "%XFCC_VALUE(by)%|%XFCC_VALUE(hash)%|%XFCC_VALUE(uri)%|"
                                  "%XFCC_VALUE(dns)%|%XFCC_VALUE(subject)%",
                                  &log_options),
                   cases[i].expected);
    }
    fixture_finish(&f);
}

TEST(a_known_header_is_found_behind_the_index)
{
    fixture_init(&f);
    char name[16];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "x-%d", i);
        nu_headers_add(&f.request, nu_str_from(name), NU_STR("v"));
    }
    nu_headers_add(&f.request, NU_STR("referer"), NU_STR("far"));
    assert_str(fixture_format(&f, "%REQ(Referer)% %REQ(x-299)% %REQ(:method)%", &log_options),
               "far v POST");
    fixture_finish(&f);
}

TEST_MAIN()
