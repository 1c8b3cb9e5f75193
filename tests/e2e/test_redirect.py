# SPDX-License-Identifier: Apache-2.0
"""Internal redirects by the real binary: the client sees the last answer alone, bodies come whole to
every upstream, and nothing stays in memory."""
import hashlib
import socket

import pytest

import h2
from configs import GATED, PROXY
from peers import IDLE_SECONDS
from process import eventually, has_sanitizer
from test_mirror import BODY, CLUSTER, digests, end_of, post, rss_kib
from test_plugin import PLUGIN, plugins  # noqa: F401

HOLDING = PROXY.replace("          http_filters:\n", f"""          http_filters:
          - name: plugin
            typed_config: {{"@type": {PLUGIN}, path: services.so, name: services}}
""")

ROUTE = """              - match: {prefix: /}
                route: {cluster: origin}
"""
FOLLOWING = """              - match: {prefix: /first}
                route: {cluster: origin, internal_redirect_policy: {POLICY}}
              - match: {prefix: /}
                route: {cluster: other}
"""


def following(policy="", base=PROXY):
    routes = FOLLOWING.replace("POLICY", policy)
    limit = 'domains: ["*"]\n              request_body_buffer_limit: 4000000'
    return base.replace(ROUTE, routes).replace('domains: ["*"]', limit) + CLUSTER.replace("NAME", "other")


def redirects(answer):
    """A script that answers every request so, once it is complete."""
    def script(peer):
        while True:
            peer.wait("request or end",
                      lambda: len(peer.received) if peer.end != "open" else end_of(peer), IDLE_SECONDS)
            if peer.end != "open":
                return
            peer.send(answer)
    return script


TO_NEXT = b"HTTP/1.1 302 Found\r\nlocation: http://b.test/next\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_a_large_body_goes_along(nuncio, origin, protocol):
    first, other = origin(redirects(TO_NEXT)), origin(digests)
    proxy = nuncio(following(), "--concurrency", "1", origin=first.port, other=other.port)
    wanted = hashlib.sha256(BODY).hexdigest().encode()
    for _ in range(3):
        if protocol == "http1":
            client = proxy.connect()
            post(client, BODY, b"/first")
            client.wait_message(is_response=True)
            assert bytes(client.received).endswith(b"\r\n\r\n" + wanted)
            assert b" 302 " not in client.received
        else:
            answer = h2.client(proxy).exchange("/first", method="POST", body=BODY,
                                               fields=[("content-length", str(len(BODY)))])
            assert (answer.status, answer.body) == (200, wanted)
    for upstream in (first, other):
        assert b"".join(upstream.received).count(BODY) == 3
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_internal_redirect_succeeded_total"] == 3
    assert stats["http.main.downstream_rq_total"] == 6
    assert eventually(lambda: proxy.stats()["cluster.origin.upstream_rq_active"] == 0)
    assert eventually(lambda: proxy.stats()["http.main.downstream_rq_active"] == 0)


def test_a_body_over_the_limit_does_not(nuncio, origin):
    proxy = nuncio(following(), "--concurrency", "1", origin=origin(redirects(TO_NEXT)).port,
                   other=origin().port)
    client = proxy.connect()
    post(client, BODY * 5, b"/first")
    client.wait_message(is_response=True)
    assert client.received.startswith(b"HTTP/1.1 302 Found\r\nlocation: http://b.test/next\r\n")
    assert proxy.stats()["cluster.origin.upstream_internal_redirect_failed_total"] == 1


def test_many_in_a_row(nuncio, origin):
    """More often than a filter may start a request over."""
    again = TO_NEXT.replace(b"/next", b"/first")
    proxy = nuncio(following("max_internal_redirects: 50"), "--concurrency", "1",
                   origin=origin(redirects(again)).port, other=origin().port)
    answer = proxy.request("POST", "main", "/first", b"body")
    assert answer.status == 302
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_internal_redirect_succeeded_total"] == 50
    assert stats["cluster.origin.upstream_internal_redirect_failed_total"] == 1
    assert stats["http.main.passthrough_internal_redirect_too_many_redirects"] == 1
    assert stats["cluster.origin.upstream_cx_total"] == 1


def test_a_body_that_a_filter_holds_does_not_go(nuncio, origin, plugins):  # noqa: F811
    """It was received, but the router does not have it: the next request would be without it."""
    def answers_early(peer):
        peer.wait("a head", lambda: b"\r\n\r\n" in peer.received)
        peer.send(TO_NEXT)

    proxy = nuncio(following(base=HOLDING), "--plugin-dir", plugins, "--concurrency", "1",
                   origin=origin(answers_early).port, other=origin().port)
    answer = proxy.request("POST", "main", "/first", b"body", {"x-do": "keep-body"})
    assert answer.status == 302
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_internal_redirect_failed_total"] == 1
    assert stats["cluster.other.upstream_rq_total"] == 0


def test_filters_see_the_next_request(nuncio, origin):
    token = TO_NEXT.replace(b"\r\ncontent", b"\r\ntoken: 8\r\ncontent")
    proxy = nuncio(following("response_headers_to_copy: [token]", GATED), "--concurrency", "1",
                   origin=origin(redirects(token)).port, other=origin().port)
    assert proxy.get("main", "/first", {"token": "7"}).status == 403
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_internal_redirect_succeeded_total"] == 1
    assert stats["cluster.other.upstream_rq_total"] == 0


def test_a_client_may_leave_meanwhile(nuncio, origin):
    def waits(peer):
        peer.wait_message(is_response=False)
        peer.wait_end()

    proxy = nuncio(following(), "--concurrency", "1", origin=origin(redirects(TO_NEXT)).port,
                   other=origin(waits).port)
    for _ in range(5):
        client = proxy.connect()
        post(client, b"body", b"/first")
        assert eventually(lambda: proxy.stats()["cluster.other.upstream_rq_active"] == 1)
        client.close()
        assert eventually(lambda: proxy.stats()["cluster.other.upstream_rq_active"] == 0)
    assert eventually(lambda: proxy.stats()["http.main.downstream_rq_active"] == 0)


def test_ten_thousand_leave_nothing(nuncio, origin):
    count, batch = 10000, 100
    proxy = nuncio(following(), "--concurrency", "1", origin=origin(redirects(TO_NEXT)).port,
                   other=origin(digests).port)
    request = b"POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n" + BODY[:100]
    answer = hashlib.sha256(BODY[:100]).hexdigest().encode()
    after_first = 0
    with socket.create_connection(("127.0.0.1", proxy.port("main"))) as client:
        for first in range(0, count, batch):
            client.sendall(request * batch)
            received = b""
            while received.count(answer) < batch:
                piece = client.recv(65536)
                assert piece
                received += piece
            if first == count // 10:
                after_first = rss_kib(proxy.pid)
    stats = proxy.stats()
    assert stats["cluster.other.upstream_rq_200"] == count
    assert stats["http.main.downstream_rq_total"] == 2 * count
    assert eventually(lambda: proxy.stats()["http.main.downstream_rq_active"] == 0)
    if not has_sanitizer(proxy.binary):
        assert rss_kib(proxy.pid) - after_first < 2 * 1024
