# SPDX-License-Identifier: Apache-2.0
"""Code of wasm plug-ins that is fetched from a cluster: what is asked for, what is taken, and what
becomes of requests while there is none. As in Envoy 1.36.4, but where a comment says otherwise."""
import hashlib
import http.server
import signal
import threading

import pytest

from peers import hold_port
from process import eventually
from test_wasm import (  # pylint: disable=unused-import
    BUILD, STRING, WASM, behind, tools)

GUEST = BUILD / "tests/guests/restricted.wasm"
ANSWER = "initialize=1 vm_start=1 log=0"


@pytest.fixture
def code():
    return GUEST.read_bytes()


class CodeServer(http.server.ThreadingHTTPServer):
    """Answers the n-th request with what plan(n) says: a status and a body, or None to hang up."""
    daemon_threads = True

    def __init__(self, plan):
        self.held = hold_port()  # as Origin's
        super().__init__(("127.0.0.1", self.held.getsockname()[1]), Handler)
        self.plan = plan
        self.asked = []
        self.gone = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def end(self):
        self.gone.set()
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request, client_address):
        """A client that has hung up is none."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        self.server.asked.append((self.path, dict(self.headers)))
        answer = self.server.plan(len(self.server.asked))
        if answer == "hang":
            self.server.gone.wait(30)
        if not isinstance(answer, tuple):
            self.close_connection = True
            return
        self.send_response(answer[0])
        self.send_header("content-length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    def log_message(self, *arguments):  # pylint: disable=arguments-differ
        pass


@pytest.fixture
def serving(held_ports):
    started = []

    def start(plan):
        started.append(CodeServer(plan))
        held_ports.append(started[-1].held)
        return started[-1]
    yield start
    for server in started:
        server.end()


def digest_of(body):
    return hashlib.sha256(body).hexdigest()


def plugin(sha256, cluster="code", name="one", extra="", retries=0, timeout="20s", vm="",
           uri="http://code.example:81/a.wasm?b=c"):
    return f"""          - name: wasm
            typed_config:
              "@type": {WASM}
              config:
                name: {name}
                root_id: root
                {extra}
                vm_config:
                  {vm}
                  code:
                    remote:
                      http_uri: {{uri: "{uri}", cluster: {cluster}, timeout: {timeout}}}
                      sha256: {sha256}
                      retry_policy:
                        num_retries: {retries}
                        retry_back_off: {{base_interval: 0.01s, max_interval: 0.02s}}
"""


def with_code_at(port, *plugins, cluster="STATIC"):
    return behind(*plugins) + f"""
  - name: code
    type: {cluster}
    dns_lookup_family: V4_ONLY
    load_assignment:
      cluster_name: code
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: {"127.0.0.1" if cluster == "STATIC"
                                                           else "localhost"}, port_value: {port}}}}}}}
"""


@pytest.fixture
def proxy(nuncio, origin):
    def start(server, *plugins, **options):
        return nuncio(with_code_at(server.server_port, *plugins, **options), "--concurrency", "2",
                      origin=origin().port)
    return start


def statistics(running):
    lines = running.get("admin", "/stats?filter=remote_load").text.splitlines()
    return {line.split(": ")[0].removeprefix("wasm.remote_load_"): int(line.split(": ")[1])
            for line in lines}


def test_code_is_fetched_before_listeners_open(proxy, serving, code):
    server = serving(lambda n: (200, code))
    running = proxy(server, plugin(digest_of(code)))
    assert running.get("main", "/").text.startswith(ANSWER)
    path, headers = server.asked[0]
    assert path == "/a.wasm?b=c" and len(server.asked) == 1
    assert headers["host"] == "code.example:81" and headers["x-envoy-internal"] == "true"
    assert headers["x-envoy-expected-rq-timeout-ms"] == "20000"
    counted = statistics(running)
    assert counted["fetch_successes"] == 1 and counted["cache_misses"] == 1
    assert counted["cache_entries"] == 1 and counted["fetch_failures"] == 0


@pytest.mark.parametrize("uri,path,host", [
    ("https://a.example/x", "/x", "a.example"), ("a.example/x/y", "/x/y", "a.example"),
    ("http://a.example", "/", "a.example"), ("/x", "/x", ""),
])
def test_the_uri_says_what_is_asked_for(proxy, serving, code, uri, path, host):
    server = serving(lambda n: (200, code))
    proxy(server, plugin(digest_of(code), uri=uri))
    assert server.asked[0][0] == path and server.asked[0][1]["host"] == host


def test_a_cluster_with_a_name_is_ready_before(proxy, serving, code):
    server = serving(lambda n: (200, code))
    running = proxy(server, plugin(digest_of(code)), cluster="STRICT_DNS")
    assert running.get("main", "/").text.startswith(ANSWER)
    assert len(server.asked) == 1


def test_plugins_with_the_same_code_fetch_it_once(proxy, serving, code):
    """Envoy fetches it twice, and the second plug-in fails."""
    server = serving(lambda n: (200, code))
    allowed = "capability_restriction_config: {allowed_capabilities: {proxy_on_vm_start: {}}}"
    running = proxy(server, plugin(digest_of(code), name="two", extra=allowed),
                    plugin(digest_of(code)))
    assert running.get("main", "/").text.startswith(ANSWER)
    assert len(server.asked) == 1
    counted = statistics(running)
    assert counted["cache_hits"] == 1 and counted["cache_misses"] == 1


def test_the_same_code_from_another_place_is_fetched_there(proxy, serving, code):
    server, dead = serving(lambda n: (200, code)), "http://code.example:81/"
    running = proxy(server, plugin(digest_of(code), cluster="nowhere", uri=dead,
                                   extra="failure_policy: FAIL_OPEN"),
                    plugin(digest_of(code), name="two"))
    assert running.get("main", "/").text.startswith(ANSWER)
    assert len(server.asked) == 1
    assert "wasm plug-in one has no code" in running.stderr.text
    assert "wasm plug-in two has no code" not in running.stderr.text


def test_what_fails_is_tried_again(proxy, serving, code):
    server = serving(lambda n: {1: (503, b""), 2: None, 3: (200, b""), 4: (200, b"else")}.get(
        n, (200, code)))
    running = proxy(server, plugin(digest_of(code), retries=4))
    assert running.get("main", "/").text.startswith(ANSWER)
    for why in ("the answer was 503", "reset before headers", "the answer was empty",
                f"its sha256 is {digest_of(b'else')}, not {digest_of(code)}"):
        assert why in running.stderr.text
    assert statistics(running)["fetch_failures"] == 0


@pytest.mark.parametrize("policy,status", [("FAIL_CLOSED", 503), ("FAIL_OPEN", 200)])
def test_without_code_a_plugin_fails_as_it_says(proxy, serving, policy, status):
    server = serving(lambda n: (404, b"no"))
    running = proxy(server, plugin(64 * "0", extra=f"failure_policy: {policy}", retries=1))
    assert running.get("main", "/").status == status
    assert ("wasm plug-in one has no code: http://code.example:81/a.wasm?b=c of cluster 'code': the "
            "answer was 404") in running.stderr.text
    assert statistics(running)["fetch_failures"] >= 1


def test_code_that_comes_late_is_taken(proxy, serving, code):
    """Envoy asks no more."""
    there = threading.Event()
    server = serving(lambda n: (200, code) if there.is_set() else (404, b""))
    running = proxy(server, plugin(digest_of(code)))
    assert running.get("main", "/").status == 503
    there.set()
    assert eventually(lambda: running.get("main", "/").text.startswith(ANSWER))
    assert running.stderr.text.count("has no code") == 1


def test_an_answer_that_does_not_come_is_waited_for_no_longer(proxy, serving):
    server = serving(lambda n: "hang")
    running = proxy(server, plugin(64 * "0", timeout="0.1s"))
    assert running.get("main", "/").status == 503
    assert "upstream request timeout" in running.stderr.text


def test_a_fetch_ends_with_the_process(nuncio, serving, origin):
    server = serving(lambda n: "hang")
    running = nuncio(with_code_at(server.server_port, plugin(64 * "0")), ready=None,
                     origin=origin().port)
    assert eventually(lambda: server.asked)
    running.signal(signal.SIGTERM)
    running.wait_exit()


def test_a_cluster_that_is_not_there_is_named(proxy, serving):
    server = serving(lambda n: (404, b"no"))
    running = proxy(server, plugin(64 * "0", cluster="nowhere"))
    assert running.get("main", "/").status == 503
    assert "of cluster 'nowhere': there is no such cluster" in running.stderr.text


@pytest.mark.parametrize("body,why", [
    (b"(module)", "the module cannot be used: it is no WebAssembly module"),
    (b"\0asm\1\0\0\0", "the module cannot be used: missing export: proxy_abi_version"),
])
def test_code_that_cannot_be_used_fails_its_plugin(proxy, serving, body, why):
    server = serving(lambda n: (200, body))
    running = proxy(server, plugin(digest_of(body)))
    assert running.get("main", "/").status == 503
    assert "wasm plug-in one: the fetched code is not used: " in running.stderr.text
    assert "vm_config.code: " + why in running.stderr.text


def test_a_plugin_that_does_not_start_fails(proxy, serving):
    guest = (BUILD / "tests/guests/http.wasm").read_bytes()
    server = serving(lambda n: (200, guest))
    refuses = f'configuration: {{"@type": {STRING}, value: refuse}}'
    running = proxy(server, plugin(digest_of(guest), extra=refuses))
    assert running.get("main", "/").status == 503
    assert "the plug-in does not start: proxy_on_configure returned false" in running.stderr.text


@pytest.mark.parametrize("old,new,why", [
    ("timeout: 20s", "", "http_uri.timeout: value is required"),
    ("cluster: code, ", "", "http_uri: value is required: http_upstream_type"),
    ("sha256: 00", "sha256: ''\n                      #", "remote.sha256: value length"),
    ("max_interval: 0.02s", "max_interval: 0.005s",
     "retry_back_off.max_interval: max_interval must be greater than or equal"),
    ("num_retries: 0", "retry_priority: {name: a}",
     "retry_policy.retry_priority: known to Envoy, not implemented"),
    ("vm_config:\n", "vm_config:\n                  nack_on_code_cache_miss: true\n",
     "nack_on_code_cache_miss: the code is not there yet, which is an error with this option"),
])
def test_what_is_wrong_with_a_source_is_an_error_of_the_configuration(nuncio, old, new, why):
    text = with_code_at(1, plugin(64 * "0"))
    assert old in text
    process = nuncio(text.replace(old, new), ready=None, expect_exit=1, origin=1)
    process.wait_exit()
    assert why in process.stderr.text


def test_validating_fetches_nothing(nuncio, serving):
    server = serving(lambda n: (404, b""))
    process = nuncio(with_code_at(server.server_port, plugin(64 * "0")), "--mode", "validate",
                     ready=None, expect_exit=0, origin=1)
    process.wait_exit()
    assert not server.asked
