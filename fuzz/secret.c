/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of secrets (SDS): what comes from another writer at run time. A secret that is read without
 * errors is tried as a TLS context would, so that certificates, keys, lists of revoked ones and OCSP
 * responses of any bytes end in a verdict.
 */
#include "config/config.h"
#include "fuzz/target.h"
#include "tls/settings_from_proto.h"

#include "envoy/extensions/transport_sockets/tls/v3/secret.pb-c.h"
#include "envoy/service/discovery/v3/discovery.pb-c.h"

typedef Envoy__Extensions__TransportSockets__Tls__V3__Secret secret_proto;

/* Files and the environment are another machine's in every run. */
static bool is_self_contained(struct nu_str text)
{
    return nu_str_find(text, NU_STR("ilename")) == NU_NPOS &&
           nu_str_find(text, NU_STR("nvironment")) == NU_NPOS;
}

static void check(struct nu_config_ctx *ctx, struct nu_arena *arena, const secret_proto *secret)
{
    struct nu_tls_reader reader = {.ctx = ctx, .arena = arena};
    switch (secret->type_case) {
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SECRET__TYPE_TLS_CERTIFICATE:
        nu_tls_check_secret(&reader, NU_TLS_SECRET_CERTIFICATE, &secret->tls_certificate->base);
        break;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SECRET__TYPE_VALIDATION_CONTEXT:
        nu_tls_check_secret(&reader, NU_TLS_SECRET_VALIDATION, &secret->validation_context->base);
        break;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SECRET__TYPE_SESSION_TICKET_KEYS:
        nu_tls_check_secret(&reader, NU_TLS_SECRET_TICKET_KEYS, &secret->session_ticket_keys->base);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nu_str text = nu_str_make((const char *)data, size);
    struct nu_arena arena;
    struct nu_config_ctx ctx;
    if (!is_self_contained(text))
        return 0;
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    const Envoy__Service__Discovery__V3__DiscoveryResponse *response = (const void *)nu_config_read(
        &ctx, "input", text, NU_CONFIG_YAML,
        &envoy__service__discovery__v3__discovery_response__descriptor);
    bool is_good = response && nu_config_is_ok(&ctx) && nu_config_validate(&ctx, &response->base);
    for (size_t i = 0; is_good && i < response->n_resources; i++) {
        const ProtobufCMessage *message = nu_config_any(&ctx, response->resources[i]);
        if (message && message->descriptor ==
                           &envoy__extensions__transport_sockets__tls__v3__secret__descriptor)
            check(&ctx, &arena, (const void *)message);
    }
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
    return 0;
}
