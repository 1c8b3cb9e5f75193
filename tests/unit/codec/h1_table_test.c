/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of raw bytes: what the HTTP/1 codec takes, as what, and what it refuses. Every case is
 * fed whole, byte by byte, and cut in two at every place, with the pieces in one block and in
 * several: all ways must come to the same.
 *
 * The table runs against the llhttp of the build, and against others where NU_LLHTTP_ROOTS names
 * folders with their sources:
 *
 *     pip download --no-deps --no-binary :all: llhttp==9.3.0.0 pyllhttp==6.8.0   # 9.3.0 and 9.2.1
 *     cmake -S . -B build -DNU_LLHTTP_ROOTS="/tmp/llhttp-9.3.0.0;/tmp/pyllhttp-6.8.0"   # unpacked
 *     ctest --test-dir build -R h1_table
 *
 * Debian 12 has 8.1.0, Debian 13 has 9.2.1; 6.0.9 passes as well.
 */
#include "harness/test.h"

#include "harness/h1_driver.h"

struct request_case {
    const char *bytes;
    size_t len;
    const char *expected;
};

struct response_case {
    const char *method;
    bool eof; /* the server ends its side behind the bytes */
    const char *bytes;
    size_t len;
    const char *expected;
};

#define REQ(bytes, expected) {bytes, sizeof(bytes) - 1, expected},
#define RES(method, bytes, expected) {method, false, bytes, sizeof(bytes) - 1, expected},
#define EOF_RES(method, bytes, expected) {method, true, bytes, sizeof(bytes) - 1, expected},

static const struct request_case requests[] = {
#include "h1_requests.inc"
};
static const struct response_case responses[] = {
#include "h1_responses.inc"
};

/* How the bytes come: `step` at a time, after a first piece of `first`. */
struct feeding {
    size_t first;
    size_t step;
    bool own_blocks;
};

static size_t piece_at(const struct feeding *feeding, size_t at, size_t len)
{
    size_t piece = at == 0 && feeding->first ? feeding->first : feeding->step;
    return piece < len - at ? piece : len - at;
}

/* Feeds a case and returns what was heard; the run is to be finished by the caller. */
static struct nu_str hear_request(struct h1_requests *run, const struct request_case *c,
                                  const struct feeding *feeding)
{
    h1_requests_init(run);
    for (size_t at = 0; at < c->len && !run->failed;) {
        size_t piece = piece_at(feeding, at, c->len);
        h1_wire_receive(&run->wire, nu_str_make(c->bytes + at, piece), feeding->own_blocks);
        at += piece;
        h1_requests_run(run);
    }
    return h1_requests_text(run);
}

static struct nu_str hear_response(struct h1_response *run, const struct response_case *c,
                                   const struct feeding *feeding)
{
    h1_response_init(run, nu_str_from(c->method));
    h1_response_send(run, true);
    size_t at = 0;
    while (at < c->len && run->encoder && !run->failed) {
        size_t piece = piece_at(feeding, at, c->len);
        h1_wire_receive(&run->wire, nu_str_make(c->bytes + at, piece), feeding->own_blocks);
        at += piece;
        h1_response_run(run);
    }
    run->wire.conn.read_eof = c->eof;
    h1_response_run(run);
    /* The pool closes an idle connection that has bytes or an end to read. */
    if (!run->encoder && !run->failed && run->end == NU_H1_END_REUSABLE && (at < c->len || c->eof))
        run->end = NU_H1_END_SPENT;
    return h1_response_text(run);
}

static void check(struct nu_str heard, const char *expected, const char *bytes, size_t len,
                  const struct feeding *feeding)
{
    if (!nu_str_eq(heard, nu_str_from(expected)))
        print_error("input \"%.*s\", first %zu, step %zu\n", (int)len, bytes, feeding->first,
                    feeding->step);
    assert_str(heard, expected);
}

/* Calls `run` with every way of cutting `len` bytes. */
static void every_way(size_t len, void (*run)(const void *c, const struct feeding *feeding),
                      const void *c)
{
    for (int own = 0; own < 2; own++) {
        run(c, &(struct feeding){.step = len ? len : 1, .own_blocks = own});
        run(c, &(struct feeding){.step = 1, .own_blocks = own});
        for (size_t first = 1; first < len; first++)
            run(c, &(struct feeding){.first = first, .step = len, .own_blocks = own});
    }
}

static void run_request_case(const void *obj, const struct feeding *feeding)
{
    const struct request_case *c = obj;
    struct h1_requests run;
    check(hear_request(&run, c, feeding), c->expected, c->bytes, c->len, feeding);
    h1_requests_finish(&run);
}

static void run_response_case(const void *obj, const struct feeding *feeding)
{
    const struct response_case *c = obj;
    struct h1_response run;
    check(hear_response(&run, c, feeding), c->expected, c->bytes, c->len, feeding);
    h1_response_finish(&run);
}

TEST(every_request_is_judged_the_same_however_it_is_cut)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(requests); i++)
        every_way(requests[i].len, run_request_case, &requests[i]);
}

TEST(every_response_is_judged_the_same_however_it_is_cut)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(responses); i++)
        every_way(responses[i].len, run_response_case, &responses[i]);
}

static void print_line(struct nu_str line)
{
    printf("%.*s\n", NU_STR_ARG(line));
}

/* Prints what is heard of every case fed whole: `h1_table_test --print`, to look at new cases. */
static void print_table(void)
{
    const struct feeding whole = {.step = SIZE_MAX};
    for (size_t i = 0; i < NU_ARRAY_LEN(requests); i++) {
        struct h1_requests run;
        print_line(hear_request(&run, &requests[i], &whole));
        h1_requests_finish(&run);
    }
    for (size_t i = 0; i < NU_ARRAY_LEN(responses); i++) {
        struct h1_response run;
        print_line(hear_response(&run, &responses[i], &whole));
        h1_response_finish(&run);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        print_table();
        return 0;
    }
    return _cmocka_run_group_tests(__FILE__, nu_tests_, nu_test_count_, NULL, NULL);
}
