# SPDX-License-Identifier: Apache-2.0
"""The main job through the real binary: a prime token passes, anything else does not."""
import pytest

from configs import GATED, PROXY


@pytest.mark.parametrize("token", ["2", "32323", "+7", "18446744073709551557"])
def test_a_prime_token_reaches_the_upstream(nuncio, origin, token):
    upstream = origin()
    proxy = nuncio(GATED, origin=upstream.port)
    got = proxy.get("main", headers={"token": token})
    assert (got.status, got.text) == (200, "ok")
    assert f"token: {token}\r\n".encode() in upstream.received[0]


@pytest.mark.parametrize("token", [None, "", "1", "323232", "-7", "7 7", "18446744073709551616"])
def test_any_other_token_is_denied(nuncio, origin, token):
    upstream = origin()
    proxy = nuncio(GATED, origin=upstream.port)
    got = proxy.get("main", headers={} if token is None else {"token": token})
    assert (got.status, got.text) == (403, "Access forbidden.\n")
    assert got.headers["powered-by"] == "nuncio"
    assert not upstream.received


def test_many_requests_share_one_connection_on_both_sides(nuncio, origin):
    upstream = origin()
    proxy = nuncio(PROXY, "--concurrency", "1", origin=upstream.port)
    client = proxy.connect()
    for _ in range(50):
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        client.wait_message(is_response=True)
    assert client.received.count(b"HTTP/1.1 200 OK") == 50
    assert len(upstream.received) == 1


def test_the_counters_tell_what_went_through(nuncio, origin):
    proxy = nuncio(GATED, origin=origin().port)
    proxy.get("main", headers={"token": "7"})
    proxy.get("main", headers={"token": "8"})
    stats = proxy.stats()
    assert stats["http.main.downstream_rq_2xx"] == 1
    assert stats["http.main.downstream_rq_4xx"] == 1
    assert stats["cluster.origin.upstream_rq_200"] == 1
