/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, one answer. The address is the configuration's own admin address, so that a
 * container names its configuration once; --url is for everything else.
 */
#include "server/health.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/url.h"
#include "net/address_from_proto.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

#define READY_PATH "/ready"

struct health_options {
    const char *url;
    const char *config_path;
    const char *address_path; /* what --admin-address-path wrote */
    const char *timeout_ms;
};

/* --- Whom to ask ------------------------------------------------------------------------------ */

bool nu_health_target_from_url(struct nu_str text, struct nu_health_target *out)
{
    struct nu_url url;
    *out = (struct nu_health_target){0};
    if (!nu_url_parse(text, &url) || !nu_str_eq(url.scheme, NU_STR("http")) || !url.host.len ||
        url.port > UINT16_MAX)
        return false;
    bool has_path = url.path.len > 1;
    out->port = (uint16_t)(url.has_port ? url.port : 80);
    out->host = nu_strndup(url.host.ptr, url.host.len);
    out->path = has_path ? nu_strndup(url.path.ptr, url.path.len) : nu_strdup(READY_PATH);
    enum nu_result literal = nu_address_parse_ip(url.host, out->port, &out->address);
    (void)literal; /* else it is a name */
    return true;
}

void nu_health_target_from_address(const struct nu_address *bound, struct nu_health_target *out)
{
    char text[NU_ADDRESS_TEXT_MAX];
    *out = (struct nu_health_target){
        .address = *bound, .port = bound->port, .path = nu_strdup(READY_PATH)};
    if (nu_address_is_any(bound)) {
        bool v6 = bound->family == NU_ADDRESS_IPV6;
        enum nu_result ok = nu_address_parse_ip(v6 ? NU_STR("::1") : NU_STR("127.0.0.1"),
                                                bound->port, &out->address);
        (void)ok;
    }
    if (bound->family == NU_ADDRESS_UNIX) {
        out->host = nu_strdup(bound->path);
        out->address.path = out->host;
    } else {
        out->host = nu_strndup(text, nu_address_format_ip(&out->address, text));
    }
}

void nu_health_target_finish(struct nu_health_target *target)
{
    nu_free(target->host);
    nu_free(target->path);
    *target = (struct nu_health_target){0};
}

static bool NU_PRINTF(1, 2) fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "nuncio health: ");
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);
    return false;
}

static bool print_errors(const struct nu_error_list *errors)
{
    struct nu_strbuf text = {0};
    nu_error_list_format(errors, &text);
    fprintf(stderr, "%.*s", NU_STR_ARG(nu_strbuf_str(&text)));
    nu_strbuf_finish(&text);
    return false;
}

static bool read_admin(struct nu_config_ctx *ctx, const struct health_options *options,
                       struct nu_health_target *out)
{
    const Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap =
        nu_config_load_bootstrap(ctx, options->config_path, NULL);
    struct nu_factory factory = {.ctx = ctx, .arena = ctx->arena};
    struct nu_address address;
    if (!bootstrap)
        return print_errors(&ctx->errors);
    if (!bootstrap->admin || !bootstrap->admin->address)
        return fail("%s has no admin address to ask; give it one, or use --url",
                    options->config_path);
    if (!nu_address_from_proto(&factory, bootstrap->admin, "address", bootstrap->admin->address,
                               "An admin interface needs an address, not a name", ctx->arena,
                               &address))
        return print_errors(&ctx->errors);
    if (nu_address_is_ip(&address) && address.port == 0)
        return fail("%s lets the system choose the admin port; use --admin-address-path FILE as "
                    "the running nuncio does",
                    options->config_path);
    nu_health_target_from_address(&address, out);
    return true;
}

static bool target_from_config(const struct health_options *options, struct nu_health_target *out)
{
    struct nu_arena arena;
    struct nu_config_ctx ctx;
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    bool ok = read_admin(&ctx, options, out);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
    return ok;
}

/* "127.0.0.1:9901", or the path of a unix socket. */
static bool target_from_file(const struct health_options *options, struct nu_health_target *out)
{
    char text[NU_ADDRESS_TEXT_MAX + 1];
    int fd = open(options->address_path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return fail("cannot read an address from '%s'", options->address_path);
    text[strcspn(text, "\r\n")] = '\0';
    struct nu_address address = nu_address_unix(text);
    enum nu_result is_ip =
        nu_address_parse_ip_port(nu_str_make(text, nu_min_size((size_t)n, strlen(text))), &address);
    (void)is_ip; /* else it is a path */
    nu_health_target_from_address(&address, out);
    return true;
}

static bool find_target(const struct health_options *options, struct nu_health_target *out)
{
    if (options->url)
        return nu_health_target_from_url(nu_str_from(options->url), out) ||
               fail("'%s' is no URL of the form http://host:port/path", options->url);
    if (options->address_path)
        return target_from_file(options, out);
    return target_from_config(options, out);
}

/* --- Asking ----------------------------------------------------------------------------------- */

static int connect_to(const struct sockaddr *sa, socklen_t len, const struct timeval *timeout)
{
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeout, sizeof(*timeout));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout, sizeof(*timeout));
    if (connect(fd, sa, len) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error == EINPROGRESS ? ETIMEDOUT : error;
    return -1;
}

static int connect_by_name(const struct nu_health_target *target, const struct timeval *timeout)
{
    char port[8];
    struct addrinfo *list = NULL;
    snprintf(port, sizeof(port), "%u", target->port);
    int code =
        getaddrinfo(target->host, port, &(struct addrinfo){.ai_socktype = SOCK_STREAM}, &list);
    int fd = -1;
    errno = ENOENT;
    for (const struct addrinfo *item = code == 0 ? list : NULL; item && fd < 0;
         item = item->ai_next)
        fd = connect_to(item->ai_addr, item->ai_addrlen, timeout);
    int error = errno;
    if (list)
        freeaddrinfo(list);
    errno = error;
    return fd;
}

static int connect_target(const struct nu_health_target *target, const struct timeval *timeout)
{
    struct sockaddr_storage sa;
    socklen_t len;
    if (target->address.family == NU_ADDRESS_NONE)
        return connect_by_name(target, timeout);
    if (nu_address_to_sockaddr(&target->address, &sa, &len) != NU_OK) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return connect_to((struct sockaddr *)&sa, len, timeout);
}

unsigned nu_health_read_status(struct nu_str response)
{
    enum { VERSION = 9 }; /* "HTTP/1.1 " */
    uint64_t status;
    if (response.len < VERSION + 3 || memcmp(response.ptr, "HTTP/1.", 7) != 0 ||
        nu_str_to_u64(nu_str_make(response.ptr + VERSION, 3), &status) != NU_OK || status < 100)
        return 0;
    return (unsigned)status;
}

/* Whether a response is there to its last byte, so that its connection's end need not be waited
 * for. */
static bool is_complete(const char *response, size_t len)
{
    static const char chunked_end[] = "\r\n0\r\n\r\n";
    const size_t end_len = sizeof(chunked_end) - 1;
    const char *head_end = memmem(response, len, "\r\n\r\n", 4);
    if (!head_end)
        return false;
    const char *field = strcasestr(response, "\r\ncontent-length:");
    if (field && field < head_end)
        return (size_t)(response + len - head_end - 4) >= strtoull(field + 17, NULL, 10);
    return len >= end_len && memcmp(response + len - end_len, chunked_end, end_len) == 0;
}

/* Sends the request and reads until the answer is complete, the other side ends, or `response`
 * (with room for a NUL behind `size`) is full. False with errno. */
static bool exchange(int fd, const struct nu_health_target *target, char *response, size_t size,
                     size_t *len)
{
    struct nu_strbuf request = {0};
    nu_strbuf_addf(&request,
                   "GET %s HTTP/1.1\r\nhost: %s\r\nuser-agent: nuncio-health\r\n"
                   "connection: close\r\n\r\n",
                   target->path,
                   target->address.family == NU_ADDRESS_UNIX ? "localhost" : target->host);
    response[0] = '\0';
    bool ok = send(fd, request.data, request.len, MSG_NOSIGNAL) == (ssize_t)request.len;
    nu_strbuf_finish(&request);
    *len = 0;
    while (ok && *len < size) {
        ssize_t n = read(fd, response + *len, size - *len);
        if (n == 0)
            return true;
        ok = n > 0 || errno == EINTR;
        *len += n > 0 ? (size_t)n : 0;
        response[*len] = '\0';
        if (is_complete(response, *len))
            return true;
    }
    return ok || nu_health_read_status(nu_str_make(response, *len)) != 0;
}

/* The state that the body names. */
static const char *find_state(const char *response)
{
    static const char *const states[] = {"PRE_INITIALIZING", "INITIALIZING", "DRAINING", "LIVE"};
    const char *body = strstr(response, "\r\n\r\n");
    for (size_t i = 0; body && i < NU_ARRAY_LEN(states); i++) {
        if (strstr(body, states[i]))
            return states[i];
    }
    return "";
}

static void print_target(FILE *out, const struct nu_health_target *target)
{
    bool is_ipv6 = target->address.family == NU_ADDRESS_IPV6;
    if (target->address.family == NU_ADDRESS_UNIX)
        fprintf(out, "%s of %s", target->path, target->host);
    else
        fprintf(out, "http://%s%s%s:%u%s", is_ipv6 ? "[" : "", target->host, is_ipv6 ? "]" : "",
                target->port, target->path);
}

static int report(const struct nu_health_target *target, const char *what, const char *detail,
                  bool ready)
{
    FILE *out = ready ? stdout : stderr;
    fprintf(out, "nuncio health: ");
    print_target(out, target);
    fprintf(out, ": %s%s%s\n", what, *detail ? " " : "", detail);
    return ready ? 0 : 1;
}

static int ask(const struct nu_health_target *target, const struct timeval *timeout)
{
    char response[4096];
    char status_text[16];
    size_t len;
    int fd = connect_target(target, timeout);
    if (fd < 0)
        return report(target, "cannot connect:", strerror(errno), false);
    bool ok = exchange(fd, target, response, sizeof(response) - 1, &len);
    int error = errno == EAGAIN ? ETIMEDOUT : errno;
    close(fd);
    if (!ok)
        return report(target, "no answer:", strerror(error), false);
    unsigned status = nu_health_read_status(nu_str_make(response, len));
    if (status == 0)
        return report(target, "what answers does not speak HTTP", "", false);
    snprintf(status_text, sizeof(status_text), "%u", status);
    bool has_state = status == 200 || status == 503;
    return report(target, status_text, has_state ? find_state(response) : "", status == 200);
}

/* --- The command ------------------------------------------------------------------------------ */

static void print_help(void)
{
    printf("usage: nuncio health [-c FILE | --url URL | --admin-address-path FILE] "
           "[--timeout-ms MS]\n"
           "\n"
           "Asks a running nuncio whether it is ready: exit status 0 if so, else 1 and why.\n"
           "\n"
           "  -c, --config-path FILE     ask at the admin address of this configuration\n"
           "  --url URL                  ask here; the path is /ready if there is none\n"
           "  --admin-address-path FILE  ask at the address in this file, which nuncio wrote\n"
           "  --timeout-ms MS            how long to wait; default: 3000\n");
}

/* Where an option's value goes; NULL if there is no such option. */
static const char **find_option(struct health_options *options, struct nu_str name)
{
    if (nu_str_eq(name, NU_STR("-c")) || nu_str_eq(name, NU_STR("--config-path")))
        return &options->config_path;
    if (nu_str_eq(name, NU_STR("--url")))
        return &options->url;
    if (nu_str_eq(name, NU_STR("--admin-address-path")))
        return &options->address_path;
    if (nu_str_eq(name, NU_STR("--timeout-ms")))
        return &options->timeout_ms;
    return NULL;
}

static bool read_options(int argc, char **argv, struct health_options *options)
{
    for (int i = 2; i < argc; i++) {
        struct nu_str name = nu_str_make(argv[i], strcspn(argv[i], "="));
        const char **value = find_option(options, name);
        if (!value)
            return fail("unknown option '%s'; nuncio health --help lists them", argv[i]);
        if (argv[i][name.len] == '=')
            *value = argv[i] + name.len + 1;
        else if (i + 1 < argc)
            *value = argv[++i];
        else
            return fail("%s needs a value", argv[i]);
    }
    if (!options->url && !options->config_path && !options->address_path)
        return fail("whom to ask? Give -c FILE, the running configuration, or --url URL");
    return true;
}

static bool read_timeout(const char *text, struct timeval *timeout)
{
    uint64_t ms = 3000;
    if (text && (nu_str_to_u64(nu_str_from(text), &ms) != NU_OK || ms == 0 || ms > UINT32_MAX))
        return fail("--timeout-ms: '%s' is not a number of milliseconds", text);
    *timeout =
        (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    return true;
}

int nu_health_main(int argc, char **argv)
{
    struct health_options options = {0};
    struct nu_health_target target = {0};
    struct timeval timeout;
    if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
        print_help();
        return 0;
    }
    if (!read_options(argc, argv, &options) || !read_timeout(options.timeout_ms, &timeout) ||
        !find_target(&options, &target))
        return 1;
    int status = ask(&target, &timeout);
    nu_health_target_finish(&target);
    return status;
}
