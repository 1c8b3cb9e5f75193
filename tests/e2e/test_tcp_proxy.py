# SPDX-License-Identifier: Apache-2.0
"""tcp_proxy and its kin with the real binary: bytes both ways, with and without TLS, and their bounds."""
import hashlib
import itertools
import os
import random
import re
import select
import shutil
import signal
import socket
import ssl
import threading
import time

import pytest

from configs import ADMIN
from pki import Authority
from process import eventually, has_sanitizer
from test_hostile import INSPECTOR

NETWORK = "type.googleapis.com/envoy.extensions.filters.network."
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."

TCP = ADMIN + f"""
static_resources:
  listeners:
  - name: main
    stat_prefix: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: @main@}}}}
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": {NETWORK}tcp_proxy.v3.TcpProxy
          stat_prefix: edge
          cluster: origin
  clusters:
  - name: origin
    type: STATIC
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: @origin@}}}}}}
"""
MIB = 1 << 20
SIZES = [0, 1, 4095, 65536, 3 * MIB + 1, 100 * MIB]


def secured(config, pki, downstream, upstream):
    """The configuration with TLS on these sides."""
    if downstream:
        config = config.replace("    - filters:\n", f"""    - transport_socket:
        name: tls
        typed_config:
          "@type": {TLS}DownstreamTlsContext
          common_tls_context:
            tls_certificates:
            - certificate_chain: {{filename: {pki}/server.crt}}
              private_key: {{filename: {pki}/server.key}}
      filters:
""")
    if upstream:
        config = config.replace("    type: STATIC\n", f"""    type: STATIC
    transport_socket:
      name: tls
      typed_config:
        "@type": {TLS}UpstreamTlsContext
        common_tls_context: {{validation_context: {{trusted_ca: {{filename: {pki}/ca.crt}}}}}}
""")
    return config


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl program")
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(folder)
    authority.issue("server", "DNS:a.test,IP:127.0.0.1")
    authority.issue("friend", "URI:spiffe://test/friend")
    authority.issue("other", "URI:spiffe://test/other")
    return folder


class Piece:
    """`size` bytes that no other piece has, made as they are needed."""

    def __init__(self, size, seed):
        self.size, self._block = size, random.Random(seed).randbytes(min(size, MIB))

    def blocks(self):
        left = self.size
        while left:
            yield self._block[:left]
            left -= len(self._block[:left])

    @property
    def digest(self):
        total = hashlib.sha256()
        for block in self.blocks():
            total.update(block)
        return total.hexdigest()


def duplex(sock, outgoing, size):
    """Sends a piece and receives `size` bytes at the same time; the latter's digest. One thread, since
    Python's TLS sockets are not for two."""
    sock.setblocking(False)
    blocks, block = outgoing.blocks(), memoryview(b"")
    total, left, sending = hashlib.sha256(), size, True
    poll = select.poll()
    while left or sending:
        busy = False
        try:
            block = block or memoryview(next(blocks, b""))
            sending = bool(block)
            if sending:
                block = block[sock.send(block):]
                busy = True
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            if data := sock.recv(min(left, MIB)) if left else b"":
                total.update(data)
                left -= len(data)
                busy = True
            elif left:
                return f"{left} bytes missing"
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        if not busy and (left or sending):
            poll.register(sock, select.POLLIN | (select.POLLOUT if sending else 0))
            if not poll.poll(30000):
                return f"{left} bytes missing, nothing moves"
    sock.setblocking(True)
    return total.hexdigest()


class Server:
    """Serves one connection: receives `up`, sends `down`, at the same time."""

    def __init__(self, up, down, context=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.up, self.down, self.context = up, down, context
        self.digest = None
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        self.listener.settimeout(30)
        sock, _ = self.listener.accept()
        sock.settimeout(30)
        if self.context:
            sock = self.context.wrap_socket(sock, server_side=True)
        self.digest = duplex(sock, self.down, self.up.size)
        sock.settimeout(30)
        sock.recv(1)  # the client's end
        sock.close()

    def finish(self):
        self.thread.join(60)
        self.listener.close()
        return self.digest


def wait_stat(proxy, name, value):
    deadline = time.monotonic() + 30
    while proxy.stats().get(name) != value:
        assert time.monotonic() < deadline, f"{name} is {proxy.stats().get(name)}"


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))


def exchange(proxy, server, up, down, tls_context):
    """One session both ways; what the two ends received, as digests."""
    sock = socket.create_connection(("127.0.0.1", proxy.port("main")), 30)
    if tls_context:
        sock = tls_context.wrap_socket(sock, server_hostname="a.test")
    digest = duplex(sock, up, down.size)
    sock.close()
    return server.finish(), digest


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("downstream, upstream", itertools.product([False, True], repeat=2))
def test_bytes_pass_both_ways_unchanged(nuncio, nuncio_binary, pki, downstream, upstream, size):
    server_context = client_context = None
    if upstream:
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(f"{pki}/server.crt", f"{pki}/server.key")
    if downstream:
        client_context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    up, down = Piece(size, 1), Piece(size, 2)
    server = Server(up, down, server_context)
    proxy = nuncio(secured(TCP, pki, downstream, upstream), origin=server.port)
    before = peak_kib(proxy.pid)
    assert exchange(proxy, server, up, down, client_context) == (up.digest, down.digest)
    if not has_sanitizer(nuncio_binary):  # they keep what is freed
        assert peak_kib(proxy.pid) - before < 24 * 1024


def speak_with_the_handshake(listener, context):
    """A TLS server whose first bytes are sent with the end of its handshake."""
    sock, _ = listener.accept()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_side=True)
    with sock:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        session.write(b"hello")
        sock.sendall(outgoing.read())
        while sock.recv(65536):
            pass


def test_a_server_that_speaks_first_is_heard(nuncio, pki):
    """With TLS 1.2 its bytes come in one piece with the last message of its handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pki}/server.crt", f"{pki}/server.key")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = threading.Thread(target=speak_with_the_handshake, args=(listener, context))
        server.start()
        proxy = nuncio(secured(TCP, pki, False, True), origin=port)
        with socket.create_connection(("127.0.0.1", proxy.port("main")), 30) as client:
            assert client.recv(5) == b"hello"
        server.join()


class Flood:
    """Sends zeros until nobody takes them."""

    LIMIT = 256 * MIB

    def __init__(self, sock):
        self.sent = 0
        sock.settimeout(1)
        try:
            while self.sent < self.LIMIT:
                self.sent += sock.send(bytes(1 << 16))
        except TimeoutError:
            pass  # nobody reads: what the tests are about


def test_a_client_that_does_not_read_holds_the_host_back(nuncio, origin):
    floods, done = [], threading.Event()

    def script(peer):
        floods.append(Flood(peer.sock))
        done.set()
        peer.wait_end()

    proxy = nuncio(TCP, origin=origin(script).port)
    with socket.create_connection(("127.0.0.1", proxy.port("main"))):
        assert done.wait(60)
        assert floods[0].sent < 64 * MIB
        name = "cluster.origin.upstream_flow_control_paused_reading_total"
        assert eventually(lambda: proxy.stats()[name] > 0)


def test_a_host_that_does_not_read_holds_the_client_back(nuncio, origin):
    done = threading.Event()
    proxy = nuncio(TCP, origin=origin(lambda peer: done.wait(60)).port)
    with socket.create_connection(("127.0.0.1", proxy.port("main"))) as client:
        flood = Flood(client)
        assert flood.sent < 64 * MIB
        name = "tcp.edge.downstream_flow_control_paused_reading_total"
        assert eventually(lambda: proxy.stats()[name] > 0)
        done.set()


def test_a_slow_reader_gets_everything_after_the_host_has_gone(nuncio, origin):
    sent, answer = threading.Event(), os.urandom(4 * MIB)

    def script(peer):
        peer.sock.settimeout(60)
        peer.sock.sendall(answer)
        peer.sock.shutdown(socket.SHUT_WR)
        sent.set()

    proxy = nuncio(TCP, origin=origin(script).port)
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 60) as client:
        got = bytearray(client.recv(1000))
        while data := client.recv(1 << 16):
            got += data
        assert sent.wait(60)
    assert got == answer


def test_a_host_gets_the_last_bytes_of_a_client_that_has_gone(nuncio, origin):
    gone, over, parts = threading.Event(), threading.Event(), []

    def script(peer):
        assert gone.wait(60)
        peer.sock.settimeout(60)
        while data := peer.sock.recv(1 << 16):
            parts.append(len(data))
        over.set()

    proxy = nuncio(TCP, origin=origin(script).port)
    client = socket.create_connection(("127.0.0.1", proxy.port("main")), 60)
    client.sendall(bytes(8 * MIB))
    client.close()
    gone.set()
    assert over.wait(60)
    assert sum(parts) == 8 * MIB


def test_sessions_end_with_the_process(nuncio, origin):
    proxy = nuncio(TCP, origin=origin(lambda peer: peer.fill(60)).port)
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 60) as client:
        client.sendall(b"x")
        wait_stat(proxy, "tcp.edge.downstream_cx_rx_bytes_total", 1)
        proxy.signal(signal.SIGINT)
        assert client.recv(1) == b""
        assert proxy.wait_exit() == 0


def inspected(config):
    """Only tls_inspector tells the name that a client asks for."""
    return config.replace("    filter_chains:\n", INSPECTOR + "    filter_chains:\n")


def test_the_server_name_of_a_tls_client_is_logged(nuncio, origin, pki):
    log = """          cluster: origin
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: "@dir@/log"
              log_format: {text_format_source: {inline_string: "%REQUESTED_SERVER_NAME%\\n"}}
"""
    config = inspected(secured(TCP.replace("          cluster: origin\n", log), pki, True, False))
    proxy = nuncio(config, origin=origin(lambda peer: peer.send(b"hi")).port)
    context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    plain = socket.create_connection(("127.0.0.1", proxy.port("main")), 60)
    with context.wrap_socket(plain, server_hostname="a.test") as client:
        client.sendall(b"x")
        assert client.recv(2) == b"hi"
    wait_stat(proxy, "listener.main.downstream_cx_destroy", 1)
    proxy.finish()
    assert (proxy.folder / "log").read_text() == "a.test\n"


def test_an_echo_stops_reading_from_a_client_that_does_not_read(nuncio):
    config = re.sub(r"tcp_proxy.v3.TcpProxy\n.*\n.*\n", "echo.v3.Echo\n", TCP)
    proxy = nuncio(config, origin=1)
    with socket.create_connection(("127.0.0.1", proxy.port("main"))) as client:
        flood = Flood(client)
        assert flood.sent < 64 * MIB
        client.settimeout(60)
        client.shutdown(socket.SHUT_WR)
        got = 0
        while data := client.recv(1 << 20):
            got += len(data)
        assert got == flood.sent


def with_filter(name, message, text):
    """tcp_proxy behind another filter."""
    return TCP.replace("    - filters:\n", f"""    - filters:
      - name: envoy.filters.network.{name}
        typed_config: {{"@type": {NETWORK}{name}.v3.{message}, {text}}}
""")


def test_a_cluster_that_is_not_there_is_warned_of(nuncio):
    proxy = nuncio(TCP.replace("cluster: origin", "cluster: orgin"), "--mode", "validate", origin=1,
                   ready=None)
    proxy.wait_exit()
    assert ".cluster: no cluster 'orgin' is configured" in proxy.stderr.text


def test_sni_cluster_takes_the_cluster_of_the_server_name(nuncio, origin, pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pki}/server.crt", f"{pki}/server.key")
    up, down = Piece(10, 1), Piece(20, 2)
    server = Server(up, down, context)
    config = with_filter("sni_cluster", "SniCluster", "").replace(
        "    filter_chains:\n", """    listener_filters:
    - name: envoy.filters.listener.tls_inspector
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
    filter_chains:
""").replace("origin\n", "a.test\n").replace("cluster: a.test", "cluster: elsewhere")
    proxy = nuncio(config, origin=server.port)
    client = ssl.create_default_context(cafile=f"{pki}/ca.crt")
    assert exchange(proxy, server, up, down, client) == (up.digest, down.digest)


def test_connections_are_limited_over_all_workers(nuncio, origin):
    config = with_filter("connection_limit", "ConnectionLimit", "stat_prefix: x, max_connections: 3")
    proxy = nuncio(config, "--concurrency", "4",
                   origin=origin(lambda peer: peer.send(b"hi") or peer.fill(60)).port)
    clients = []
    for _ in range(3):
        clients.append(socket.create_connection(("127.0.0.1", proxy.port("main")), 30))
        assert clients[-1].recv(2) == b"hi"
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 30) as refused:
        assert refused.recv(1) == b""
    clients.pop().close()
    wait_stat(proxy, "connection_limit.x.active_connections", 2)
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 30) as again:
        assert again.recv(2) == b"hi"
    assert proxy.stats()["connection_limit.x.limited_connections"] == 1
    for client in clients:
        client.close()


def test_a_connection_limit_can_be_switched_off_at_run_time(nuncio, origin):
    config = with_filter("connection_limit", "ConnectionLimit",
                         "stat_prefix: x, max_connections: 1, "
                         "runtime_enabled: {default_value: true, runtime_key: limit.on}")
    config = config.replace("\nstatic_resources:", """
layered_runtime: {layers: [{name: static, static_layer: {limit.on: false}}]}
static_resources:""")
    proxy = nuncio(config, origin=origin(lambda peer: peer.send(b"hi") or peer.fill(60)).port)
    with socket.create_connection(("127.0.0.1", proxy.port("main")), 30) as one, \
            socket.create_connection(("127.0.0.1", proxy.port("main")), 30) as two:
        assert one.recv(2) == two.recv(2) == b"hi"


def test_chains_with_one_share_key_share_a_bucket(nuncio, origin):
    bucket = "stat_prefix: x, share_key: k, token_bucket: {max_tokens: 2, fill_interval: 3600s}"
    config = with_filter("local_ratelimit", "LocalRateLimit", bucket)
    first = config[config.index("  - name: main"):config.index("  clusters:")]
    second = first.replace("main", "other")
    config = config.replace("  clusters:", second + "  clusters:")
    proxy = nuncio(config, origin=origin(lambda peer: peer.send(b"hi") or peer.fill(60)).port)
    got = []
    for name in ("main", "other", "main", "other"):
        with socket.create_connection(("127.0.0.1", proxy.port(name)), 30) as client:
            got.append(client.recv(2))
    assert got == [b"hi", b"hi", b"", b""]
    assert proxy.stats()["local_rate_limit.x.rate_limited"] == 2


def test_rbac_knows_clients_by_their_certificates(nuncio, origin, pki):
    rules = """stat_prefix: gate, rules: {policies: {friends: {
          permissions: [{requested_server_name: {exact: a.test}}],
          principals: [{authenticated: {principal_name: {exact: "spiffe://test/friend"}}}]}}}"""
    config = inspected(secured(with_filter("rbac", "RBAC", rules), pki, True, False)).replace(
        "            tls_certificates:\n", f"""            validation_context: {{trusted_ca: {{filename: {pki}/ca.crt}}}}
            tls_certificates:
""")
    proxy = nuncio(config, origin=origin(lambda peer: peer.fill(60) and peer.send(b"hi")).port)

    def ask(certificate):
        context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        if certificate:
            context.load_cert_chain(f"{pki}/{certificate}.crt", f"{pki}/{certificate}.key")
        plain = socket.create_connection(("127.0.0.1", proxy.port("main")), 30)
        with context.wrap_socket(plain, server_hostname="a.test") as client:
            client.sendall(b"x")
            try:
                return client.recv(2)
            except OSError:
                return b""

    assert [ask("friend"), ask("other"), ask(None)] == [b"hi", b"", b""]
    stats = proxy.stats()
    assert (stats["gate.rbac.allowed"], stats["gate.rbac.denied"]) == (1, 2)
