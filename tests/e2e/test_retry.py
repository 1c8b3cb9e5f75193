# SPDX-License-Identifier: Apache-2.0
"""Retries by the real binary: large bodies come whole at the second try, and hosts that are gone are
passed over."""
import hashlib
import threading

import pytest

import h2
from configs import PROXY
from peers import hold_port
from process import eventually

MIB = 1 << 20
BODY = hashlib.sha512(b"seed").digest() * (MIB // 64)
POLICY = "{cluster: origin, retry_policy: {num_retries: 3, retry_back_off: {base_interval: 0.001s}, %s}}"
RETRYING = PROXY.replace("{cluster: origin}", POLICY % "retry_on: reset", 1).replace(
    "domains: [\"*\"]", "domains: [\"*\"]\n              request_body_buffer_limit: 2000000", 1)


def breaks_off_twice():
    """The first two connections reset within the body of the request; the others tell its digest."""
    lock, count = threading.Lock(), [0]

    def script(peer):
        with lock:
            count[0] += 1
            number = count[0]
        if number <= 2:
            peer.wait("half of the body",
                      lambda: len(peer.received) if len(peer.received) > number * MIB // 3 else None)
            peer.reset()
            return
        peer.wait_message(is_response=False)
        body = bytes(peer.received).partition(b"\r\n\r\n")[2]
        digest = hashlib.sha256(body).hexdigest().encode()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(digest) + digest)
        peer.wait_end()

    return script


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_a_large_body_comes_whole_at_the_third_try(nuncio, origin, protocol):
    proxy = nuncio(RETRYING, "--concurrency", "1", origin=origin(breaks_off_twice()).port)
    wanted = hashlib.sha256(BODY).hexdigest().encode()
    if protocol == "http1":
        client = proxy.connect()
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY)
        client.wait_message(is_response=True)
        assert bytes(client.received).endswith(b"\r\n\r\n" + wanted)
    else:
        answer = h2.client(proxy).exchange("/", method="POST", body=BODY,
                                           fields=[("content-length", str(len(BODY)))])
        assert (answer.status, answer.body) == (200, wanted)
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_rq_retry"] == 2
    assert stats["cluster.origin.upstream_rq_retry_success"] == 1
    assert eventually(lambda: proxy.stats()["cluster.origin.upstream_rq_active"] == 0)


def test_hosts_that_refuse_are_passed_over(nuncio, origin):
    gone = [hold_port() for _ in range(2)]
    others = "".join("\n        - endpoint: {address: {socket_address: {address: 127.0.0.1, "
                     f"port_value: {sock.getsockname()[1]}}}}}}}" for sock in gone)
    config = PROXY.replace("{cluster: origin}", POLICY % """retry_on: connect-failure,
                  host_selection_retry_max_attempts: 10, retry_host_predicate: [{name: p, typed_config:
                  {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]""", 1)
    at = config.rindex("port_value: @origin@}}}") + len("port_value: @origin@}}}")
    proxy = nuncio(config[:at] + others + config[at:], "--concurrency", "2", origin=origin().port)
    client = proxy.connect()
    for _ in range(30):
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        client.wait_message(is_response=True)
    assert bytes(client.received).count(b"HTTP/1.1 200 OK") == 30
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_rq_200"] == 30
    assert stats["cluster.origin.upstream_rq_retry"] == stats["cluster.origin.upstream_cx_connect_fail"] > 0
    assert stats.get("cluster.origin.upstream_rq_retry_limit_exceeded", 0) == 0
    for sock in gone:
        sock.close()
