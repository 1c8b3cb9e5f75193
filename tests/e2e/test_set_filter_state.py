# SPDX-License-Identifier: Apache-2.0
"""The filters set_filter_state, of requests and of connections; the compat cases filter_state have the rest."""
import pytest

from configs import PROXY

HTTP = "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config"
NETWORK = "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config"
STDOUT = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
SHOWN = "%FILTER_STATE(c:PLAIN)% %FILTER_STATE(r:PLAIN)%"
ANSWERED = PROXY.replace("route: {cluster: origin}", f"""direct_response: {{status: 200}}
                response_headers_to_add: [{{header: {{key: state, value: "{SHOWN}"}}}}]""").replace(
    "          stat_prefix: main\n", f"""          stat_prefix: main
          access_log:
          - name: log
            typed_config:
              "@type": {STDOUT}
              log_format: {{text_format_source: {{inline_string: "log {SHOWN}\\n"}}}}
""")


def value(key, text, more=""):
    return (f"{{object_key: {key}, factory_key: envoy.string, {more}"
            f"format_string: {{text_format_source: {{inline_string: '{text}'}}}}}}")


@pytest.fixture
def proxy(nuncio):
    def start(connection, request, **options):
        return nuncio(ANSWERED.replace("    - filters:\n", f"""    - filters:
      - name: connection
        typed_config: {{"@type": {NETWORK}, on_new_connection: [{connection}]}}
""").replace("          http_filters:\n", f"""          http_filters:
          - name: request
            typed_config: {{"@type": {HTTP}, on_request_headers: [{request}]}}
"""), origin=1, **options)
    return start


def test_headers_and_logs_show_what_both_set(proxy):
    process = proxy(value("c", "%PROTOCOL%"), value("r", "%REQ(x)%:%FILTER_STATE(c:PLAIN)%"))
    assert process.get("main", "/", {"x": "1"}).headers["state"] == "- 1:-"
    process.stdout.wait("log - 1:-\n")


def test_a_connections_object_is_not_a_requests_to_change(proxy):
    process = proxy(value("c", "first"), value("c", "second") + ", " + value("r", "third"))
    assert process.get("main", "/").headers["state"] == "first third"


@pytest.mark.parametrize("name", ["TRANSITIVE", "ONCE"])
def test_what_is_shared_with_upstream_is_refused_by_name(proxy, name):
    process = proxy(value("c", "x", f"shared_with_upstream: {name}, "), value("r", "x"),
                    ready=None, expect_exit=1)
    assert process.wait_exit() == 1
    assert f"{name}: known to Envoy, not implemented by nuncio" in process.stderr.text
