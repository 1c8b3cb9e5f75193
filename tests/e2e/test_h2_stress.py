# SPDX-License-Identifier: Apache-2.0
"""Peers of HTTP/2 and HTTP/1 that do anything at any time: clients send random frames and stop at any
byte, upstreams answer, break off, stall and lie. When all of them are gone nothing may be left of
them: every gauge is where it was, and the next request is answered. One time in plain text with one
worker, and shorter over TLS on both sides with two."""
import random
import select
import shutil
import socket
import ssl
import threading
import time

import pytest

import h2
from configs import PROXY
from peers import serve as serve_h1
from pki import Authority
from process import eventually
from test_h2_upstream import with_options
from tls_common import serving, upstream

SEEDS = [1, 2, 3]
STEPS = 2500
CONNECTIONS = 8

CLUSTER = """    per_connection_buffer_limit_bytes: 32768
    circuit_breakers:
      thresholds:
      - {max_connections: 3, max_pending_requests: 8, max_requests: 30, track_remaining: true}
"""


def make_config():
    config = PROXY.replace("              - match: {prefix: /}\n                route: {cluster: origin}\n",
                           """              - match: {prefix: /h1}
                route: {cluster: old, timeout: 0.2s}
              - match: {prefix: /raw}
                route:
                  {cluster: old, timeout: 0.2s, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}
              - match: {connect_matcher: {}}
                route:
                  {cluster: old, timeout: 0.2s, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}
              - match: {prefix: /}
                route: {cluster: origin, timeout: 0.2s}
""").replace("          stat_prefix: main\n", """          stat_prefix: main
          stream_idle_timeout: 0.3s
          request_timeout: 0.5s
          request_headers_timeout: 0.1s
          delayed_close_timeout: 0.1s
          proxy_100_continue: true
          upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: CONNECT}]
          http2_protocol_options:
            allow_connect: true
            max_concurrent_streams: 20
            connection_keepalive: {interval: 0.2s, timeout: 0.2s}
            override_stream_error_on_invalid_http_message: true
""").replace("    filter_chains:\n", "    per_connection_buffer_limit_bytes: 32768\n    filter_chains:\n")
    old = "  - name: origin" + config.split("  - name: origin")[1]
    old = old.replace("origin\n", "old\n").replace("@origin@", "@old@").replace(
        "    type: STATIC\n", "    type: STATIC\n" + CLUSTER)
    old = with_options("explicit_http_config: {http_protocol_options: {}}", old,
                       "common_http_protocol_options: {idle_timeout: 0.5s}")
    new = with_options("""explicit_http_config:
          http2_protocol_options:
            allow_connect: true
            max_concurrent_streams: 10
            connection_keepalive: {interval: 0.2s, timeout: 0.2s}""", config,
                       "common_http_protocol_options: {max_requests_per_connection: 20, idle_timeout: 0.5s}")
    return new.replace("    type: STATIC\n", "    type: STATIC\n" + CLUSTER) + old


class Line:
    """A connection that waits for nothing: what cannot be sent is kept, up to a bound."""

    def __init__(self, sock, chance):
        sock.setblocking(False)
        self.sock, self.chance = sock, chance
        self.out, self.is_open = bytearray(), True

    def send(self, data):
        if len(self.out) < 1 << 20:
            self.out += data
        self.flush()

    def flush(self):
        while self.out and self.is_open:
            try:
                del self.out[:self.sock.send(self.out)]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                self.close()

    def read(self, seconds=0.0):
        """What came, perhaps nothing."""
        if not self.is_open:
            return b""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        has_more = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
        if not has_more and not poll.poll(seconds * 1000):
            return b""
        try:
            data = self.sock.recv(1 << self.chance.randrange(4, 17))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except OSError:
            data = b""
        if not data:
            self.close()
        return data

    def close(self):
        if not self.is_open:
            return
        self.is_open = False
        if self.chance.random() < 0.3:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


# --- Clients --------------------------------------------------------------------------------------


def connect(port, context):
    sock = socket.create_connection(("127.0.0.1", port))
    return context.wrap_socket(sock, server_hostname="a.test") if context else sock


class Client(Line):
    def __init__(self, port, chance, context=None):
        super().__init__(connect(port, context), chance)
        self.streams, self.next_id = [], 1
        self.frame(h2.SETTINGS, 0, 0, chance.choice([b"", setting(4, 0), setting(4, 1 << 20)]),
                   before=h2.PREFACE)
        if chance.random() < 0.7:
            self.frame(h2.WINDOW_UPDATE, 0, 0, (1 << 24).to_bytes(4, "big"))

    def frame(self, kind, flags, stream, payload=b"", before=b""):
        """One frame; rarely it is cut, and what follows is wrong or nothing."""
        data = before + h2.frame_bytes(kind, flags, stream, payload)
        if self.chance.random() < 0.002:
            self.send(data[:self.chance.randrange(len(data))])
            if self.chance.random() < 0.7:
                self.close()
        else:
            self.send(data)

    def a_stream(self):
        """One that is open for us, as a rule."""
        if not self.streams or self.chance.random() < 0.01:
            return self.chance.randrange(self.next_id + 4)
        return self.chance.choice(self.streams[-12:])

    def forget(self, stream):
        if stream in self.streams:
            self.streams.remove(stream)

    def step(self):
        actions = [(self.request, 30), (self.data, 30), (self.take, 40), (self.give, 15),
                   (self.reset, 6), (self.trailers, 4), (self.change, 3), (self.ping, 3),
                   (self.prioritize, 2), (self.half_a_head, 2), (self.end, 1), (self.lie, 0.4),
                   (self.say_goodbye, 0.5)]
        self.flush()
        kinds, weights = zip(*actions)
        self.chance.choices(kinds, weights)[0]()

    def fields(self):
        chance = self.chance
        path = chance.choice(["/h1", "/h2"]) + f"/{chance.randrange(100)}"
        kind = chance.random()
        if kind < 0.06:
            return [(":method", "CONNECT"), (":authority", "a.test:80")]
        if kind < 0.16:
            return [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
                    (":path", path), (":authority", "a.test"), ("sec-websocket-version", "13")]
        fields = [(":method", chance.choice(["GET", "POST", "HEAD", "PUT"])), (":scheme", "http"),
                  (":path", path), (":authority", "a.test")]
        if kind < 0.3:
            fields.append(("content-length", str(chance.randrange(3000))))
        if kind > 0.95:
            fields.append(("expect", "100-continue"))
        if 0.9 < kind < 0.92:
            fields.append(("x-large", "x" * chance.randrange(70000)))
        return fields

    def request(self):
        stream, self.next_id = self.next_id, self.next_id + 2
        block = h2.encode_fields(self.fields())
        flags = self.chance.choice([0, 0, h2.END_STREAM])
        if not flags:
            self.streams.append(stream)
        kind = h2.HEADERS
        while len(block) > 16000:
            self.frame(kind, flags, stream, block[:16000])
            kind, flags, block = h2.CONTINUATION, 0, block[16000:]
        self.frame(kind, flags | h2.END_HEADERS, stream, block)

    def half_a_head(self):
        """The rest comes in a moment, or never."""
        stream, self.next_id = self.next_id, self.next_id + 2
        block = h2.encode_fields(self.fields())
        at = self.chance.randrange(len(block))
        self.frame(h2.HEADERS, 0, stream, block[:at])
        if self.chance.random() < 0.5:
            time.sleep(0.12 * self.chance.random())
        if self.chance.random() < 0.8:
            self.frame(h2.CONTINUATION, h2.END_HEADERS, stream, block[at:])

    def data(self):
        size = self.chance.choice([1, 10, 1000, 16384])
        flags = h2.END_STREAM if self.chance.random() < 0.3 else 0
        payload = bytes(size)
        if self.chance.random() < 0.1:
            padding = self.chance.randrange(256)
            flags, payload = flags | h2.PADDED, bytes([padding]) + payload[:8000] + bytes(padding)
        if not self.streams and self.chance.random() < 0.95:
            return
        stream = self.a_stream()
        self.frame(h2.DATA, flags, stream, payload)
        if flags & h2.END_STREAM:
            self.forget(stream)

    def trailers(self):
        if not self.streams:
            return
        stream = self.a_stream()
        self.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, stream,
                   h2.encode_fields([("x-end", "1")]))
        self.forget(stream)

    def take(self):
        self.read(self.chance.choice([0, 0, 0, 0.002]))

    def give(self):
        stream = self.chance.choice([0, self.a_stream() if self.streams else 0])
        more = self.chance.choice([1, 100, 65536, 1 << 20])
        self.frame(h2.WINDOW_UPDATE, 0, stream, more.to_bytes(4, "big"))

    def reset(self):
        stream = self.a_stream()
        self.forget(stream)
        self.frame(h2.RST_STREAM, 0, stream, self.chance.randrange(14).to_bytes(4, "big"))

    def change(self):
        self.frame(h2.SETTINGS, 0, 0, setting(4, self.chance.choice([0, 1, 1000, 65535, 1 << 20])))

    def ping(self):
        self.frame(h2.PING, self.chance.choice([0, h2.ACK]), 0, bytes(8))

    def prioritize(self):
        self.frame(h2.PRIORITY, 0, self.a_stream() or 1, self.chance.randbytes(5))

    def say_goodbye(self):
        self.frame(h2.GOAWAY, 0, 0, bytes(8))

    def lie(self):
        self.frame(self.chance.randrange(12), self.chance.randrange(256), self.a_stream(),
                   self.chance.randbytes(self.chance.randrange(40)))

    def end(self):
        self.close()


def setting(key, value):
    return key.to_bytes(2, "big") + value.to_bytes(4, "big")


# --- Upstreams ------------------------------------------------------------------------------------


def serve_rest(serve):
    """A request of the last wild clients may end in its middle."""
    try:
        serve()
    except h2.StepTimeout:
        pass


class Upstreams:
    """Scripts for two origins, which are wild until they are told otherwise. The one of HTTP/2 speaks
    TLS if it is given a context."""

    def __init__(self, seed, context=None):
        self.chance, self.are_wild, self.context = random.Random(seed), True, context

    def run_h2(self, peer):
        if self.context:
            peer.sock.setblocking(True)
            try:
                peer.sock = self.context.wrap_socket(peer.sock, server_side=True)
            except OSError:
                peer.end = "we closed"
                return
        if self.are_wild:
            self._run(peer, WildH2(peer.sock, random.Random(self.chance.random())))
        else:
            serve_rest(lambda: h2.serve(h2.Peer(peer, True)))

    def run_h1(self, peer):
        if self.are_wild:
            self._run(peer, WildH1(peer.sock, random.Random(self.chance.random())))
        else:
            serve_rest(lambda: serve_h1(peer))

    def _run(self, peer, line):
        while line.is_open and self.are_wild:
            line.flush()
            line.take(line.read(0.01))
        line.close()
        peer.end = "we closed"


class WildH2(Line):
    def __init__(self, sock, chance):
        super().__init__(sock, chance)
        self.reader, self.streams = h2.FrameReader(True), []
        self.stalls = chance.random() < 0.05
        limit = chance.choice([b"", setting(3, 1), setting(3, 5), setting(4, 0), setting(8, 1)])
        self.frame(h2.SETTINGS, 0, 0, limit)

    def frame(self, kind, flags, stream, payload=b""):
        data = h2.frame_bytes(kind, flags, stream, payload)
        if self.chance.random() < 0.003:
            self.send(data[:self.chance.randrange(len(data))])
            self.close()
        else:
            self.send(data)

    def take(self, data):
        if self.stalls or not self.is_open:
            return
        for frame in self.reader.feed(data):
            if frame.kind == h2.SETTINGS and not frame.flags & h2.ACK:
                self.frame(h2.SETTINGS, h2.ACK, 0)
            elif frame.kind == h2.PING and not frame.flags & h2.ACK and self.chance.random() < 0.9:
                self.frame(h2.PING, h2.ACK, 0, frame.payload)
            elif frame.kind == h2.HEADERS and frame.stream not in self.streams:
                self.streams.append(frame.stream)
            elif frame.kind == h2.DATA and frame.payload and self.chance.random() < 0.8:
                for stream in (0, frame.stream):
                    self.frame(h2.WINDOW_UPDATE, 0, stream, len(frame.payload).to_bytes(4, "big"))
            if self.streams and self.chance.random() < 0.7:
                self.act(self.chance.choice(self.streams))

    def act(self, stream):
        chance = self.chance
        kind = chance.random()
        if kind < 0.5:
            self.respond(stream)
        elif kind < 0.6:
            self.frame(h2.HEADERS, h2.END_HEADERS, stream,
                       h2.encode_fields([(":status", chance.choice(["100", "103", "101"]))]))
        elif kind < 0.7:
            self.frame(h2.RST_STREAM, 0, stream, chance.choice([0, 2, 7, 8]).to_bytes(4, "big"))
            self.streams.remove(stream)
        elif kind < 0.72:
            last = chance.choice([0, stream, (1 << 31) - 1])
            self.frame(h2.GOAWAY, 0, 0, last.to_bytes(4, "big") + bytes(4))
        elif kind < 0.74:
            self.frame(h2.SETTINGS, 0, 0, setting(*chance.choice([(3, 0), (3, 3), (4, 0), (4, 70000)])))
        elif kind < 0.75:
            self.frame(chance.randrange(11), chance.randrange(256), stream, chance.randbytes(12))
        elif kind < 0.76:
            self.close()

    def respond(self, stream):
        chance = self.chance
        fields = [(":status", chance.choice(["200", "200", "404", "500"]))]
        if chance.random() < 0.2:
            fields.append(("content-length", str(chance.randrange(3))))
        end = chance.random() < 0.3
        self.frame(h2.HEADERS, h2.END_HEADERS | (h2.END_STREAM if end else 0), stream,
                   h2.encode_fields(fields))
        for _ in range(chance.randrange(4)):
            self.frame(h2.DATA, 0, stream, bytes(chance.choice([1, 2, 16384])))
        if not end and chance.random() < 0.8:
            self.frame(h2.DATA, h2.END_STREAM, stream, b"")
            end = True
        if end:
            self.streams.remove(stream)


class WildH1(Line):
    ANSWERS = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-end: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + bytes(100000),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more",
        b"HTTP/1.1 503 No\r\ncontent-length: 9\r\n\r\nhalf",
        b"no HTTP at all\r\n\r\n",
        b"",
    ]

    def take(self, data):
        if not data or not self.is_open:
            return
        if self.chance.random() < 0.9:
            answer = self.chance.choice(self.ANSWERS)
            cut = self.chance.random() < 0.05
            self.send(answer[:self.chance.randrange(len(answer) + 1)] if cut else answer)
            if cut or b"connection: close" in answer or self.chance.random() < 0.05:
                self.close()


# --- The test -------------------------------------------------------------------------------------


def gauges(proxy):
    """What must be again what it was, but for zeros. Of the admin port's own requests nothing is
    asked, nor of log lines that wait for their thread."""
    ends = ("_active", "pending_send_bytes", "_open", "_buffered")
    return {name: value for name, value in proxy.stats().items()
            if value and (name.endswith(ends) or ".remaining_" in name)
            and ".admin." not in name and not name.startswith("filesystem.")}


def go_wild(proxy, seed, steps, context=None):
    chance = random.Random(seed)
    clients = []
    for _ in range(steps):
        clients = [client for client in clients if client.is_open]
        while len(clients) < CONNECTIONS:
            clients.append(Client(proxy.port("main"), chance, context))
        chance.choice(clients).step()
    for client in clients:
        client.close()


def is_left(proxy, before):
    return not eventually(lambda: gauges(proxy) == before)


def is_answered(proxy, path):
    """The limits are so tight that a busy machine may miss one."""
    try:
        return h2.client(proxy).exchange(path).status == 200
    except h2.StepTimeout:
        return False


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_left_of_wild_peers(nuncio, origin, seed):
    upstreams = Upstreams(seed)
    new, old = origin(upstreams.run_h2), origin(upstreams.run_h1)
    proxy = nuncio(make_config(), "--concurrency", "1", origin=new.port, old=old.port)
    before = gauges(proxy)
    go_wild(proxy, seed, STEPS)
    upstreams.are_wild = False
    assert not is_left(proxy, before), gauges(proxy)
    for path in ("/h1", "/h2"):
        assert eventually(lambda path=path: is_answered(proxy, path))


def make_secure_config(pki):
    """make_config with TLS to clients, and to the origin of HTTP/2."""
    plain = "    type: STATIC\n"
    first, second = make_config().split("  - name: origin\n")
    trust = f"common_tls_context: {{validation_context: {{trusted_ca: {{filename: {pki}/ca.crt}}}}}}"
    secure = second.replace(plain, upstream(f"sni: a.test, {trust}"), 1)
    return serving(pki, extra="alpn_protocols: [h2]", config=first + "  - name: origin\n" + secure)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_nothing_is_left_of_wild_peers_over_tls_with_two_workers(nuncio, origin, tmp_path):
    Authority(tmp_path).issue("server", "DNS:a.test")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    server.set_alpn_protocols(["h2"])
    client = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    client.set_alpn_protocols(["h2"])
    upstreams = Upstreams(1, server)
    new, old = origin(upstreams.run_h2), origin(upstreams.run_h1)
    proxy = nuncio(make_secure_config(tmp_path), "--concurrency", "2", origin=new.port, old=old.port)
    before = gauges(proxy)
    go_wild(proxy, 1, STEPS // 2, client)
    upstreams.are_wild = False
    assert not is_left(proxy, before), gauges(proxy)
    stats = proxy.stats()
    assert stats["cluster.origin.ssl.handshake"] > 0 and stats["http.main.downstream_rq_2xx"] > 0
