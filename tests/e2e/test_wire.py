# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 on the wire: connections that are kept and ended, bodies that are none, peers that are early,
late, slow or gone."""
import re
import socket
import threading
import time

import pytest

from configs import PATIENT, PROXY
from strict import Cut, StrictOrigin, answer, statuses

GET = "GET {} HTTP/1.1\r\nhost: a\r\n{}\r\n"


def with_hcm(options):
    """PROXY with more fields of the connection manager."""
    return PROXY.replace("stat_prefix: main", "stat_prefix: main\n" + "".join(
        f"          {line}\n" for line in options).rstrip("\n"))


def get(target="/", fields=""):
    return GET.format(target, fields).encode()


@pytest.fixture
def strict():
    started = []

    def start(script=answer):
        started.append(StrictOrigin(script))
        return started[-1]

    yield start
    problems = [problem for upstream in started for problem in upstream.finish()]
    assert not problems, "\n".join(problems)


def exchange(proxy, data, count=1):
    """The client after it sent `data` and read `count` responses."""
    client = Cut(proxy.port("main"), data, 0)
    client.send_rest()
    client.got = client.read(count)
    return client


def read_to_end(client):
    while piece := client.sock.recv(1 << 16):
        client.received += piece
    return client.received


def test_a_hundred_pipelined_requests_are_answered_in_order(nuncio, strict):
    origin = strict()
    proxy = nuncio(PROXY, origin=origin.port)
    client = exchange(proxy, b"".join(get(f"/{i:03}") for i in range(100)), 100)
    assert client.got == [200] * 100
    assert re.findall(rb"\r\n\r\n/(\d{3})", client.received) == [b"%03d" % i for i in range(100)]
    assert origin.connections == 1
    client.close()


def test_connection_close_ends_the_connection_and_hides_what_follows(nuncio, strict):
    origin = strict()
    proxy = nuncio(PROXY, origin=origin.port)
    client = exchange(proxy, get("/1", "connection: close\r\n") + get("/2"))
    assert statuses(read_to_end(client)) == ([200], b"")
    assert [request.target for request in origin.requests] == [b"/1"]
    client.close()


def test_messages_without_a_body_leave_the_connection_usable(nuncio, strict):
    lines = {b"/204": b"204 No Content", b"/304": b"304 Not Modified"}

    def script(request):
        if request.target in lines:
            return b"HTTP/1.1 " + lines[request.target] + b"\r\n\r\n"
        return answer(request)

    origin = strict(script)
    proxy = nuncio(PROXY, origin=origin.port)
    client = exchange(proxy, b"HEAD /head HTTP/1.1\r\nhost: a\r\n\r\n", 0)
    while b"\r\n\r\n" not in client.received:
        client.received += client.sock.recv(65536)
    assert b"content-length: 5\r\n" in client.received and client.received.endswith(b"\r\n\r\n")
    client.received = b""
    client.data = get("/204") + get("/304") + get("/last")
    client.send_rest()
    assert client.read(3) == [204, 304, 200]
    assert client.received.endswith(b"/last") and origin.connections == 1
    client.close()


def test_a_configured_answer_of_a_bodiless_status_has_none(nuncio, strict):
    config = PROXY
    for status in (204, 304):
        config = config.replace("routes:\n", f"routes:\n              - match: {{path: /{status}}}\n"
                                f"                direct_response: {{status: {status}, "
                                "body: {inline_string: stray}}\n", 1)
    proxy = nuncio(config, origin=strict().port)
    client = exchange(proxy, get("/204") + get("/304") + get("/last"), 3)
    assert client.got == [204, 304, 200] and b"stray" not in client.received
    client.close()


def test_expect_is_answered_before_the_body_is_sent(nuncio, strict):
    origin = strict()
    proxy = nuncio(PROXY, origin=origin.port)
    client = Cut(proxy.port("main"), b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n"
                 b"expect: 100-continue\r\n\r\nok", 0)
    client.at = len(client.data) - 2
    client.send_first()
    while b"\r\n\r\n" not in client.received:
        client.received += client.sock.recv(65536)
    assert client.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send_rest()
    assert client.read(1) == [200]
    assert origin.requests[0].body == b"ok" and not origin.requests[0].all(b"expect")
    client.close()


def test_an_early_response_ends_both_connections(nuncio, origin):
    """The upstream answers before it has the request: nothing of the exchange may be left behind."""
    late = threading.Event()

    def script(peer):
        peer.wait_text(b"abc")
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly")
        peer.wait("end", lambda: peer.end != "open" or None, 20)
        late.set()

    proxy = nuncio(PROXY, origin=origin(script).port)
    client = exchange(proxy, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc")
    assert client.got == [200] and b"connection: close" in client.received
    assert late.wait(20)
    assert statuses(read_to_end(client)) == ([200], b"")
    client.close()


def test_an_answer_to_a_request_that_is_still_being_written_does_not_hold_the_client(nuncio, origin):
    """The upstream never reads the large body that the proxy has, and answers: the client's connection
    goes on, and the upstream's does not."""
    size = 8 << 20
    first = threading.Event()

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        if first.is_set():
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond")
        else:
            first.set()
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst")
        peer.wait("end", lambda: peer.end != "open" or None, 20)

    proxy = nuncio(PROXY, origin=origin(script).port)
    client = Cut(proxy.port("main"), b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % size, 0)
    client.send_rest()
    assert client.read(1) == [200] and client.received.endswith(b"first")
    client.close()
    client = exchange(proxy, get())
    assert client.got == [200] and client.received.endswith(b"second")
    client.close()


def test_a_client_that_does_not_read_its_answers_gets_no_more_of_them(nuncio, origin):
    """A pipeline of large configured answers to a client that never reads: memory stays bounded."""
    body = "x" * 4000
    config = PROXY.replace("routes:\n", "routes:\n              - match: {path: /big}\n"
                           f"                direct_response: {{status: 200, body: {{inline_string: {body}}}}}\n")
    proxy = nuncio(config, "--concurrency", "1", origin=origin().port)
    before = resident(proxy)
    with socket.create_connection(("127.0.0.1", proxy.port("main"))) as client:
        client.settimeout(1)
        try:
            for _ in range(400):  # 100,000 requests for 400 MB of answers
                client.sendall(get("/big") * 250)
        except TimeoutError:
            pass  # held back: what should happen
        assert proxy.get("main", "/").status == 200
        assert resident(proxy) - before < 48 << 20


def test_a_slow_reader_of_64_mib_costs_bounded_memory(nuncio, origin):
    size = 64 << 20

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        peer.sock.settimeout(20)
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(64):
            peer.sock.sendall(bytes(1 << 20))

    proxy = nuncio(PATIENT, origin=origin(script).port)
    before = resident(proxy)
    client = Cut(proxy.port("main"), get(), 0)
    client.send_rest()
    total, most = 0, 0
    while total < size:
        total += len(client.sock.recv(1 << 18))
        if total % 8 == 0:
            most = max(most, resident(proxy) - before)
    assert most < 16 << 20
    client.close()


def resident(proxy):
    with open(f"/proc/{proxy.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_endless_interim_responses_fail_the_exchange(nuncio, strict):
    origin = strict(lambda request: b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 5000)
    proxy = nuncio(PROXY, origin=origin.port)
    client = exchange(proxy, get())
    assert client.got == [502]
    client.close()


def test_bytes_on_an_idle_upstream_connection_end_it(nuncio, origin):
    connections = []
    sent = threading.Event()

    def script(peer):
        connections.append(peer)
        peer.wait_text(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        if len(connections) == 1:
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned")
            peer.wait("end", lambda: peer.end != "open" or None, 20)
            sent.set()

    proxy = nuncio(PROXY, origin=origin(script).port)
    client = exchange(proxy, get("/1"))
    assert sent.wait(20)
    client.data, client.received = get("/2"), b""
    client.send_rest()
    assert client.read(1) == [200] and client.received.endswith(b"ok") and len(connections) == 2
    client.close()


def test_a_client_that_ends_its_side_is_not_answered(nuncio, origin):
    asked, gone = threading.Event(), threading.Event()

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        asked.set()
        peer.wait("end", lambda: peer.end != "open" or None, 20)
        gone.set()

    proxy = nuncio(PROXY, origin=origin(script).port)
    client = exchange(proxy, get(), 0)
    assert asked.wait(20)
    client.sock.shutdown(socket.SHUT_WR)
    assert read_to_end(client) == b"" and gone.wait(20)
    client.close()


def test_http10_gets_426_and_with_the_option_an_answer_that_ends_with_the_connection(nuncio, origin):
    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")

    upstream = origin(script)
    proxy = nuncio(PROXY, origin=upstream.port)
    client = exchange(proxy, b"GET / HTTP/1.0\r\nhost: a\r\n\r\n")
    assert client.got == [426]
    client.close()
    proxy = nuncio(with_hcm(["http_protocol_options: {accept_http_10: true}"]), origin=upstream.port)
    client = exchange(proxy, b"GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n", 0)
    head, _, body = read_to_end(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200") and body == b"ok"
    assert b"chunked" not in head and b"connection: close" in head
    client.close()


@pytest.mark.parametrize("begin, options, status", [
    (b"GET / HTTP/1.1\r\nhos", ["request_headers_timeout: 0.2s"], 408),
    (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nab", ["request_timeout: 0.2s"], 408),
    (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nab", ["stream_idle_timeout: 0.2s"], 408),
])
def test_a_client_that_dawdles_is_told_and_left(nuncio, origin, begin, options, status):
    proxy = nuncio(with_hcm(options + ["delayed_close_timeout: 0.2s"]), origin=origin().port)
    client = exchange(proxy, begin)
    assert client.got == [status]
    assert statuses(read_to_end(client)) == ([status], b"")
    client.close()


def test_a_connection_without_a_request_is_closed_in_time(nuncio, origin):
    proxy = nuncio(with_hcm(["common_http_protocol_options: {idle_timeout: 0.2s}", "drain_timeout: 0.2s"]), origin=origin().port)
    for begin in (b"", b"\r\n", b"\r"):  # empty lines are no request
        client = exchange(proxy, begin, 0)
        try:
            assert read_to_end(client) == b""
        except ConnectionResetError:
            pass  # it was closed before that was sent
        client.close()


def test_a_peer_that_reads_nothing_of_the_last_answer_is_not_waited_for(nuncio, origin):
    """The answer is larger than what the sockets take: the connection ends all the same."""
    size = 16 << 20
    done = threading.Event()

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        peer.sock.settimeout(20)
        try:
            peer.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + bytes(size))
        except OSError:
            pass
        done.set()

    proxy = nuncio(with_hcm(["delayed_close_timeout: 0.3s", "stream_idle_timeout: 0.5s"]),
                   origin=origin(script).port)
    with socket.create_connection(("127.0.0.1", proxy.port("main"))) as client:
        client.sendall(get("/", "connection: close\r\n"))
        assert done.wait(20)
        deadline = time.monotonic() + 20
        while proxy.stats()["http.main.downstream_cx_active"]:
            assert time.monotonic() < deadline, "the connection is still there"


def test_many_small_chunks_pass_in_few_pieces(nuncio, strict):
    origin = strict()
    proxy = nuncio(PROXY, origin=origin.port)
    count = 20000
    client = exchange(proxy, b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" +
                      b"1\r\nx\r\n" * count + b"0\r\n\r\n")
    assert client.got == [200] and origin.requests[0].body == b"x" * count
    client.close()
