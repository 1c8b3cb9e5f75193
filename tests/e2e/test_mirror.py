# SPDX-License-Identifier: Apache-2.0
"""Mirroring by the real binary: copies have every byte, and nothing that a shadow does reaches the
client or stays in memory."""
import hashlib
import socket
import threading

import pytest

import h2
from configs import PROXY
from peers import IDLE_SECONDS, hold_port
from process import eventually, has_sanitizer

MIB = 1 << 20
BODY = hashlib.sha512(b"seed").digest() * (MIB // 64)
CLUSTER = """
  - name: NAME
    type: STATIC
    load_assignment:
      cluster_name: NAME
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @NAME@}}}
"""


def mirroring(*shadows):
    policies = ", ".join("{cluster: %s}" % name for name in shadows)
    route = "{cluster: origin, request_mirror_policies: [%s]}" % policies
    more = "".join(CLUSTER.replace("NAME", name) for name in shadows)
    return PROXY.replace("{cluster: origin}", route, 1) + more


def digests(peer):
    """Answers each request with the digest of its body."""
    while True:
        begin = peer.used
        peer.wait("request or end",
                  lambda: len(peer.received) if peer.end != "open" else end_of(peer), IDLE_SECONDS)
        if peer.end != "open":
            return
        body = bytes(peer.received[begin:peer.used]).partition(b"\r\n\r\n")[2]
        text = hashlib.sha256(body).hexdigest().encode()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(text) + text)


def end_of(peer):
    """Where the next request ends, or None while it is not complete."""
    blank = peer.received.find(b"\r\n\r\n", peer.used)
    if blank < 0:
        return None
    head = bytes(peer.received[peer.used:blank]).lower()
    end = blank + 4 + int(head.partition(b"content-length: ")[2].split(b"\r\n")[0] or b"0")
    return end if len(peer.received) >= end else None


def post(client, body, path=b"/"):
    client.send(b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % (path, len(body)))
    client.send(body)


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def assert_idle(proxy, *clusters):
    for name in clusters:
        assert eventually(lambda name=name: proxy.stats()[f"cluster.{name}.upstream_rq_active"] == 0)


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_copies_have_every_byte(nuncio, origin, protocol):
    shadows = [origin(digests) for _ in range(2)]
    proxy = nuncio(mirroring("one", "two"), "--concurrency", "2", origin=origin(digests).port,
                   one=shadows[0].port, two=shadows[1].port)
    wanted = hashlib.sha256(BODY).hexdigest().encode()
    for _ in range(3):
        if protocol == "http1":
            client = proxy.connect()
            post(client, BODY)
            client.wait_message(is_response=True)
            assert bytes(client.received).endswith(b"\r\n\r\n" + wanted)
        else:
            answer = h2.client(proxy).exchange("/", method="POST", body=BODY,
                                               fields=[("content-length", str(len(BODY)))])
            assert (answer.status, answer.body) == (200, wanted)
    for name, shadow in zip(("one", "two"), shadows):
        assert eventually(lambda name=name: proxy.stats()[f"cluster.{name}.upstream_rq_200"] == 3)
        received = b"".join(shadow.received)
        assert received.count(BODY) == 3
        assert received.count(b"-shadow\r\n") == 3
    assert_idle(proxy, "origin", "one", "two")


def test_a_shadow_that_reads_nothing_holds_nobody_up(nuncio, origin):
    """Envoy would stop reading the client; what is kept for the shadow is bounded."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = nuncio(mirroring("one"), "--concurrency", "1", origin=origin(digests).port,
                   one=listener.getsockname()[1])
    body = BODY * 24
    client = proxy.connect()
    before = rss_kib(proxy.pid)
    peak = 0
    client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body))
    for at in range(0, len(body), MIB):
        client.send(body[at:at + MIB])
        peak = max(peak, rss_kib(proxy.pid))
    client.wait_message(is_response=True)
    assert bytes(client.received).endswith(hashlib.sha256(body).hexdigest().encode())
    stats = proxy.stats()
    assert stats["cluster.origin.retry_or_shadow_abandoned"] == 1
    assert_idle(proxy, "one")
    if not has_sanitizer(proxy.binary):
        assert peak - before < 16 * 1024
    listener.close()


def test_dying_shadows_are_not_heard_of(nuncio, origin):
    def dies(peer):
        peer.wait("some of the body",
                  lambda: len(peer.received) if len(peer.received) > 2000 else None)
        peer.reset()

    gone = hold_port()
    proxy = nuncio(mirroring("dies", "gone"), "--concurrency", "1", origin=origin(digests).port,
                   dies=origin(dies).port, gone=gone.getsockname()[1])
    wanted = hashlib.sha256(BODY).hexdigest().encode()
    client = proxy.connect()
    for count in range(1, 6):
        post(client, BODY)
        client.wait_message(is_response=True)
        assert bytes(client.received).endswith(wanted)
        assert bytes(client.received).count(b"HTTP/1.1 200 OK") == count
        assert eventually(lambda: proxy.stats().get("cluster.dies.upstream_rq_503") == count)
    assert eventually(lambda: proxy.stats()["cluster.gone.upstream_rq_503"] == 5)
    assert_idle(proxy, "origin", "dies", "gone")
    gone.close()


def test_a_shadow_outlives_the_client_and_not_the_process(nuncio, origin):
    answer, come = threading.Event(), threading.Event()

    def waits(peer):
        peer.wait_message(is_response=False)
        come.set()
        answer.wait(60)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        peer.wait_end()

    proxy = nuncio(mirroring("one"), "--concurrency", "1", origin=origin().port,
                   one=origin(waits).port)
    assert proxy.get("main").status == 200
    assert come.wait(30)
    assert eventually(lambda: proxy.stats()["http.main.downstream_cx_active"] == 0)
    assert proxy.stats()["cluster.one.upstream_rq_active"] == 1
    answer.set()
    assert eventually(lambda: proxy.stats().get("cluster.one.upstream_rq_200") == 1)
    answer.clear()
    come.clear()
    assert proxy.get("main").status == 200
    assert come.wait(30)
    proxy.signal(15)
    proxy.wait_exit()
    answer.set()


def test_ten_thousand_copies_leave_nothing(nuncio, origin):
    """Under a sanitizer the end of the process shows leaks; else memory does."""
    count, batch = 10000, 100
    proxy = nuncio(mirroring("one"), "--concurrency", "1", origin=origin(digests).port,
                   one=origin(digests).port)
    request = b"POST /%d HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n" + BODY[:100]
    answer = hashlib.sha256(BODY[:100]).hexdigest().encode()
    after_first = 0
    with socket.create_connection(("127.0.0.1", proxy.port("main"))) as client:
        for first in range(0, count, batch):
            client.sendall(b"".join(request % number for number in range(first, first + batch)))
            received = b""
            while received.count(answer) < batch:
                piece = client.recv(65536)
                assert piece
                received += piece
            if first == count // 10:
                after_first = rss_kib(proxy.pid)
    assert eventually(lambda: proxy.stats()["cluster.one.upstream_rq_200"] == count)
    assert_idle(proxy, "one")
    if not has_sanitizer(proxy.binary):
        assert rss_kib(proxy.pid) - after_first < 2 * 1024
    assert proxy.stats()["http.async-client.rq_total"] == count
