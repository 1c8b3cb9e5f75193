/* SPDX-License-Identifier: Apache-2.0 */
/* The part of settings_from_proto.h that is about TlsParameters. Main thread. */
#ifndef NU_TLS_PARAMS_FROM_PROTO_H
#define NU_TLS_PARAMS_FROM_PROTO_H

#include "tls/settings_from_proto.h"

struct Envoy__Extensions__TransportSockets__Tls__V3__TlsParameters;

/* Reads what is negotiated, or Envoy's defaults where `proto` is NULL; settings->is_server must be
 * set. Errors are in reader->ctx. */
void nu_tls_read_params(
    struct nu_tls_reader *reader,
    const struct Envoy__Extensions__TransportSockets__Tls__V3__TlsParameters *proto,
    struct nu_tls_settings *settings);

#endif
