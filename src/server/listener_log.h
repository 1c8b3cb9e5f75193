/* SPDX-License-Identifier: Apache-2.0 */
/* The access logs of listeners: one line for each connection. */
#ifndef NU_SERVER_LISTENER_LOG_H
#define NU_SERVER_LISTENER_LOG_H

#include "net/listener_log.h"

extern const struct nu_listener_log_class nu_listener_log;

#endif
