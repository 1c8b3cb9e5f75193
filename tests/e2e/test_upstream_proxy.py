# SPDX-License-Identifier: Apache-2.0
"""PROXY headers to servers: whose connections are shared, and what comes behind the header."""
import shutil
import socket
import ssl

import pytest

from configs import PROXY
from pki import Authority
from process import eventually
from test_listener_filters import filter_of, v2

TRANSPORT = "type.googleapis.com/envoy.extensions.transport_sockets."
REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


def named(version="V1", inner=None, more="", config=PROXY):
    inner = inner or f'{{name: raw, typed_config: {{"@type": {TRANSPORT}raw_buffer.v3.RawBuffer}}}}'
    return config.replace("    type: STATIC\n", f"""    type: STATIC
    transport_socket:
      name: proxy
      typed_config:
        "@type": {TRANSPORT}proxy_protocol.v3.ProxyProtocolUpstreamTransport
        config: {{version: {version}, {more}}}
        transport_socket: {inner}
""")


def ask(proxy, before=b"", times=1):
    """Some requests on one connection; gives its own port."""
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 20) as sock:
        sock.sendall(before)
        for _ in range(times):
            sock.sendall(REQUEST)
            received = b""
            while not received.endswith(b"ok"):
                piece = sock.recv(65536)
                assert piece
                received += piece
        return sock.getsockname()[1]


def test_each_client_has_connections_of_its_own(nuncio, origin):
    server = origin()
    proxy = nuncio(named(), origin=server.port)
    ports = [ask(proxy, times=3) for _ in range(3)]
    heads = [received.split(b"\r\n", 1)[0].decode() for received in server.received]
    assert heads == [f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {proxy.port('main')}" for port in ports]
    assert all(received.count(b"GET / ") == 3 for received in server.received)
    stats = proxy.stats()
    assert stats["cluster.origin.upstream_cx_total"] == 3
    assert stats["cluster.origin.upstream_cx_active"] == 3


def answer_after_the_header(peer):
    """The signature of version 2 looks like an empty request: each is awaited by its line."""
    while True:
        peer.wait_text(b"GET / HTTP/1.1\r\n")
        peer.wait_text(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


def test_clients_that_a_header_names_alike_share(nuncio, origin):
    server = origin(answer_after_the_header)
    config = named("V2", config=PROXY.replace(
        "    filter_chains:\n", f"    listener_filters: [{filter_of('proxy_protocol')}]\n    filter_chains:\n"))
    proxy = nuncio(config, "--concurrency", "1", origin=server.port)
    for source in ("192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.7"):
        ask(proxy, before=v2(source, "198.51.100.9", (4711, 443)))
    assert [received[:28] for received in server.received] == [
        v2(source, "198.51.100.9", (4711, 443)) for source in ("192.0.2.7", "192.0.2.8")]


def test_clients_whose_headers_have_other_values_do_not_share(nuncio, origin):
    server = origin(answer_after_the_header)
    choice = "pass_through_tlvs: {match_type: INCLUDE_ALL}"
    config = named("V2", more=choice, config=PROXY.replace(
        "    filter_chains:\n",
        f"    listener_filters: [{filter_of('proxy_protocol', choice)}]\n    filter_chains:\n"))
    proxy = nuncio(config, "--concurrency", "1", origin=server.port)
    headers = [v2("192.0.2.7", "198.51.100.9", (4711, 443), b"\xe1\0\x01" + name)
               for name in (b"a", b"b")]
    for header in (headers[0], headers[1], headers[0]):
        ask(proxy, before=header)
    assert [received[:len(headers[0])] for received in server.received] == headers


def test_pools_of_clients_go_with_their_connections(nuncio, origin):
    """A server that ends each connection leaves nothing behind."""
    def script(peer):
        peer.wait_message(is_response=False)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        peer.close()

    proxy = nuncio(named(), origin=origin(script).port)
    for _ in range(20):
        ask(proxy)
    assert proxy.stats()["cluster.origin.upstream_cx_total"] == 20
    for name in ("upstream_cx_active", "circuit_breakers.default.cx_pool_open"):
        assert eventually(lambda name=name: proxy.stats()["cluster.origin." + name] == 0)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_the_header_stands_in_front_of_tls(nuncio, origin, tmp_path):
    Authority(tmp_path).issue("server", "DNS:a.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{tmp_path}/server.crt", f"{tmp_path}/server.key")
    lines = []

    def script(peer):
        peer.sock.setblocking(True)
        line = b""
        while not line.endswith(b"\r\n"):
            line += peer.sock.recv(1)
        lines.append(line.decode())
        sock = context.wrap_socket(peer.sock.dup(), server_side=True)
        assert sock.recv(65536).startswith(b"GET / ")
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        sock.recv(1)
        sock.close()

    inner = f'{{name: tls, typed_config: {{"@type": {TRANSPORT}tls.v3.UpstreamTlsContext}}}}'
    proxy = nuncio(named(inner=inner), origin=origin(script).port)
    port = ask(proxy)
    assert lines == [f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {proxy.port('main')}\r\n"]
    assert proxy.stats()["cluster.origin.ssl.handshake"] == 1


def test_other_transport_sockets_are_refused_by_name(nuncio):
    for name, kind in (("tap", "tap.v3.Tap"), ("starttls", "starttls.v3.UpstreamStartTlsConfig")):
        inner = f'{{name: {name}, typed_config: {{"@type": {TRANSPORT}{kind}}}}}'
        proxy = nuncio(named(inner=inner), origin=1, ready=None, expect_exit=1)
        proxy.wait_exit()
        assert f"envoy.transport_sockets.{name}" in proxy.stderr.text
        assert "known to Envoy, not implemented by nuncio" in proxy.stderr.text


def test_hosts_have_transport_sockets_of_their_own(nuncio, origin):
    """By their metadata: one is told of the client, the other is not."""
    told, other = origin(), origin()
    host = """        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @port@}}}
"""
    config = named().replace("    transport_socket:\n", f"""    transport_socket_matches:
    - name: plain
      match: {{mode: plain}}
      transport_socket: {{name: raw, typed_config: {{"@type": {TRANSPORT}raw_buffer.v3.RawBuffer}}}}
    transport_socket:
""").replace(host.replace("@port@", "@origin@"), host.replace("@port@", str(told.port)) + host.replace(
        "@port@", str(other.port)) + """          metadata: {filter_metadata: {envoy.transport_socket_match: {mode: plain}}}
""")
    proxy = nuncio(config, "--concurrency", "1")
    for _ in range(4):
        ask(proxy)
    assert [received[:6] for received in told.received] == [b"PROXY ", b"PROXY "]
    assert [received[:6] for received in other.received] == [b"GET / "]
    stats = proxy.stats()
    assert stats["cluster.origin.default.total_match_count"] == 1
    assert stats["cluster.origin.plain.total_match_count"] == 1
