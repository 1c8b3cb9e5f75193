# SPDX-License-Identifier: Apache-2.0
"""A forward proxy: many names under load that come and go, clients who ask for too many, a DNS server
that says nothing."""
import re
import socket
import ssl
import threading

import pytest

from configs import PROXY
from dns_server import SILENCE, DnsServer
from process import eventually

CACHE = """
                dns_cache_config: &cache
                  name: names
                  dns_lookup_family: V4_ONLY
                  host_ttl: @ttl@
                  dns_min_refresh_rate: 1s
                  max_hosts: @max@
                  dns_query_timeout: @timeout@
                  @more@
                  typed_dns_resolver_config:
                    name: envoy.network.dns_resolver.cares
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig
                      resolvers: [{socket_address: {address: 127.0.0.1, port_value: @dns@}}]
                      dns_resolver_options: {no_default_search_domain: true}
"""
FILTER = """
          - name: envoy.filters.http.dynamic_forward_proxy
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig
""" + CACHE.replace("                dns", "              dns", 1)
CLUSTER = """
    lb_policy: CLUSTER_PROVIDED
    cluster_type:
      name: envoy.clusters.dynamic_forward_proxy
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig
        dns_cache_config: *cache
"""


def forward(cluster_from="    type: STATIC\n", ttl="0.2s", timeout="30s"):
    """The configuration: everything goes to the host that it names, which is kept for so long when
    nobody uses it."""
    start, _, rest = PROXY.partition(cluster_from)
    start = start.replace("          http_filters:\n", "          http_filters:" + FILTER, 1)
    after = re.sub(r"    load_assignment:\n(?:      .*\n)+", "", rest)
    return (start + CLUSTER.lstrip("\n") + after).replace("@ttl@", ttl).replace("@timeout@", timeout)


class Names(DnsServer):
    """Every name below .test is at 127.0.0.1, for a second, but what `answers` has."""

    def _answer(self, query, protocol):
        name = query[13:13 + query[12]].decode()
        self.answers.setdefault(f"{name}.test", ["127.0.0.1"])
        return super()._answer(query, protocol).replace(b"\x00\x00\x00\x1e\x00\x04",
                                                        b"\x00\x00\x00\x01\x00\x04")


class Echo:
    """Answers each request with its host."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    @staticmethod
    def _serve(sock):
        with sock, sock.makefile("rb") as stream:
            host = b""
            for line in stream:
                if line.lower().startswith(b"host:"):
                    host = line[5:].strip()
                elif line == b"\r\n":
                    sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b"
                                 % (len(host), host))

    def finish(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def names(held_ports):
    server = Names()
    held_ports.append(server.held)
    yield server
    server.finish()


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.finish()


class Client:
    """One connection to the proxy."""

    def __init__(self, proxy):
        self.sock = socket.create_connection(("127.0.0.1", proxy.port("main")), 30)
        self.stream = self.sock.makefile("rb")

    def ask(self, host):
        self.sock.sendall(f"GET / HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        status, length = int(self.stream.readline().split()[1]), 0
        while (line := self.stream.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, self.stream.read(length).decode()

    def close(self):
        self.stream.close()
        self.sock.close()


def test_names_come_and_go_under_load(nuncio, names, echo):
    proxy = nuncio(forward(), "--concurrency", "2", dns=names.port, max=4096, more="")
    wrong = []

    def load(first):
        client = Client(proxy)
        for turn in range(400):
            host = f"h{(first * 131 + turn * 7) % 200}.test:{echo.port}"
            answer = client.ask(host)
            if answer != (200, host):
                wrong.append((host, answer))
        client.close()

    threads = [threading.Thread(target=load, args=(n,)) for n in range(6)]
    for round_of_all in range(2):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        threads = [threading.Thread(target=load, args=(n,)) for n in range(6)]
        assert wrong == []
        assert eventually(lambda: proxy.stats()["dns_cache.names.num_hosts"] == 0)
        assert eventually(lambda: proxy.stats()["cluster.origin.membership_total"] == 0)
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_rq_200"] == 2 * 6 * 400
    assert stats["dns_cache.names.host_added"] == stats["dns_cache.names.host_removed"] >= 400
    assert stats["dns_cache.names.circuit_breakers.rq_pending_remaining"] == 1024


def test_a_client_cannot_ask_for_more_than_fits(nuncio, names, echo):
    proxy = nuncio(forward(ttl="3s"), "--concurrency", "2", dns=names.port, max=20, more="")
    client = Client(proxy)
    answers = [client.ask(f"x{n}.test:{echo.port}") for n in range(600)]
    client.close()
    assert {status for status, _ in answers} == {200, 503}
    assert {text for status, text in answers if status == 503} == {"DNS cache overflow"}
    stats = proxy.stats()
    assert stats["dns_cache.names.num_hosts"] <= 20
    assert stats["dns_cache.names.host_overflow"] == sum(status == 503 for status, _ in answers)
    assert eventually(lambda: proxy.stats()["dns_cache.names.num_hosts"] == 0)
    client = Client(proxy)
    host = f"later.test:{echo.port}"
    assert client.ask(host) == (200, host)
    client.close()


def test_a_silent_dns_server_holds_nothing_up(nuncio, names, echo):
    names.set("silent.test", SILENCE)
    names._answer = lambda query, protocol: (None if b"\x06silent" in query else
                                             Names._answer(names, query, protocol))
    first = "preresolve_hostnames: [{address: silent.test, port_value: 80}]"
    proxy = nuncio(forward(timeout="3s"), dns=names.port, max=20, more=first)  # it starts
    slow, quick = Client(proxy), Client(proxy)
    slow.sock.sendall(b"GET / HTTP/1.1\r\nhost: silent.test:81\r\n\r\n")
    host = f"loud.test:{echo.port}"
    assert quick.ask(host) == (200, host)
    assert b"503" in slow.stream.readline()
    slow.close()
    quick.close()


SNI = "envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig"
TCP = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
TLS_INSPECTOR = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"


def forward_sessions():
    """The configuration: each TLS session goes to the server that it names, at @echo@."""
    start, _, rest = forward().partition("    filter_chains:\n")
    cluster = rest[rest.index("  clusters:\n"):]
    cache = CACHE.replace("                dns", "          dns", 1)
    cache = cache.replace("@ttl@", "0.2s").replace("@timeout@", "30s")
    return start + f"""    listener_filters:
    - name: inspector
      typed_config: {{"@type": type.googleapis.com/{TLS_INSPECTOR}}}
    filter_chains:
    - filters:
      - name: sni
        typed_config:
          "@type": type.googleapis.com/{SNI}
          port_value: @echo@{cache}
      - name: tcp
        typed_config: {{"@type": type.googleapis.com/{TCP}, stat_prefix: tcp, cluster: origin}}
""" + cluster


def client_hello(name):
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_a_tls_session_goes_to_the_server_that_it_names(nuncio, names):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        proxy = nuncio(forward_sessions(), "--concurrency", "2", dns=names.port, max=20, more="",
                       echo=listener.getsockname()[1])
        for name in ("a.test", "b.test", "a.test"):
            hello = client_hello(name)
            with socket.create_connection(("127.0.0.1", proxy.port("main")), 30) as client:
                client.sendall(hello)
                with listener.accept()[0] as server:
                    server.settimeout(30)
                    received = b""
                    while len(received) < len(hello):
                        received += server.recv(len(hello))
                    server.sendall(name.encode())
                    assert client.recv(100) == name.encode()
                assert received == hello
        assert proxy.stats()["dns_cache.names.host_added"] >= 2


def test_a_tls_session_to_nowhere_ends(nuncio, names):
    names.set("nowhere.test", [])
    proxy = nuncio(forward_sessions(), dns=names.port, max=20, more="", echo=1)
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 30) as client:
        client.sendall(client_hello("nowhere.test"))
        assert client.recv(100) == b""
    assert proxy.stats()["cluster.origin.upstream_cx_none_healthy"] == 1
