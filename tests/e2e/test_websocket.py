# SPDX-License-Identifier: Apache-2.0
"""WebSocket and other upgrades through the real binary."""
import hashlib
import os
import select
import shutil
import signal
import socket
import ssl
import struct
import threading

import pytest

import h2
import websocket
from configs import GATED, PROXY
from lib.tls import TlsPeer
from pki import Authority
from tunnels import client_of, gone, limited, reset, server  # noqa: F401 pylint: disable=unused-import
from websocket import BINARY, CLOSE, PING, PONG, TEXT, WAIT_SECONDS, Stream, WebSocket

UPGRADES = "          upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: raw}]\n"


def upgrading(config=PROXY):
    return config.replace("          http_filters:\n", UPGRADES + "          http_filters:\n")


WS = upgrading()


def say_goodbye(end):
    end.send(CLOSE, struct.pack("!H", 1000))
    assert end.receive() == (CLOSE, struct.pack("!H", 1000))


# --- The protocol -----------------------------------------------------------------------------

def test_messages_of_every_size_are_echoed(nuncio, server):
    upstream = server(websocket.echo)
    proxy = nuncio(WS, origin=upstream.port)
    end = websocket.connect(client_of(proxy))
    for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
        data = os.urandom(size)
        end.send(BINARY, data)
        assert end.receive() == (BINARY, data)
    say_goodbye(end)
    upstream.wait()


def test_fragments_and_pings_pass(nuncio, server):
    upstream = server(websocket.echo)
    proxy = nuncio(WS, origin=upstream.port)
    end = websocket.connect(client_of(proxy))
    end.send(TEXT, b"one ", fin=False)
    end.send(PING, b"between")
    end.send(0, b"two", fin=True)
    assert end.receive() == (PONG, b"between")
    assert end.receive() == (TEXT, b"one two")
    say_goodbye(end)
    upstream.wait()


def test_both_ends_talk_at_once(nuncio, server):
    """Each sends 8 MiB before it reads: the buffers hold a part of it, and nobody is stuck."""
    def talk(end):
        got = hashlib.sha256()
        sent = hashlib.sha256()

        def send():
            for _ in range(64):
                data = os.urandom(1 << 17)
                sent.update(data)
                end.send(BINARY, data)
        thread = threading.Thread(target=send)
        thread.start()
        for _ in range(64):
            got.update(end.receive()[1])
        thread.join()
        return sent.hexdigest(), got.hexdigest()

    upstream = server(lambda sock: talk(websocket.accept(sock)[0]))
    proxy = nuncio(limited(WS), origin=upstream.port)
    sock = client_of(proxy)
    sent, got = talk(websocket.connect(sock))
    assert upstream.wait() == (got, sent)


def test_words_behind_the_handshake_wait_for_its_answer(nuncio, server):
    def script(sock):
        stream = Stream(sock)
        head = stream.read_head()
        assert stream.is_empty()
        stream.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: raw\r\nconnection: upgrade\r\n\r\n")
        return stream.read(5)

    upstream = server(script)
    proxy = nuncio(WS, origin=upstream.port)
    stream = Stream(client_of(proxy))
    stream.send(b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: raw\r\nconnection: upgrade\r\n\r\nearly")
    assert stream.read_head().startswith(b"HTTP/1.1 101 ")
    assert upstream.wait() == b"early"


def test_a_body_before_the_upgrade_goes_ahead_of_the_answer(nuncio, server):
    """As docker's exec has it: the server reads the body, then switches."""
    def script(sock):
        stream = Stream(sock)
        assert b"content-length: 4\r\n" in stream.read_head()
        assert stream.read(4) == b"body"
        stream.send(b"HTTP/1.1 101 UPGRADED\r\nupgrade: raw\r\nconnection: upgrade\r\n\r\n")
        return stream.read(4)

    upstream = server(script)
    proxy = nuncio(WS, origin=upstream.port)
    stream = Stream(client_of(proxy))
    stream.send(b"POST / HTTP/1.1\r\nhost: a\r\nupgrade: raw\r\nconnection: upgrade\r\n"
                b"content-length: 4\r\n\r\nbodymore")
    assert stream.read_head().startswith(b"HTTP/1.1 101 ")
    assert upstream.wait() == b"more"


def test_many_words_before_the_answer_are_held_in_bounded_memory(nuncio, server):
    go_on = threading.Event()
    total = 8 << 20

    def script(sock):
        stream = Stream(sock)
        stream.read_head()
        assert go_on.wait(WAIT_SECONDS)
        stream.send(b"HTTP/1.1 101 X\r\nupgrade: raw\r\nconnection: upgrade\r\n\r\n")
        return hashlib.sha256(stream.read(total)).hexdigest()

    upstream = server(script)
    proxy = nuncio(limited(WS), origin=upstream.port)
    sock = client_of(proxy)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: raw\r\nconnection: upgrade\r\n\r\n")
    data = os.urandom(total)
    sock.settimeout(0.5)
    sent = 0
    try:
        while sent < total:
            sent += sock.send(data[sent:sent + 65536])
    except TimeoutError:
        pass
    assert sent < total, "the proxy took everything"
    sock.settimeout(WAIT_SECONDS)
    go_on.set()
    sock.sendall(data[sent:])
    assert upstream.wait() == hashlib.sha256(data).hexdigest()


def test_a_reader_that_waits_holds_the_other_side_back(nuncio, server):
    """The proxy takes no more from the upstream than its buffers hold."""
    total = 64 << 20
    stuck = threading.Event()

    def script(sock):
        end, _ = websocket.accept(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        sock.settimeout(1)
        sent, block = 0, bytes(1 << 16)
        try:
            while sent < total:
                sent += sock.send(block)
        except TimeoutError:
            stuck.set()
        sock.settimeout(WAIT_SECONDS)
        end.stream.send(b"end")
        return sent

    upstream = server(script)
    proxy = nuncio(limited(WS), origin=upstream.port)
    end = websocket.connect(client_of(proxy))
    assert stuck.wait(WAIT_SECONDS)
    with open(f"/proc/{proxy.pid}/status", encoding="ascii") as status:
        rss = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    got = end.stream.read_end()
    sent = upstream.wait()
    assert sent < total and len(got) == sent + 3
    assert rss < 100 * 1024, rss


# --- HTTP/2 -----------------------------------------------------------------------------------

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def with_h2(config):
    """Extended CONNECT allowed to clients."""
    return config.replace(UPGRADES, UPGRADES + "          http2_protocol_options: {allow_connect: true}\n")


def to_h2(config):
    """HTTP/2 to the upstream."""
    return config.replace("    type: STATIC\n", f"""    type: STATIC
    typed_extension_protocol_options:
      {OPTIONS}:
        "@type": type.googleapis.com/{OPTIONS}
        explicit_http_config: {{http2_protocol_options: {{allow_connect: true}}}}
""")


@pytest.mark.parametrize("upstream", ["h1", "h2"])
@pytest.mark.parametrize("client", ["h1", "h2"])
def test_every_pairing_of_versions(nuncio, server, origin, client, upstream):
    if upstream == "h1":
        port = server(websocket.echo).port
        config = with_h2(WS)
    else:
        port = origin(h2.upstream(lambda peer: websocket.echo_on(websocket.accept_h2(peer)),
                                  settings={8: 1})).port
        config = to_h2(with_h2(WS))
    proxy = nuncio(limited(config), origin=port)
    if client == "h1":
        end = websocket.connect(client_of(proxy), accepts=upstream == "h1")
    else:
        end = websocket.connect_h2(h2.client(proxy))
    for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
        data = os.urandom(size)
        end.send(BINARY, data)
        assert end.receive() == (BINARY, data)
    end.send(TEXT, b"one ", fin=False)
    end.send(PING, b"between")
    end.send(0, b"two", fin=True)
    assert end.receive() == (PONG, b"between")
    assert end.receive() == (TEXT, b"one two")
    say_goodbye(end)
    if client == "h2":
        end.stream.peer.peer.close()
    else:
        end.stream.sock.close()
    gone(proxy)


def test_many_websockets_share_a_connection(nuncio, server):
    upstream = server(websocket.echo)
    proxy = nuncio(with_h2(WS), origin=upstream.port)
    peer = h2.client(proxy)
    ends = [websocket.connect_h2(peer) for _ in range(20)]
    for number, end in enumerate(ends):
        end.send(TEXT, b"%d" % number)
    for number, end in enumerate(ends):
        assert end.receive() == (TEXT, b"%d" % number)
    assert proxy.stats()["http.main.downstream_cx_upgrades_active"] == 20
    assert proxy.stats()["http.main.downstream_cx_active"] == 1
    for end in ends[::2]:
        peer.rst(end.stream.id)
    for end in ends[1::2]:
        end.send(TEXT, b"still")
        assert end.receive() == (TEXT, b"still")
        say_goodbye(end)
    gone(proxy)


def test_a_server_that_ends_is_a_connect_error(nuncio, server):
    upstream = server(lambda sock: websocket.accept(sock)[0].send(TEXT, b"bye"))
    proxy = nuncio(with_h2(WS), origin=upstream.port)
    end = websocket.connect_h2(h2.client(proxy))
    assert end.receive() == (TEXT, b"bye")
    end.stream.read_end()
    assert end.stream.peer.messages[end.stream.id].reset == "CONNECT_ERROR"


def test_the_end_of_a_stream_is_the_end_of_a_connection(nuncio, server):
    upstream = server(lambda sock: websocket.accept(sock)[0].stream.read_end())
    proxy = nuncio(with_h2(WS), origin=upstream.port)
    end = websocket.connect_h2(h2.client(proxy))
    end.stream.send(b"last words")
    end.stream.end()
    assert upstream.wait() == b"last words"
    gone(proxy)


# --- Ends -------------------------------------------------------------------------------------

def test_the_last_words_of_a_client_arrive(nuncio, server):
    """It sends and ends its side at once, more than a socket's buffers hold."""
    data = os.urandom(4 << 20)
    upstream = server(lambda sock: websocket.accept(sock)[0].stream.read_end())
    proxy = nuncio(WS, origin=upstream.port)
    sock = client_of(proxy)
    websocket.connect(sock).stream.send(data)
    sock.shutdown(socket.SHUT_WR)
    assert upstream.wait() == data
    gone(proxy)


def test_the_last_words_of_a_server_arrive(nuncio, server):
    data = os.urandom(4 << 20)
    upstream = server(lambda sock: websocket.accept(sock)[0].stream.send(data))
    proxy = nuncio(WS, origin=upstream.port)
    assert websocket.connect(client_of(proxy)).stream.read_end() == data
    gone(proxy)


@pytest.mark.parametrize("phase", ["before the answer", "after the answer", "in a message"])
@pytest.mark.parametrize("how", ["end", "reset"])
def test_a_client_that_goes_takes_the_upstream_along(nuncio, server, phase, how):
    arrived = threading.Event()

    def script(sock):
        stream = Stream(sock)
        stream.read_head()
        if phase != "before the answer":
            stream.send(b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
        if phase == "in a message":
            stream.read(3)
        arrived.set()
        return stream.read_end()

    upstream = server(script)
    proxy = nuncio(WS, origin=upstream.port)
    sock = client_of(proxy)
    stream = Stream(sock)
    stream.send(websocket.request_bytes())
    if phase != "before the answer":
        stream.read_head()
    if phase == "in a message":
        stream.send(WebSocket(stream, True).frame(BINARY, bytes(1000))[:100])
    assert arrived.wait(WAIT_SECONDS)
    if how == "reset":
        reset(sock)
    else:
        sock.close()
    upstream.wait()
    gone(proxy)


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("phase", ["before the answer", "in the answer", "after the answer"])
def test_a_server_that_goes_takes_the_client_along(nuncio, server, phase, how):
    def script(sock):
        stream = Stream(sock)
        stream.read_head()
        if phase != "before the answer":
            stream.send(b"HTTP/1.1 101 X\r\nupgrade: websocket\r\n")
        if phase == "after the answer":
            stream.send(b"connection: upgrade\r\n\r\nhello")
            stream.read(5)
        if how == "reset":
            reset(sock)

    upstream = server(script)
    proxy = nuncio(WS, origin=upstream.port)
    stream = Stream(client_of(proxy))
    stream.send(websocket.request_bytes())
    head = stream.read_head()
    if phase == "after the answer":
        assert head.startswith(b"HTTP/1.1 101 ")
        assert stream.read(5) == b"hello"
        stream.send(b"hello")
        assert stream.read_end() == b""
    else:
        status = 503 if phase == "before the answer" else 502
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), head
        stream.read_end()
    upstream.wait()
    gone(proxy)


def test_sigterm_waits_for_open_upgrades(nuncio, server):
    upstream = server(websocket.echo)
    proxy = nuncio(WS, "--sigterm-drain-ms", "3600000", origin=upstream.port)
    end = websocket.connect(client_of(proxy))
    proxy.signal(signal.SIGTERM)
    proxy.stderr.wait("SIGTERM")
    end.send(TEXT, b"still here")
    assert end.receive() == (TEXT, b"still here")
    say_goodbye(end)
    assert proxy.wait_exit() == 0
    assert "drained" in proxy.stderr.text


def test_sigterm_waits_for_open_upgrades_no_longer_than_its_bound(nuncio, server):
    upstream = server(websocket.echo)
    proxy = nuncio(WS, "--sigterm-drain-ms", "300", origin=upstream.port)
    end = websocket.connect(client_of(proxy))
    proxy.signal(signal.SIGTERM)
    assert end.stream.read_end() == b""
    assert proxy.wait_exit() == 0
    assert "the drain is over after 300 ms: closing 1 connections" in proxy.stderr.text


# --- Who may, and what else -------------------------------------------------------------------

def test_the_prime_gate_stands_before_upgrades_too(nuncio, server):
    upstream = server(websocket.echo)
    proxy = nuncio(upgrading(GATED), origin=upstream.port)
    stream = Stream(client_of(proxy))
    stream.send(websocket.request_bytes(fields="token: 8\r\n"))
    assert stream.read_head().startswith(b"HTTP/1.1 403 ")
    stream.read_end()
    end = websocket.connect(client_of(proxy), fields="token: 7\r\n")
    end.send(TEXT, b"in")
    assert end.receive() == (TEXT, b"in")
    say_goodbye(end)
    upstream.wait()
    assert len(upstream.results) == 1


def test_an_upgrade_of_a_kept_connection_and_its_statistics(nuncio, server, origin):
    upstream = server(websocket.echo)
    plain = origin()
    config = WS.replace("              - match: {prefix: /}\n                route: {cluster: origin}\n",
                        "              - {match: {prefix: /ws}, route: {cluster: origin}}\n"
                        "              - {match: {prefix: /}, route: {cluster: plain}}\n")
    assert config != WS
    config += config[config.index("  - name: origin\n"):].replace("origin", "plain")
    proxy = nuncio(config, origin=upstream.port, plain=plain.port)
    sock = client_of(proxy)
    stream = Stream(sock)
    stream.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert stream.read_head().startswith(b"HTTP/1.1 200 ") and stream.read(2) == b"ok"
    end = websocket.connect(sock, "/ws")
    stats = proxy.stats()
    assert stats["http.main.downstream_cx_upgrades_active"] == 1
    assert stats["http.main.downstream_cx_upgrades_total"] == 1
    assert stats["cluster.origin.upstream_rq_101"] == 1
    say_goodbye(end)
    upstream.wait()
    gone(proxy)


def test_no_connection_of_an_upgrade_is_used_again(nuncio, server):
    """A server that refuses may still take what follows for a request: nothing does."""
    def script(sock):
        stream = Stream(sock)
        head = stream.read_head()
        stream.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        return head, stream.read_end()

    upstream = server(script)
    proxy = nuncio(WS, origin=upstream.port)
    for kind in ("websocket", "raw"):
        stream = Stream(client_of(proxy))
        stream.send(f"GET /1 HTTP/1.1\r\nhost: a\r\nupgrade: {kind}\r\nconnection: upgrade\r\n\r\n"
                    "GET /2 HTTP/1.1\r\nhost: a\r\n\r\n".encode())
        answer = stream.read_end()
        assert answer.startswith(b"HTTP/1.1 403 ") and answer.count(b"HTTP/1.1") == 1
        head, rest = upstream.wait()
        assert head.startswith(b"GET /1 ") and rest == b""


def test_an_upgrade_whose_header_was_taken_away_carries_nothing(nuncio, server):
    """The server is not asked, so nothing behind the head may reach it."""
    upstream = server(lambda sock: Stream(sock).read_end())
    config = WS.replace("route: {cluster: origin}",
                        "route: {cluster: origin, timeout: 0.3s}\n                request_headers_to_remove: [upgrade]")
    proxy = nuncio(config, origin=upstream.port)
    stream = Stream(client_of(proxy))
    stream.send(websocket.request_bytes() + b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n")
    assert stream.read_head().startswith(b"HTTP/1.1 504 ")
    stream.read_end()
    got = upstream.wait()
    assert b"smuggled" not in got and b"upgrade: " not in got.lower()


# --- TLS --------------------------------------------------------------------------------------

def with_tls(config, folder):
    """TLS on both sides, with HTTP/2 for clients that want it; gives the server's context, too."""
    authority = Authority(folder)
    authority.issue("server", "DNS:a.test,IP:127.0.0.1")
    tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
    pem = (f"{{certificate_chain: {{filename: {folder}/server.crt}}, "
           f"private_key: {{filename: {folder}/server.key}}}}")
    config = config.replace("    - filters:\n", f"""    - transport_socket:
        name: tls
        typed_config:
          "@type": {tls}DownstreamTlsContext
          common_tls_context: {{alpn_protocols: [h2, http/1.1], tls_certificates: [{pem}]}}
      filters:
""").replace("    type: STATIC\n", f"""    type: STATIC
    transport_socket:
      name: tls
      typed_config:
        "@type": {tls}UpstreamTlsContext
        common_tls_context: {{validation_context: {{trusted_ca: {{filename: {folder}/ca.crt}}}}}}
""")
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(folder / "server.crt", folder / "server.key")
    return config, inside


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_websocket_over_http2_through_tls(nuncio, server, tmp_path):
    config, inside = with_tls(with_h2(WS), tmp_path)
    upstream = server(lambda sock: websocket.echo(inside.wrap_socket(sock, server_side=True)))
    proxy = nuncio(limited(config), origin=upstream.port)
    outside = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    outside.set_alpn_protocols(["h2"])
    tls = TlsPeer(proxy.connect(), outside, False, "a.test")
    tls.shake()
    end = websocket.connect_h2(h2.Peer(tls, False))
    for size in (1, 1 << 20):
        data = os.urandom(size)
        end.send(BINARY, data)
        assert end.receive() == (BINARY, data)
    say_goodbye(end)
    upstream.wait()


class SharedTls:
    """A TLS socket that one thread writes to while another reads: Python's own is not made for that."""

    def __init__(self, sock):
        self.sock, self.lock = sock, threading.Lock()
        sock.setblocking(False)

    def settimeout(self, seconds):
        """Waits end with the test."""

    def _until_done(self, call):
        while True:
            with self.lock:
                try:
                    return call()
                except ssl.SSLWantReadError:
                    wanted = [self.sock], []
                except ssl.SSLWantWriteError:
                    wanted = [], [self.sock]
            select.select(*wanted, [], 0.05)

    def recv(self, size):
        return self._until_done(lambda: self.sock.recv(size))

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[self._until_done(lambda view=view: self.sock.send(view[:1 << 16])):]

    def close(self):
        self.sock.close()


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_websocket_through_tls_on_both_sides(nuncio, server, tmp_path):
    config, inside = with_tls(WS, tmp_path)
    upstream = server(lambda sock: websocket.echo(inside.wrap_socket(sock, server_side=True)))
    proxy = nuncio(limited(config), origin=upstream.port)
    outside = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    sock = outside.wrap_socket(client_of(proxy), server_hostname="a.test")
    end = websocket.connect(SharedTls(sock))
    for size in (1, 1 << 20, 3 << 20):
        data = os.urandom(size)
        thread = threading.Thread(target=end.send, args=(BINARY, data))
        thread.start()
        assert end.receive() == (BINARY, data)
        thread.join()
    say_goodbye(end)
    upstream.wait()
