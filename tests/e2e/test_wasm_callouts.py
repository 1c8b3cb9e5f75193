# SPDX-License-Identifier: Apache-2.0
"""Calls of proxy-wasm guests to clusters: tests/guests/callouts.c calls what the headers of a request
say and shows what it was told. The answers are those of Envoy 1.36.4 to the same guest, but where a
comment says otherwise."""
import functools
import re
import threading

import pytest

from lib.wire import Peer, message_end
from peers import IDLE_SECONDS, hold_port
from process import eventually
from test_wasm import BUILD, behind, plugin, tools  # noqa: F401 (a fixture)

GUEST = BUILD / "tests/guests/callouts.wasm"
ENDPOINTS = """
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}
"""


def cluster(name, port="@called@", extra=""):
    return f"  - name: {name}\n    type: STATIC\n    connect_timeout: 60s\n{extra}" + ENDPOINTS.format(name=name, port=port)[1:]


CLUSTERS = cluster("called") + "  - {name: empty, type: STATIC}\n" + cluster(
    "full", extra="    circuit_breakers: {thresholds: [{max_requests: 1, max_pending_requests: 1, "
                  "max_connections: 1}]}\n")


def next_end(peer):
    return len(peer.received) if peer.end != "open" else message_end(peer.received, peer.used, False)


def answer(peer, hold=lambda: None):
    """The called cluster: what the path says, once `hold` lets it."""
    while True:
        start = peer.used
        peer.wait("request or end", lambda: next_end(peer), IDLE_SECONDS)
        if peer.end != "open":
            return
        hold()
        method, path = bytes(peer.received[start:]).split()[:2]
        if path == b"/never":
            peer.wait_end()
            return
        if path == b"/close":
            return
        if path == b"/half":
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            return
        if path == b"/204":
            peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif path == b"/chunked":
            peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                      b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nend: v\r\n\r\n")
        elif path.startswith(b"/big/"):
            size = int(path[5:])
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
        elif method == b"HEAD":
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nX-Up: Yes\r\ncontent-length: 5\r\n\r\nhello")


def starter(nuncio, origin):
    def start(*plugins, clusters=CLUSTERS, arguments=("--concurrency", "1"), extra="",
              script=None, answers=answer):
        upstream, called = origin(script), origin(answers)
        text = behind(*(plugins or (plugin(code=GUEST),))) + clusters + extra
        process = nuncio(text, *arguments, origin=upstream.port, called=called.port)
        process.upstream, process.called = upstream, called
        return process
    return start


@pytest.fixture
def proxy(nuncio, origin):
    return starter(nuncio, origin)


@pytest.fixture(scope="module")
def that_calls_nobody(tools, shared_nuncio, shared_origin):  # noqa: F811  pylint: disable=redefined-outer-name,unused-argument
    return starter(shared_nuncio, shared_origin)()


def ask(running, **headers):
    """What the guest says that it was told; its calls go to `called`, unless it is said otherwise."""
    headers.setdefault("call", "called")
    return running.get("main", "/", {name.replace("_", "-"): str(value)
                                     for name, value in headers.items()}).text


def told(token, headers, body, trailers=0, code=0, message=""):
    return f"token {token} headers {headers} body {body} trailers {trailers} " \
           f"got 0 code {code} message {message}\n"


HELLO = told(4, 4, 5) + "headers :status=200 | x-up=Yes | content-length=5 | " \
    "x-envoy-upstream-service-time=N\nbody 0 hello\ntrailers\n"


# --- What is refused (61) --------------------------------------------------------------------------


@pytest.mark.parametrize("headers,status", [
    ({"call": "nosuch"}, 2), ({"omit": ":path"}, 2), ({"omit": ":method"}, 2),
    ({"omit": ":authority"}, 2), ({"omit": "time"}, 2), ({"omit": "token"}, 6),
    ({"omit": "memory"}, 6), ({"call": "empty"}, 10), ({"method": "CONNECT"}, 2),
])
def test_a_call_is_refused(that_calls_nobody, headers, status):
    assert ask(that_calls_nobody, **headers) == f"refused {status}\n"
    assert not that_calls_nobody.called.received


def test_a_cluster_that_is_full_refuses_at_once(proxy):
    running = proxy()
    text = ask(running, call="full", times=4)
    assert text.startswith("refused 10\nrefused 10\nrefused 10\ntoken 4 headers 4 ")


# --- Outcomes (62, 66, 67) -------------------------------------------------------------------------


def test_an_answer_is_told(proxy):
    running = proxy()
    assert ask(running, path="/a?b", method="POST", body="abc", timeout=5000) == HELLO
    assert running.called.received[0] == (
        b"POST /a?b HTTP/1.1\r\nhost: called\r\nx-sent: by guest\r\ncontent-length: 3\r\n"
        b"x-envoy-internal: true\r\nx-envoy-expected-rq-timeout-ms: 5000\r\n\r\nabc")


def test_a_refused_connection_is_a_503(nuncio, origin):
    with hold_port() as closed:
        text = behind(plugin(code=GUEST)) + cluster("called", closed.getsockname()[1])
        running = nuncio(text, "--concurrency", "1", origin=origin().port)
        text = ask(running)
    assert text.startswith(told(4, 3, 167) + "headers :status=503 | content-length=167 | "
                           "content-type=text/plain\nbody 0 upstream connect error or disconnect")


@pytest.mark.parametrize("path,timeout,text", [
    ("/never", 50, told(4, 3, 24) + "headers :status=504 | content-length=24 | "
     "content-type=text/plain\nbody 0 upstream request timeout\ntrailers\n"),
    ("/close", 0, told(4, 3, 95) + "headers :status=503 | content-length=95 | "
     "content-type=text/plain\nbody 0 upstream connect error or disconnect/reset before headers. "
     "reset reason: connection termination\ntrailers\n"),
    ("/half", 0, told(4, 0, 0, code=11, message="reset") + "headers\nbody 1 \ntrailers\n"),
    ("/204", 0, told(4, 2, 0) + "headers :status=204 | x-envoy-upstream-service-time=N\n"
     "body 0 \ntrailers\n"),
    ("/chunked", 0, told(4, 3, 7) + "headers :status=200 | transfer-encoding=chunked | "
     "x-envoy-upstream-service-time=N\nbody 0 abcdefg\ntrailers\n"),
])
def test_outcomes(proxy, path, timeout, text):
    assert ask(proxy(), path=path, timeout=timeout) == text


def test_a_failed_head_request_has_no_body(proxy):
    assert ask(proxy(), path="/close", method="HEAD").startswith(
        told(4, 3, 0) + "headers :status=503 | content-length=95 | ")


def test_the_code_of_a_failure_stays_and_its_message_does_not(proxy):
    running = proxy()
    ask(running, path="/half")
    assert ask(running).startswith(told(8, 4, 5, code=11))


def test_an_answer_to_head_has_no_body(proxy):
    assert ask(proxy(), method="HEAD").startswith(told(4, 3, 0) + "headers :status=200 | "
                                                  "content-length=10")


def test_a_large_answer(proxy):
    assert ask(proxy(), path="/big/3000000").startswith(told(4, 3, 3000000))


def test_an_answer_has_a_limit(proxy):
    running = proxy(extra="layered_runtime: {layers: [{name: a, static_layer: "
                          "{http.async_response_buffer_limit: 1000}}]}\n")
    assert ask(running, path="/big/1000").startswith(told(4, 3, 1000))
    assert ask(running, path="/big/1001").startswith(told(8, 0, 0, code=11, message="reset"))


def test_an_answer_is_there_to_be_read_while_it_is_told(proxy):
    response = proxy().get("main", "/", {"call": "called", "then": "everything"})
    assert "within value 0 none 1 trailer 2 pairs 0 of 1 add 2 set 2 bytes 0 length 0 write 2" \
        in response.text
    assert response.headers["tried"].startswith(
        "after value 2 none 2 trailer 2 pairs 0 of 0 add 2 set 2 bytes 1 length 1 write 1")


# --- What is sent ----------------------------------------------------------------------------------


def test_host_stands_for_authority(proxy):
    running = proxy()
    ask(running, authority="by-host")
    assert running.called.received[0].startswith(b"GET /call HTTP/1.1\r\nhost: by-host\r\n")


def test_a_guest_does_not_say_how_its_request_is_framed(proxy):
    """Envoy sends a content-length without a body, and what follows it on the connection is taken
    for the body."""
    running = proxy()
    ask(running, length=7)
    assert b"content-length" not in running.called.received[0]
    ask(running, length=7, body="abc")
    assert running.called.received[0].endswith(b"\r\n\r\nabc")


def test_a_line_break_in_a_value_is_no_new_header(proxy):
    running = proxy()
    ask(running, extra="broken")
    assert b"\r\nextra: a  b: c\r\n" in running.called.received[0]


# --- Several calls (63, 64, 65) --------------------------------------------------------------------


def test_ten_calls_at_once(proxy):
    text = ask(proxy(), times=10)
    tokens = [int(token) for token in re.findall(r"^token (\d+)", text, re.M)]
    assert sorted(tokens) == list(range(4, 44, 4)) and text.count("body 0 hello") == 10


def test_a_call_from_the_answer_of_a_call(proxy):
    running = proxy()
    assert ask(running, then="again") == HELLO + "again 0\n" + HELLO.replace("token 4", "token 8")
    assert b"GET /again " in running.called.received[0]


def test_a_call_from_a_tick(proxy):
    running = proxy()
    running.get("main", "/", {"tick": "called"})
    running.stderr.wait("tick calls 4")
    running.stderr.wait("answer to root 1")
    assert running.called.received[0].startswith(b"GET /from-tick ")


def test_requests_of_several_workers_call_at_once(proxy):
    """All requests of a VM share the guest's text: one that comes empties it, so no call is answered
    before all are made, and what one request is told may be another one's."""
    all_made = threading.Barrier(100)
    running = proxy(arguments=("--concurrency", "4"),
                    answers=functools.partial(answer, hold=lambda: all_made.wait(Peer.patience)))
    clients = [running.connect() for _ in range(20)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\ncall: called\r\ntimes: 5\r\n\r\n")
    for client in clients:
        client.wait_message(is_response=True)
    texts = b"".join(bytes(client.received) for client in clients)
    assert texts.count(b"body 0 hello") == 100, texts


# --- What becomes of the stream (68, 69) -----------------------------------------------------------


def test_a_request_goes_on_where_it_stood(proxy):
    running = proxy(plugin(code=GUEST), plugin(code=GUEST, configuration="other"))
    response = running.get("main", "/", {"call": "called", "then": "go"})
    assert (response.status, response.text) == (200, "ok")
    assert running.called.received[0].count(b"GET /call ") == 2  # each filter's, once
    assert running.upstream.received[0].count(b"GET / ") == 1


def pausing(peer):
    peer.wait_message(is_response=False)
    peer.send(b"HTTP/1.1 200 OK\r\npause: 1\r\ncontent-length: 2\r\n\r\nok")


def test_a_response_waits_for_a_call(proxy):
    running = proxy(script=pausing)
    response = running.get("main", "/")
    assert (response.status, response.text) == (200, "ok")
    assert running.called.received[0].startswith(b"GET /from-response ")


def test_a_trap_in_an_answer_fails_all_that_wait(proxy):
    running = proxy()
    waits = running.connect()
    waits.send(b"GET / HTTP/1.1\r\nhost: a\r\ncall: called\r\npath: /never\r\n\r\n")
    assert eventually(lambda: any(running.called.received))
    assert running.get("main", "/", {"call": "called", "then": "trap"}).status == 503
    waits.wait_message(is_response=True)
    assert waits.received.startswith(b"HTTP/1.1 503 ")


def test_an_answer_for_a_request_that_is_gone(proxy):
    gone = threading.Event()
    running = proxy(answers=functools.partial(answer, hold=lambda: gone.wait(Peer.patience)))
    client = running.connect()
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\ncall: called\r\nthen: gone\r\n\r\n")
    assert eventually(lambda: any(running.called.received))
    client.close()
    assert eventually(lambda: running.stats()["http.main.downstream_cx_active"] == 0)
    gone.set()
    running.stderr.wait("effective 2")


def test_a_call_on_its_way_does_not_outlive_the_process(proxy):
    running = proxy()
    client = running.connect()
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\ncall: called\r\npath: /never\r\n\r\n")
    assert eventually(lambda: any(running.called.received))
    client.close()
    running.finish()


# --- Bounds ----------------------------------------------------------------------------------------


# Sanitizers take their time.
PATIENCE = """bootstrap_extensions:
- name: limits
  typed_config: {"@type": type.googleapis.com/nuncio.wasm.v1.Limits, every_vm: {callback_cpu_time: 60s}}
"""


def test_calls_of_a_vm_have_a_bound(proxy):
    """Envoy has none. Each call costs 8 KiB and what is in it, all together may cost 256 MiB."""
    running = proxy(clusters=cluster("called", extra="    circuit_breakers: {thresholds: [{"
                                     "max_requests: 100000, max_pending_requests: 100000, "
                                     "max_connections: 1}]}\n"), extra=PATIENCE)
    text = ask(running, path="/never", timeout=100, times=10000, body="long", then="flood")
    made = int(text.split()[1])
    assert 3600 < made < (256 << 20) / (72 << 10)  # each has a body of 64 KiB
    assert eventually(lambda: running.stats()["cluster.called.upstream_rq_timeout"] == made)
    running.stderr.wait("hold 256 MiB")
    assert ask(running).startswith(f"token {4 * made + 4} ")
