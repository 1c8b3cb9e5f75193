# SPDX-License-Identifier: Apache-2.0
"""CONNECT through the real binary: ended here, with raw TCP behind it, or passed on as CONNECT."""
import hashlib
import os
import shutil
import socket
import ssl
import threading

import pytest

import h2
from configs import PROXY
from peers import hold_port
from pki import Authority
from process import eventually
from tunnels import client_of, gone, limited, reset, server  # noqa: F401 pylint: disable=unused-import
from websocket import WAIT_SECONDS, Ended, H2Stream, Stream

MIB = 1 << 20
ROUTE = "              - match: {prefix: /}\n                route: {cluster: origin}\n"
HEAD = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"


def connecting(connect_config, config=PROXY):
    """With a route for CONNECT, which ends it if there is a configuration for that."""
    ends = f", connect_config: {connect_config}" if connect_config is not None else ""
    assert ROUTE in config
    return config.replace(ROUTE, "              - match: {connect_matcher: {}}\n"
                          "                route:\n                  cluster: origin\n"
                          f"                  upgrade_configs: [{{upgrade_type: CONNECT{ends}}}]\n" + ROUTE)


ENDED = connecting("{}")
FORWARDED = connecting(None)


def open_tunnel(proxy, early=b""):
    stream = Stream(client_of(proxy))
    stream.send(HEAD + early)
    head = stream.read_head()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
    assert b"content-length" not in head and b"transfer-encoding" not in head, head
    return stream


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def pour(sock, size, digest):
    """Sends so many random bytes, which repeat."""
    block = os.urandom(MIB)
    for _ in range(size // MIB):
        digest.update(block)
        sock.sendall(block)


def drink(stream, size, digest):
    for _ in range(size // MIB):
        digest.update(stream.read(MIB))


def swap(stream, size):
    """Sends and receives so much at the same time; gives the digests of both."""
    sent, got = hashlib.sha256(), hashlib.sha256()
    thread = threading.Thread(target=pour, args=(stream.sock, size, sent))
    thread.start()
    drink(stream, size, got)
    thread.join()
    return sent.hexdigest(), got.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("config", [ENDED, FORWARDED], ids=["ended", "forwarded"])
def test_100_mib_each_way_in_bounded_memory(nuncio, server, config):
    size = 100 * MIB

    def script(sock):
        stream = Stream(sock)
        if config is FORWARDED:
            assert stream.read_head().startswith(b"CONNECT a:443 HTTP/1.1\r\n")
            stream.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        return swap(stream, size)

    upstream = server(script)
    proxy = nuncio(limited(config), origin=upstream.port)
    before = rss_kib(proxy.pid)
    sent, got = swap(open_tunnel(proxy), size)
    assert upstream.wait() == (got, sent)
    assert rss_kib(proxy.pid) - before < 32 * 1024
    gone(proxy)


def test_what_comes_early_waits_for_the_connection(nuncio, server):
    upstream = server(lambda sock: Stream(sock).read_end())
    proxy = nuncio(ENDED, origin=upstream.port)
    stream = open_tunnel(proxy, b"early")
    stream.sock.shutdown(socket.SHUT_WR)
    assert upstream.wait() == b"early"


def test_the_last_words_of_a_client_arrive(nuncio, server):
    data = os.urandom(4 * MIB)
    upstream = server(lambda sock: Stream(sock).read_end())
    proxy = nuncio(ENDED, origin=upstream.port)
    stream = open_tunnel(proxy)
    stream.send(data)
    stream.sock.close()
    assert upstream.wait() == data
    gone(proxy)


@pytest.mark.parametrize("config", [ENDED, FORWARDED], ids=["ended", "forwarded"])
def test_the_last_words_of_a_server_arrive(nuncio, server, config):
    data = os.urandom(4 * MIB)

    def script(sock):
        if config is FORWARDED:
            Stream(sock).read_head()
            sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        sock.sendall(data)

    upstream = server(script)
    proxy = nuncio(config, origin=upstream.port)
    assert open_tunnel(proxy).read_end() == data
    gone(proxy)


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_reset_takes_the_other_side_along(nuncio, server, side):
    ready = threading.Event()

    def script(sock):
        stream = Stream(sock)
        stream.read(2)
        if side == "server":
            reset(sock)
            return b""
        ready.set()
        return stream.read_end()

    upstream = server(script)
    proxy = nuncio(ENDED, origin=upstream.port)
    stream = open_tunnel(proxy)
    stream.send(b"hi")
    if side == "client":
        assert ready.wait(WAIT_SECONDS)
        reset(stream.sock)
    else:
        assert stream.read_end() == b""
    upstream.wait()
    gone(proxy)


def test_a_client_that_goes_while_the_connection_is_made(nuncio):
    """The upstream's queue is full: the connection never comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        config = ENDED.replace("    type: STATIC\n", "    type: STATIC\n    connect_timeout: 60s\n")
        proxy = nuncio(config, origin=listener.getsockname()[1])
        sock = client_of(proxy)
        sock.sendall(HEAD + b"early")
        assert eventually(lambda: proxy.stats()["cluster.origin.upstream_rq_pending_active"])
        reset(sock)
        gone(proxy)
        gone(proxy, "cluster.origin.upstream_cx_active")
        assert proxy.stats()["cluster.origin.upstream_rq_cancelled"] == 1
        for filler in fillers:
            filler.close()


def test_the_upstream_is_told_who_the_client_is(nuncio, server):
    upstream = server(lambda sock: Stream(sock).read_end())
    proxy = nuncio(connecting("{proxy_protocol_config: {version: V2}}"), origin=upstream.port)
    stream = open_tunnel(proxy)
    own, port = stream.sock.getsockname()[1], proxy.port("main")
    stream.send(b"raw")
    stream.sock.close()
    local = bytes([127, 0, 0, 1])
    assert upstream.wait() == (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + local + local
                               + own.to_bytes(2, "big") + port.to_bytes(2, "big") + b"raw")


def test_a_post_may_carry_the_bytes(nuncio, server):
    def script(sock):
        got = Stream(sock).read_end()
        sock.sendall(b"answer to " + got)

    upstream = server(script)
    config = PROXY.replace("route: {cluster: origin}", "route: {cluster: origin, upgrade_configs: "
                           "[{upgrade_type: CONNECT, connect_config: {allow_post: true}}]}")
    proxy = nuncio(config, origin=upstream.port)
    answer = proxy.request("POST", "main", "/", b"question")
    assert (answer.status, answer.body) == (200, b"answer to question")
    upstream.wait()


def test_a_post_of_any_length_is_bytes(nuncio, server):
    size = 8 * MIB

    def script(sock):
        got = Stream(sock).read_end()
        sock.sendall(got)

    upstream = server(script)
    config = PROXY.replace("route: {cluster: origin}", "route: {cluster: origin, upgrade_configs: "
                           "[{upgrade_type: CONNECT, connect_config: {allow_post: true}}]}")
    proxy = nuncio(limited(config), origin=upstream.port)
    body = os.urandom(size)
    answer = proxy.request("POST", "main", "/", iter([body[:MIB], body[MIB:]]))
    assert answer.body == body


def open_h2(proxy):
    """CONNECT on a stream of HTTP/2."""
    peer = h2.client(proxy)
    stream = peer.open([(":method", "CONNECT"), (":authority", "a:443")], False)
    peer.wait("answer", lambda: peer.messages[stream].headers)
    assert peer.messages[stream].status == 200
    return H2Stream(peer, stream)


@pytest.mark.parametrize("config", [ENDED, FORWARDED], ids=["ended", "forwarded"])
def test_connect_over_http2(nuncio, server, config):
    """The client's end goes on as the connection's; what the server says behind it comes back."""
    data = os.urandom(8 * MIB)

    def script(sock):
        stream = Stream(sock)
        if config is FORWARDED:
            assert stream.read_head().startswith(b"CONNECT a:443 HTTP/1.1\r\n")
            stream.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        got = stream.read_end()
        stream.send(got[::-1])

    upstream = server(script)
    proxy = nuncio(limited(config), origin=upstream.port)
    stream = open_h2(proxy)
    stream.send(data)
    stream.end()
    assert stream.read_end() == data[::-1]
    upstream.wait()
    gone(proxy)


@pytest.mark.parametrize("config", [ENDED, FORWARDED], ids=["ended", "forwarded"])
def test_a_connect_that_has_nothing_to_say(nuncio, server, config):
    """Its head ends the stream: the server sees an end, and may still speak."""
    def script(sock):
        stream = Stream(sock)
        if config is FORWARDED:
            stream.read_head()
            stream.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        got = stream.read_end()
        stream.send(b"I speak")
        return got

    upstream = server(script)
    proxy = nuncio(config, origin=upstream.port)
    peer = h2.client(proxy)
    stream = peer.open([(":method", "CONNECT"), (":authority", "a:443")], True)
    assert H2Stream(peer, stream).read_end() == b"I speak"
    assert peer.messages[stream].status == 200
    assert upstream.wait() == b""
    gone(proxy)


@pytest.mark.parametrize("phase", ["connecting", "open", "with bytes on the way"])
def test_a_reset_stream_ends_its_connection(nuncio, server, phase):
    def script(sock):
        if phase == "with bytes on the way":
            sock.sendall(bytes(MIB))
        return Stream(sock).read_end()

    upstream = server(script)
    proxy = nuncio(limited(ENDED), origin=upstream.port)
    peer = h2.client(proxy, gives_window=False)
    peer.wait_frame(h2.SETTINGS)  # the connection counts by now
    stream = peer.open([(":method", "CONNECT"), (":authority", "a:443")], False)
    if phase != "connecting":
        peer.wait("answer", lambda: peer.messages[stream].headers)
    peer.rst(stream)
    gone(proxy)
    gone(proxy, "cluster.origin.upstream_cx_active")
    peer.rst(peer.open([(":method", "CONNECT"), (":authority", "a:443")], False))
    gone(proxy)
    assert proxy.stats()["http.main.downstream_cx_active"] == 1


def test_a_slow_reader_of_http2_holds_the_server_back(nuncio, server):
    stuck = threading.Event()

    def script(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        sock.settimeout(1)
        sent, block = 0, bytes(1 << 16)
        try:
            while sent < 256 * MIB:
                sent += sock.send(block)
        except TimeoutError:
            stuck.set()
        return sent

    upstream = server(script)
    proxy = nuncio(limited(ENDED), origin=upstream.port)
    peer = h2.client(proxy, gives_window=False)
    peer.open([(":method", "CONNECT"), (":authority", "a:443")], False)
    assert stuck.wait(WAIT_SECONDS)
    assert rss_kib(proxy.pid) < 100 * 1024
    peer.peer.close()
    assert upstream.wait() < 256 * MIB
    gone(proxy)


def test_nothing_behind_a_refused_connect_reaches_the_server(nuncio, server):
    def script(sock):
        stream = Stream(sock)
        head = stream.read_head()
        stream.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
        return head + stream.read_end()

    upstream = server(script)
    proxy = nuncio(FORWARDED, origin=upstream.port)
    stream = Stream(client_of(proxy))
    stream.send(HEAD + b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n")
    answer = stream.read_end()
    assert answer.startswith(b"HTTP/1.1 403 ") and answer.count(b"HTTP/1.1") == 1
    assert b"smuggled" not in upstream.wait()


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_the_upstream_may_be_reached_by_tls(nuncio, server, tmp_path):
    authority = Authority(tmp_path)
    authority.issue("server", "DNS:a.test,IP:127.0.0.1")
    config = ENDED.replace("    type: STATIC\n", f"""    type: STATIC
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context: {{validation_context: {{trusted_ca: {{filename: {tmp_path}/ca.crt}}}}}}
""")
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    upstream = server(lambda sock: swap(Stream(inside.wrap_socket(sock, server_side=True)), 4 * MIB))
    proxy = nuncio(limited(config), origin=upstream.port)
    sent, got = swap(open_tunnel(proxy), 4 * MIB)
    assert upstream.wait() == (got, sent)


def test_tls_of_the_client_passes_through(nuncio, server, tmp_path):
    """What CONNECT is for: the proxy sees none of it."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl program")
    authority = Authority(tmp_path)
    authority.issue("server", "DNS:a.test")
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")

    def script(sock):
        wrapped = inside.wrap_socket(sock, server_side=True)
        return wrapped.recv(100)

    upstream = server(script)
    proxy = nuncio(ENDED, origin=upstream.port)
    outside = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    stream = open_tunnel(proxy)
    with outside.wrap_socket(stream.sock, server_hostname="a.test") as sock:
        sock.sendall(b"secret")
        assert upstream.wait() == b"secret"


def test_connect_udp_is_refused_by_name(nuncio):
    config = PROXY.replace("          http_filters:\n", "          upgrade_configs: [{upgrade_type: connect-udp}]\n"
                           "          http_filters:\n")
    checked = nuncio(config, "--mode", "validate", ready=None, origin=1, expect_exit=1)
    assert checked.wait_exit() == 1
    assert "CONNECT-UDP is known to Envoy, not implemented by nuncio" in checked.stderr.text


def test_no_host_and_no_listener(nuncio):
    with hold_port() as gone_port:
        proxy = nuncio(ENDED, origin=gone_port.getsockname()[1])
        stream = Stream(client_of(proxy))
        stream.send(HEAD)
        assert stream.read_head().startswith(b"HTTP/1.1 503 ")
        stream.read_end()
        with pytest.raises(Ended):
            stream.read(1)
