# SPDX-License-Identifier: Apache-2.0
"""The plain configuration that most tests start from: one listener, one cluster, an admin port."""

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3." \
      "HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
PRIME = "type.googleapis.com/nuncio.filters.http.prime_authz.v1.PrimeAuthz"

ADMIN = """
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: @admin@}}
"""

# Everything from @main@ goes to the cluster `origin` at @origin@.
PROXY = ADMIN + f"""
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: @main@}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {HCM}
          stat_prefix: main
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                route: {{cluster: origin}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": {ROUTER}}}
  clusters:
  - name: origin
    type: STATIC
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: @origin@}}}}}}
"""

# The same without a limit for the response, which much of it may exceed on a busy machine.
PATIENT = PROXY.replace("route: {cluster: origin}", "route: {cluster: origin, timeout: 0s}")

# The same behind the prime gate.
GATED = PROXY.replace("""          http_filters:
""", f"""          http_filters:
          - name: prime_authz
            typed_config: {{"@type": {PRIME}}}
""")
