/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole plug-in: requests pass when their token header holds the right word. README.md beside
 * this file says how to build and run it.
 *
 * A filter is three things: a class (one, constant, at the end of this file), a configuration (one
 * for each use in a nuncio configuration, shared by all threads), and an instance for each request.
 * This one needs nothing of its own in the instance, so that struct nu_filter alone is enough.
 */
#include <nuncio/plugin.h>

struct token_gate_config {
    struct nu_str header;
    struct nu_str token;
};

/* The filter itself. */
static enum nu_headers_status decode_headers(struct nu_filter *self, struct nu_headers *h, bool end)
{
    const struct token_gate_config *config = self->route_config ? self->route_config : self->config;
    (void)end;
    if (nu_str_eq(nu_headers_get(h, config->header), config->token))
        return NU_HEADERS_CONTINUE;
    nu_filter_reply(self, 403, NU_STR("forbidden\n"), NU_STR("token_gate_denied"));
    return NU_HEADERS_STOP;
}

/* Reads `config: {header: ..., token: ...}` once, when nuncio starts. */
static const void *config_create(struct nu_plugin_config *config)
{
    struct token_gate_config *gate = nu_plugin_config_alloc(config, sizeof(*gate));
    gate->header = NU_STR("x-token");
    if (!nu_plugin_config_string(config, "header", &gate->header) ||
        !nu_plugin_config_string(config, "token", &gate->token))
        return NULL;
    if (gate->token.len == 0) {
        nu_plugin_config_error(config, "token", "a token is required: without one nobody passes");
        return NULL;
    }
    return gate;
}

static const struct nu_filter_class token_gate = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "token_gate",
    .instance_size = sizeof(struct nu_filter),
    .config_create = config_create,
    .decode_headers = decode_headers,
};

NUNCIO_PLUGIN(&token_gate)
