# SPDX-License-Identifier: Apache-2.0
"""The filters set_filter_state, of requests and of connections; the compat cases filter_state have the rest."""
import pytest

HTTP = "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config"
NETWORK = "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config"


def value(key, text, more=""):
    return (f"{{object_key: {key}, factory_key: envoy.string, {more}"
            f"format_string: {{text_format_source: {{inline_string: '{text}'}}}}}}")


def config(connection, request):
    return f"""
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: @main@}}}}
    filter_chains:
    - filters:
      - name: connection
        typed_config: {{"@type": {NETWORK}, on_new_connection: [{connection}]}}
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          access_log:
          - name: log
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {{text_format_source: {{inline_string: "log %FILTER_STATE(c:PLAIN)% %FILTER_STATE(r:PLAIN)%\\n"}}}}
          http_filters:
          - name: request
            typed_config: {{"@type": {HTTP}, on_request_headers: [{request}]}}
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                direct_response: {{status: 200, body: {{inline_string: ok}}}}
                response_headers_to_add:
                - header: {{key: state, value: "%FILTER_STATE(c:PLAIN)% %FILTER_STATE(r:PLAIN)%"}}
"""


def test_headers_and_logs_show_what_both_set(nuncio):
    process = nuncio(config(value("c", "%PROTOCOL%"), value("r", "%REQ(x)%:%FILTER_STATE(c:PLAIN)%")))
    assert process.get("main", "/", {"x": "1"}).headers["state"] == "- 1:-"
    process.stdout.wait("log - 1:-\n")


def test_a_connections_object_is_not_a_requests_to_change(nuncio):
    process = nuncio(config(value("c", "first"), value("c", "second") + ", " + value("r", "third")))
    assert process.get("main", "/").headers["state"] == "first third"


@pytest.mark.parametrize("more,name", [
    ("shared_with_upstream: TRANSITIVE, ", "TRANSITIVE"), ("shared_with_upstream: ONCE, ", "ONCE")])
def test_what_is_shared_with_upstream_is_refused_by_name(nuncio, more, name):
    process = nuncio(config(value("c", "x", more), value("r", "x")), ready=None, expect_exit=1)
    assert process.wait_exit() == 1
    assert f"{name}: known to Envoy, not implemented by nuncio" in process.stderr.text
