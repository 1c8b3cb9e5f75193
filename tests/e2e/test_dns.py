# SPDX-License-Identifier: Apache-2.0
"""STRICT_DNS against a DNS server of our own: start-up, changes under traffic, failures."""
import signal

import pytest

from configs import PROXY
from dns_server import NXDOMAIN, SERVFAIL, SILENCE, DnsServer
from fleet import ADDRESSES, Load
from process import READY, eventually

CARES = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
RESOLVER = f"""
    typed_dns_resolver_config:
      name: envoy.network.dns_resolver.cares
      typed_config:
        "@type": {CARES}
        resolvers: [{{socket_address: {{address: 127.0.0.1, port_value: @dns@}}}}]
        dns_resolver_options: {{no_default_search_domain: true}}
        query_timeout_seconds: 30
        query_tries: 1
"""
STRICT = PROXY.replace("    type: STATIC\n", f"""    type: STRICT_DNS
    dns_lookup_family: V4_ONLY
    dns_refresh_rate: 0.02s
{RESOLVER}""").replace("address: 127.0.0.1, port_value: @origin@",
                       "address: app.test, port_value: @origin@")


def with_timeout(seconds):
    """STRICT with another limit for an answer, which else is long: no busy machine is to exceed it."""
    assert "query_timeout_seconds: 30" in STRICT
    return STRICT.replace("query_timeout_seconds: 30", f"query_timeout_seconds: {seconds}")


@pytest.fixture
def dns(held_ports):
    """dns(app_test=[addresses]...): a running DnsServer."""
    started = []

    def start(**answers):
        started.append(DnsServer(**answers))
        held_ports.append(started[-1].held)
        return started[-1]

    yield start
    for server in started:
        server.finish()


def until(condition):
    """Asks again and again until it holds; each asking takes a round trip."""
    for _ in range(20000):
        if condition():
            return
    raise AssertionError("never came true")


def stat(proxy, name):
    return proxy.stats()[f"cluster.origin.{name}"]


def answered_by(proxy, count=12):
    return {proxy.get("main").text for _ in range(count)}


def test_every_address_of_the_name_is_used(nuncio, dns, fleet):
    server = dns(app_test=ADDRESSES)
    proxy = nuncio(STRICT, "--concurrency", "1", dns=server.port, origin=fleet.port)
    assert answered_by(proxy) == set(ADDRESSES)
    hosts = proxy.admin("/clusters").text
    for address in ADDRESSES:
        assert f"origin::{address}:{fleet.port}::hostname::app.test" in hosts


def test_no_request_fails_while_the_answer_changes(nuncio, dns, fleet):
    server = dns(app_test=ADDRESSES[:1])
    proxy = nuncio(STRICT, dns=server.port, origin=fleet.port)
    load = Load(proxy.port("main"))
    changes = 30
    for n in range(changes):
        before = stat(proxy, "membership_change")
        addresses = [ADDRESSES[(n + 1) % 3]] if n % 2 else [ADDRESSES[n % 3], ADDRESSES[(n + 1) % 3]]
        server.set("app.test", addresses)
        until(lambda: stat(proxy, "membership_change") > before)
        assert eventually(lambda: set(load.latest()) <= set(addresses))
    responses = load.finish()
    assert len(responses) > changes
    assert [one for one in responses if not one.startswith(b"HTTP/1.1 200 OK\r\n")] == []
    assert {one.rpartition(b"\r\n\r\n")[2].decode() for one in responses} == set(ADDRESSES)
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_rq_200"] == len(responses)
    assert "cluster.origin.upstream_rq_503" not in stats


def test_a_name_that_vanishes_takes_its_hosts_along(nuncio, dns, fleet):
    server = dns(app_test=ADDRESSES[:1])
    proxy = nuncio(STRICT, dns=server.port, origin=fleet.port)
    assert proxy.get("main").status == 200
    server.set("app.test", NXDOMAIN)
    until(lambda: stat(proxy, "membership_total") == 0)
    until(lambda: proxy.get("main").text == "no healthy upstream")
    server.set("app.test", ADDRESSES[1:2])
    until(lambda: proxy.get("main").text == ADDRESSES[1])


def test_a_failing_server_leaves_the_last_answer(nuncio, dns, fleet):
    server = dns(app_test=ADDRESSES[:1])
    proxy = nuncio(STRICT, dns=server.port, origin=fleet.port)
    server.set("app.test", SERVFAIL)
    until(lambda: stat(proxy, "update_failure") >= 3)
    assert stat(proxy, "membership_total") == 1
    assert answered_by(proxy, 4) == {ADDRESSES[0]}


def test_listeners_open_with_the_first_answer(nuncio, dns, fleet):
    server = dns(app_test=SILENCE)
    config = with_timeout(1).replace("query_tries: 1", "query_tries: 30")
    proxy = nuncio(config, dns=server.port, origin=fleet.port, ready=None)
    server.wait_asked(1)
    assert proxy.admin("/ready").status == 503
    with pytest.raises(ConnectionRefusedError):
        proxy.get("main")
    server.set("app.test", ADDRESSES[:1])  # its next try is answered
    proxy.stderr.wait(READY)
    assert proxy.get("main").text == ADDRESSES[0]
    assert stat(proxy, "update_failure") == 0


def test_listeners_open_after_a_timeout(nuncio, dns, fleet):
    server = dns(app_test=SILENCE)
    proxy = nuncio(with_timeout(1), dns=server.port, origin=fleet.port, ready=None)
    proxy.stderr.wait(READY)
    assert proxy.get("main").status == 503
    server.set("app.test", ADDRESSES[:1])
    until(lambda: proxy.get("main").status == 200)


def test_a_truncated_answer_is_asked_for_over_tcp(nuncio, dns, fleet):
    server = dns(app_test=ADDRESSES[:2])
    server.truncate = True
    proxy = nuncio(STRICT, dns=server.port, origin=fleet.port)
    assert answered_by(proxy) == set(ADDRESSES[:2])
    assert "tcp" in {protocol for _, _, protocol in server.asked}


def test_the_bootstraps_resolver_is_everybodys(nuncio, dns, fleet):
    server = dns(app_test=ADDRESSES[:1])
    outer = RESOLVER.replace("\n    ", "\n")
    config = outer + STRICT.replace(RESOLVER, "")
    proxy = nuncio(config, dns=server.port, origin=fleet.port)
    assert proxy.get("main").text == ADDRESSES[0]
    assert server.asked[0] == ("app.test", 1, "udp")


def test_the_name_is_known_to_rewrites_and_logs(nuncio, dns, origin):
    upstream = origin()
    server = dns(app_test=ADDRESSES[:1])
    config = STRICT.replace("route: {cluster: origin}",
                            "route: {cluster: origin, auto_host_rewrite: true}").replace(
        "          stat_prefix: main\n", """          stat_prefix: main
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: @dir@/log
              log_format:
                text_format_source: {inline_string: "%UPSTREAM_HOST_NAME% %UPSTREAM_HOST%"}
""")
    proxy = nuncio(config, "--file-flush-interval-msec", "10", dns=server.port,
                   origin=upstream.port)
    assert proxy.get("main").status == 200
    assert b"\r\nhost: app.test\r\n" in upstream.received[0]
    log = proxy.folder / "log"
    until(lambda: proxy.stats() and log.read_text())
    assert log.read_text() == f"app.test 127.0.0.1:{upstream.port}"


def test_localhost_needs_no_server(nuncio, origin):
    config = PROXY.replace("    type: STATIC\n", "    type: STRICT_DNS\n"
                           "    dns_lookup_family: V4_ONLY\n").replace(
        "address: 127.0.0.1, port_value: @origin@", "address: localhost, port_value: @origin@")
    proxy = nuncio(config, origin=origin().port)
    assert proxy.get("main").text == "ok"


def test_a_process_that_waits_for_names_can_be_asked_and_ended(nuncio, dns):
    server = dns(app_test=SILENCE)
    proxy = nuncio(with_timeout(60), ready=None, dns=server.port, origin=9)
    server.wait_asked(1)
    got = proxy.admin("/ready")
    assert (got.status, got.text) == (503, "INITIALIZING\n")
    with pytest.raises(ConnectionRefusedError):
        proxy.connect()
    proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0
    assert "starting main dispatch loop" not in proxy.stderr.text
