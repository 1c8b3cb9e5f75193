# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards upstreams: streams of one connection, their limits, and what breaks it. What an
exchange looks like on both sides is compared with a real Envoy in tests/compat/cases/h2."""
import threading
import time

import h2
from configs import PROXY

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def with_options(text, config=PROXY, common=""):
    """PROXY with HttpProtocolOptions in its cluster."""
    return config.replace("    type: STATIC\n", f"""    type: STATIC
    typed_extension_protocol_options:
      {OPTIONS}:
        "@type": type.googleapis.com/{OPTIONS}
        {common}
        {text}
""")


H2 = with_options("explicit_http_config: {http2_protocol_options: {}}")


class Gate:
    """An upstream's script that answers when it is told to."""

    def __init__(self):
        self.came, self.open = threading.Semaphore(0), threading.Event()

    def __call__(self, peer):
        waiting = []
        while peer.peer.end == "open":
            peer.pump(0.01)
            for stream in peer.ids:
                peer.wait_message(stream)
                self.came.release()
            waiting, peer.ids = waiting + peer.ids, []
            if self.open.is_set():
                for stream in waiting:
                    peer.respond(stream, 200, [("content-length", "2")], b"ok")
                waiting = []

    def wait(self, count):
        for _ in range(count):
            assert self.came.acquire(timeout=h2.WAIT_SECONDS)


def get_all(proxy, count, path="/"):
    """Requests on connections of their own, at the same time; gives a function that ends them."""
    answers = [None] * count

    def run(index):
        answers[index] = proxy.get("main", path).status

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()

    def finish():
        for thread in threads:
            thread.join(h2.WAIT_SECONDS)
        return answers
    return finish


def wait_stat(proxy, name, value):
    deadline = time.monotonic() + h2.WAIT_SECONDS
    while (seen := proxy.stats().get(name)) != value:
        assert time.monotonic() < deadline, f"{name} is {seen}, not {value}"
        time.sleep(0.01)


def test_many_requests_share_one_connection(nuncio, origin):
    gate = Gate()
    upstream = origin(h2.upstream(gate))
    proxy = nuncio(H2, "--concurrency", "1", origin=upstream.port)
    finish = get_all(proxy, 20)
    gate.wait(20)
    stats = proxy.stats()
    assert stats["cluster.origin.http2.streams_active"] == 20
    assert stats["cluster.origin.upstream_rq_active"] == 20
    gate.open.set()
    assert finish() == [200] * 20
    assert len(upstream.peers) == 1
    assert proxy.stats()["cluster.origin.upstream_cx_http2_total"] == 1
    wait_stat(proxy, "cluster.origin.upstream_rq_active", 0)
    wait_stat(proxy, "cluster.origin.http2.streams_active", 0)


def test_the_limit_of_streams_opens_more_connections(nuncio, origin):
    gate = Gate()
    upstream = origin(h2.upstream(gate))
    proxy = nuncio(with_options("explicit_http_config: {http2_protocol_options: "
                                "{max_concurrent_streams: 2}}"),
                   "--concurrency", "1", origin=upstream.port)
    finish = get_all(proxy, 6)
    gate.wait(6)
    assert proxy.stats()["cluster.origin.upstream_cx_active"] == 3
    gate.open.set()
    assert finish() == [200] * 6
    assert len(upstream.peers) == 3


def test_a_raised_limit_of_the_peer_serves_those_who_wait(nuncio, origin):
    """One stream at a time and one connection: the second request waits for new settings."""
    raise_limit, raised = threading.Event(), threading.Event()

    def script(peer):
        first, _ = peer.wait_request()
        peer.respond(first, 200)
        held, _ = peer.wait_request()
        assert raise_limit.wait(h2.WAIT_SECONDS)
        peer.settings({3: 10})
        later, _ = peer.wait_request()
        raised.set()
        peer.respond(later, 201)
        peer.respond(held, 202)
        peer.wait_end(h2.IDLE_SECONDS)

    upstream = origin(h2.upstream(script, settings={3: 1}))
    config = H2.replace("    type: STATIC\n", "    type: STATIC\n    circuit_breakers: "
                        "{thresholds: [{max_connections: 1}]}\n")
    proxy = nuncio(config, "--concurrency", "1", origin=upstream.port)
    assert proxy.get("main").status == 200
    finish = get_all(proxy, 2)
    wait_stat(proxy, "cluster.origin.upstream_rq_pending_active", 1)
    raise_limit.set()
    assert sorted(finish()) == [201, 202]
    assert raised.is_set() and len(upstream.peers) == 1


def test_a_server_that_speaks_no_http2_is_a_protocol_error(nuncio, origin):
    upstream = origin()
    proxy = nuncio(H2, origin=upstream.port)
    answer = proxy.get("main")
    assert answer.status == 502 and "protocol error" in answer.text
    assert proxy.stats()["cluster.origin.upstream_cx_protocol_error"] == 1


def test_the_head_of_a_response_has_limits(nuncio, origin):
    def script(peer):
        for count in (50, 51):
            stream, _ = peer.wait_request()
            peer.respond(stream, 200, [(f"x-{i}", "y") for i in range(count - 1)])
        peer.wait_end(h2.IDLE_SECONDS)

    upstream = origin(h2.upstream(script))
    proxy = nuncio(with_options("explicit_http_config: {http2_protocol_options: {}}",
                                common="common_http_protocol_options: {max_headers_count: 50}"),
                   "--concurrency", "1", origin=upstream.port)
    assert proxy.get("main").status == 200
    assert proxy.get("main").status == 503
    assert proxy.stats()["cluster.origin.http2.header_overflow"] == 1


def test_a_body_before_the_head_reaches_no_client(nuncio, origin):
    """Envoy passes it on, as a chunk without a response."""
    def script(peer):
        stream, _ = peer.wait_request()
        peer.data(stream, b"HTTP/1.1 200 OK\r\n\r\n", end=True)
        peer.wait_end()

    proxy = nuncio(H2, origin=origin(h2.upstream(script)).port)
    assert proxy.get("main").status == 502


def test_a_request_that_is_given_up_leaves_its_place(nuncio, origin):
    """The upstream takes nothing of the body, which is complete: the reset must not wait for it."""
    seen = threading.Event()

    def script(peer):
        peer.respond(peer.wait_request()[0], 200)
        stream, _ = peer.wait_request(head=True)
        peer.wait("reset", lambda: h2.stream_is_reset(peer, stream))
        seen.set()
        h2.serve(peer)

    proxy = nuncio(H2, "--concurrency", "1",
                   origin=origin(h2.upstream(script, settings={4: 0})).port)
    assert proxy.get("main").status == 200  # the windows are known
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n" + bytes(1000))
    wait_stat(proxy, "cluster.origin.http2.pending_send_bytes", 1000)
    client.close()
    assert seen.wait(h2.WAIT_SECONDS)
    wait_stat(proxy, "cluster.origin.http2.streams_active", 0)


def test_a_response_that_has_come_outlives_its_connection(nuncio, origin):
    """The server closes behind a response of which the slow client has read nothing yet."""
    size, closed = 12 << 20, threading.Event()

    def script(peer):
        stream, _ = peer.wait_request()
        peer.respond(stream, 200, [("content-length", str(size))], bytes(size))
        peer.peer.close()
        closed.set()

    proxy = nuncio(H2, "--concurrency", "1", origin=origin(h2.upstream(script)).port)
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert closed.wait(h2.WAIT_SECONDS)
    wait_stat(proxy, "cluster.origin.upstream_cx_destroy", 1)
    client.wait_message(True)
    assert len(client.received) > size
    client.close()


def send_until_stalled(peer, stream, size):
    """Sends a body until no window was given for a while."""
    while size:
        if peer.windows.get(stream, peer.peer_window) < h2.FRAME_BYTES and not peer.pump(0.3):
            return
        if min(peer.window, peer.windows.get(stream, peer.peer_window)) >= h2.FRAME_BYTES:
            peer.body(stream, bytes(h2.FRAME_BYTES), end=False)
            size -= h2.FRAME_BYTES
    raise AssertionError("nothing held it back")


def test_a_slow_client_holds_back_its_own_stream_alone(nuncio, origin):
    """One client reads nothing of its 64 MiB; another one gets its own over the same connection."""
    size = 64 << 20
    stalled, done = threading.Event(), threading.Event()

    def script(peer):
        slow, _ = peer.wait_request()
        peer.headers(slow, [(":status", "200"), ("content-length", str(size))])
        send_until_stalled(peer, slow, size)
        stalled.set()
        quick, _ = peer.wait_request()
        peer.respond(quick, 200, [("content-length", str(1 << 20))], bytes(1 << 20))
        done.set()
        peer.wait("end", lambda: peer.peer.end != "open", h2.IDLE_SECONDS)

    config = with_options("explicit_http_config: {http2_protocol_options: "
                          "{initial_stream_window_size: 1048576}}")
    upstream = origin(h2.upstream(script))
    proxy = nuncio(config, "--concurrency", "1", origin=upstream.port)
    slow = proxy.connect()
    slow.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert stalled.wait(h2.WAIT_SECONDS)
    assert len(proxy.get("main").body) == 1 << 20
    assert done.wait(h2.WAIT_SECONDS) and len(upstream.peers) == 1
    slow.close()
