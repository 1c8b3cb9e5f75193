# SPDX-License-Identifier: Apache-2.0
"""Every pairing of HTTP/1 and HTTP/2, plain and over TLS, on both sides: bodies of all sizes with
their checksums, trailers, resets from either side at each phase, and how much memory that takes.

The upstream answers with what it got: x-got is the length and the checksum of the request's body, x-end
its trailer; x-want asks for a body of that size, and for trailers.
"""
import hashlib
import re
import socket
import threading
import time

import pytest

import h2
from configs import ADMIN, HCM, ROUTER
from lib import tls
from lib.wire import Peer
from process import has_sanitizer

PKI = tls.PKI
KINDS = ("http1", "http2", "http1-tls", "http2-tls")
PAIRS = [(down, up) for down in KINDS for up in KINDS]
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
MIB = 1 << 20

# --- The proxy: a port for plain clients and one for TLS; a path for each kind of upstream ---------


def pem(name):
    return (f"{{certificate_chain: {{filename: {PKI}/{name}.crt}}, "
            f"private_key: {{filename: {PKI}/{name}.key}}}}")


def listener(name, is_tls, routes):
    transport = f"""
      transport_socket:
        name: tls
        typed_config:
          "@type": {TLS}DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates: [{pem("server")}]""" if is_tls else ""
    return f"""
  - name: {name}
    address: {{socket_address: {{address: 127.0.0.1, port_value: @{name}@}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {HCM}
          stat_prefix: {name}
          codec_type: AUTO
          http_protocol_options: {{enable_trailers: true}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:{routes}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": {ROUTER}}}{transport}
"""


def route(prefix, cluster):
    return f"""
              - match: {{prefix: {prefix}}}
                route: {{cluster: {cluster}, timeout: 0s}}"""


def cluster(name, port):
    options = "http_protocol_options: {enable_trailers: true}"
    if name.startswith("http2"):
        options = "http2_protocol_options: {}"
    transport = f"""
    transport_socket:
      name: tls
      typed_config: {{"@type": {TLS}UpstreamTlsContext}}""" if name.endswith("tls") else ""
    return f"""
  - name: {name}
    type: STATIC
    typed_extension_protocol_options:
      {OPTIONS}:
        "@type": type.googleapis.com/{OPTIONS}
        explicit_http_config: {{{options}}}{transport}
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}
"""


ROUTES = "".join(route(f"/{kind}/", kind) for kind in KINDS)
CONFIG = (ADMIN + "static_resources:\n  listeners:" + listener("plain", False, ROUTES)
          + listener("secure", True, ROUTES) + "  clusters:"
          + "".join(cluster(kind, f"@{kind.replace('-', '_')}@") for kind in KINDS))

# --- The ends ------------------------------------------------------------------------------------


class Chunked:
    """HTTP/1 read and written by hand: the same few calls as lib.h2.Peer has."""

    def __init__(self, peer, patience=h2.WAIT_SECONDS):
        self.peer, self.patience = peer, patience
        self.data = bytearray()

    def _more(self):
        self.peer.received.clear()
        deadline = time.monotonic() + self.patience
        while not self.peer.fill(deadline - time.monotonic()):  # a part of a record is nothing yet
            assert time.monotonic() < deadline, f"nothing came (connection {self.peer.end})"
        self.data += self.peer.received

    def _until(self, mark):
        while (at := self.data.find(mark)) < 0:
            if self.peer.end != "open":
                raise EOFError(self.peer.end)
            self._more()
        line = bytes(self.data[:at])
        del self.data[:at + len(mark)]
        return line

    def read_head(self):
        first, *lines = self._until(b"\r\n\r\n").decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        return first, fields

    def read_body(self, fields):
        """Length, checksum and trailers."""
        digest, size = hashlib.sha256(), 0
        if fields.get("transfer-encoding") != "chunked":
            size = self._take(int(fields.get("content-length", "0")), digest)
            return size, digest.hexdigest(), {}
        while chunk := int(self._until(b"\r\n"), 16):
            size += self._take(chunk, digest)
            self._until(b"\r\n")
        trailers = {}
        while line := self._until(b"\r\n").decode():
            name, value = line.split(": ", 1)
            trailers[name] = value
        return size, digest.hexdigest(), trailers

    def _take(self, size, digest):
        left = size
        while left:
            if not self.data:
                if self.peer.end != "open":
                    raise EOFError(self.peer.end)
                self._more()
            part = self.data[:left]
            digest.update(part)
            left -= len(part)
            del self.data[:len(part)]
        return size

    def send_head(self, first, fields):
        lines = [first, *(f"{name}: {value}" for name, value in fields.items())]
        self.peer.send("\r\n".join([*lines, "", ""]).encode())

    def send_body(self, body, trailers):
        """In chunks, so that trailers may follow."""
        for at in range(0, len(body), 50000):
            part = body[at:at + 50000]
            self.peer.send(b"%x\r\n%s\r\n" % (len(part), part))
        lines = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
        self.peer.send(f"0\r\n{lines}\r\n".encode())


def pattern(size):
    """Bytes in which a piece that is lost or doubled shows."""
    block = hashlib.sha512(b"nuncio").digest() * 1023
    return (block * (size // len(block) + 1))[:size]


def describe(size, digest):
    return f"{size}-{digest[:16]}"


def answer_to(fields, got, trailers):
    """What the upstreams say: fields, body and trailers."""
    size = int(fields.get("x-want", "0"))
    head = {"x-got": describe(*got), "x-end": trailers.get("x-end", "none")}
    return head, pattern(size), {"x-last": "yes"} if "x-trailers" in fields else {}


def serve_http1(peer):
    side = Chunked(peer, h2.IDLE_SECONDS)
    while True:
        try:
            _, fields = side.read_head()
            size, digest, trailers = side.read_body(fields)
        except EOFError:
            return
        head, body, last = answer_to(fields, (size, digest), trailers)
        side.send_head("HTTP/1.1 200 OK", {**head, "transfer-encoding": "chunked"})
        side.send_body(body, last)


def serve_http2(peer):
    side = h2.Peer(peer, True)
    side.keeps_bodies = False
    while True:
        side.wait("request or end", lambda: side.ids or peer.end != "open", h2.IDLE_SECONDS)
        if not side.ids:
            return
        stream, request = side.wait_request()
        head, body, last = answer_to(dict(request.headers),
                                     (request.size, request.digest.hexdigest()),
                                     dict(request.trailers or ()))
        side.respond(stream, 200, list(head.items()), body, list(last.items()) or None)


def alpn_of(kind):
    return "h2" if kind.startswith("http2") else "http/1.1"


def server_of(kind):
    serve = serve_http2 if kind.startswith("http2") else serve_http1
    if not kind.endswith("tls"):
        return serve

    def serve_tls(peer):
        side = tls.accept(peer, {"alpn": [alpn_of(kind)]})
        peer.sock = side.sock  # what the fixture ends the thread by
        try:
            serve(side)
        finally:
            peer.end = side.end
    return serve_tls


def client_of(proxy, kind):
    """A connection of a kind to the proxy."""
    peer = Peer(socket.create_connection(("127.0.0.1", proxy.port(
        "secure" if kind.endswith("tls") else "plain"))))
    if kind.endswith("tls"):
        peer = tls.connect(peer, {"alpn": [alpn_of(kind)], "sni": "a.test"}, {})
    return h2.Peer(peer, False) if kind.startswith("http2") else Chunked(peer)


def exchange(side, path, body=b"", want=0, trailers=None):
    """One request and its response: fields, length and checksum of the body, trailers."""
    extra = {"x-want": str(want), **({"x-trailers": "yes"} if trailers else {})}
    if isinstance(side, Chunked):
        side.send_head(f"POST {path} HTTP/1.1", {"host": "a.test", **extra, "te": "trailers",
                                                 "transfer-encoding": "chunked"})
        side.send_body(body, trailers or {})
        _, fields = side.read_head()
        return (fields, *side.read_body(fields))
    side.keeps_bodies = False
    stream = side.request(path, "POST", [*extra.items(), ("te", "trailers")], end=False)
    side.body(stream, body, end=not trailers)
    if trailers:
        side.headers(stream, list(trailers.items()), end=True)
    got = side.wait_message(stream)
    assert not got.reset, got.reset
    return dict(got.headers), got.size, got.digest.hexdigest(), dict(got.trailers or ())


@pytest.fixture
def proxy(nuncio, origin):
    ports = {kind.replace("-", "_"): origin(server_of(kind)).port for kind in KINDS}
    return nuncio(CONFIG, "--concurrency", "1", **ports)


# --- Bodies and trailers --------------------------------------------------------------------------


@pytest.mark.parametrize("down,up", PAIRS)
def test_bodies_of_all_sizes_pass(proxy, down, up):
    side = client_of(proxy, down)
    for size in (0, 1, 16384, 16385, 100000, 3 * MIB):
        body = pattern(size)
        fields, got, digest, _ = exchange(side, f"/{up}/", body, want=size)
        right = describe(size, hashlib.sha256(body).hexdigest())
        assert (fields["x-got"], describe(got, digest)) == (right, right)
    side.peer.close()


@pytest.mark.parametrize("down,up", PAIRS)
def test_trailers_pass_both_ways(proxy, down, up):
    side = client_of(proxy, down)
    for size in (0, 5, 100000):
        fields, got, _, trailers = exchange(side, f"/{up}/", pattern(size), want=size,
                                            trailers={"x-end": "here"})
        assert (fields["x-end"], got, trailers) == ("here", size, {"x-last": "yes"})
    side.peer.close()


# --- Large bodies ---------------------------------------------------------------------------------

# From port to port through all pairings: HTTP/1, HTTP/2 over TLS, h2c, HTTP/1 over TLS, HTTP/1.
HOPS = (ADMIN + "static_resources:\n  listeners:"
        + listener("first", False, route("/", "http2-tls")) + listener("second", True, route("/", "http2"))
        + listener("third", False, route("/", "http1-tls")) + listener("fourth", True, route("/", "http1"))
        + "  clusters:" + cluster("http2-tls", "@second@") + cluster("http2", "@third@")
        + cluster("http1-tls", "@fourth@") + cluster("http1", "@origin@"))
MEMORY_KIB = 200 << 10


def memory_of(proxy):
    """The most memory that the process ever had, in KiB."""
    with open(f"/proc/{proxy.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))


def test_large_bodies_pass_every_pairing_in_bounded_memory(nuncio, nuncio_binary, origin):
    proxy = nuncio(HOPS, "--concurrency", "1", origin=origin(serve_http1).port)
    side = Chunked(Peer(socket.create_connection(("127.0.0.1", proxy.port("first")))),
                   h2.IDLE_SECONDS)
    size = 100 * MIB if not has_sanitizer(nuncio_binary) else 5 * MIB
    body = pattern(size)
    fields, got, digest, _ = exchange(side, "/", body, want=size)
    right = describe(size, hashlib.sha256(body).hexdigest())
    assert (fields["x-got"], describe(got, digest)) == (right, right)
    if not has_sanitizer(nuncio_binary):
        assert memory_of(proxy) < MEMORY_KIB


# --- Resets: what the other side sees of them, at each phase ----------------------------------------

PLAIN = [(down, up) for down in KINDS[:2] for up in KINDS[:2]]


class Breaker:
    """An upstream of a kind that breaks the exchange off at a phase, and says what it saw."""

    def __init__(self, kind, phase):
        self.kind, self.phase, self.seen = kind, phase, None
        self.reached, self.done = threading.Event(), threading.Event()

    def __call__(self, peer):
        (self._serve_http2 if self.kind == "http2" else self._serve_http1)(peer)

    def _serve_http1(self, peer):
        peer.wait_text(b"\r\n\r\n")
        if self.phase in ("head", "body"):
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        if self.phase == "body":
            peer.send(b"part")
        self.reached.set()
        if self.phase != "wait":
            peer.reset()
            return
        peer.wait_end()
        self.seen = peer.end
        self.done.set()

    def _serve_http2(self, peer):
        side = h2.Peer(peer, True)
        stream, _ = side.wait_request(head=True)
        if self.phase in ("head", "body"):
            side.headers(stream, [(":status", "200"), ("content-length", "100")])
        if self.phase == "body":
            side.data(stream, b"part")
        self.reached.set()
        if self.phase != "wait":
            side.rst(stream, "INTERNAL_ERROR")
        else:
            side.wait("reset", lambda: h2.stream_is_reset(side, stream))
            self.seen = side.messages[stream].reset
            self.done.set()
        side.wait("end", lambda: peer.end != "open", h2.IDLE_SECONDS)


def begin(side, path, complete):
    """Sends a request, or the beginning of one; gives the stream over HTTP/2."""
    if isinstance(side, Chunked):
        side.send_head(f"POST {path} HTTP/1.1",
                       {"host": "a.test", "content-length": "0" if complete else "10"})
        return None
    return side.request(path, "POST", [("content-length", "0" if complete else "10")],
                        end=complete)


def outcome(side, stream):
    """What a client sees of a response that breaks off: status, or what became of the message."""
    if not isinstance(side, Chunked):
        message = side.wait_message(stream)
        return (message.status if message.headers else None), message.reset
    first, fields = side.read_head()
    try:
        side.read_body(fields)
    except EOFError:
        return int(first.split()[1]), "cut"
    return int(first.split()[1]), None


def start_with(nuncio, origin, up, phase):
    """A proxy before an upstream that breaks off, which other kinds of upstreams don't reach."""
    breaker = Breaker(up, phase)
    ports = {kind.replace("-", "_"): 1 for kind in KINDS}
    ports[up] = origin(breaker).port
    return nuncio(CONFIG, "--concurrency", "1", **ports), breaker


@pytest.mark.parametrize("phase,expected", [("request", 503), ("head", 200), ("body", 200)])
@pytest.mark.parametrize("down,up", PLAIN)
def test_a_reset_of_the_upstream_reaches_the_client(nuncio, origin, down, up, phase, expected):
    proxy, _ = start_with(nuncio, origin, up, phase)
    side = client_of(proxy, down)
    status, broken = outcome(side, begin(side, f"/{up}/", True))
    assert status == expected and bool(broken) == (status == 200)
    side.peer.close()


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("down,up", PLAIN)
def test_a_reset_of_the_client_reaches_the_upstream(nuncio, origin, down, up, complete):
    proxy, breaker = start_with(nuncio, origin, up, "wait")
    side = client_of(proxy, down)
    stream = begin(side, f"/{up}/", complete)
    assert breaker.reached.wait(h2.WAIT_SECONDS)
    if stream:
        side.rst(stream)
    else:
        side.peer.reset()
    assert breaker.done.wait(h2.WAIT_SECONDS)
    assert breaker.seen in ("NO_ERROR", "fin", "reset")
    if stream:
        side.peer.close()
