# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 with clients: bodies in all pairings, flow control, floods, the ends of streams and
connections. What an exchange looks like is compared with a real Envoy in tests/compat/cases/h2."""
import hashlib
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import h2
from configs import PATIENT, PROXY
from pki import Authority
from process import eventually
from test_h2_upstream import H2 as UPSTREAM_H2
from test_h2_upstream import with_options
from tls_common import serving

FAR_TOO_MUCH = 256 << 20
BOUND = 64 << 20
SIZES = [0, 1, 16383, 16384, 16385, 65535, 65536, 1 << 20, (5 << 20) + 7]


def with_hcm(text, config=PROXY):
    """PROXY with more in its connection manager."""
    return config.replace("          stat_prefix: main\n", f"          stat_prefix: main\n{text}\n")


def with_h2(options):
    return with_hcm(f"          http2_protocol_options: {options}")


# What still comes is read for so long when a connection is ended.
AT_ONCE = "          delayed_close_timeout: 0.05s"


def with_runtime(values):
    return f"layered_runtime: {{layers: [{{name: test, static_layer: {values}}}]}}\n" + PROXY


def content(size):
    return hashlib.sha512(b"seed").digest() * (size // 64 + 1)


def wait_stat(proxy, name, value):
    assert eventually(lambda: proxy.stats().get(name, 0) == value), f"{name} is {proxy.stats().get(name)}"


# --- Bodies ---------------------------------------------------------------------------------------


def echo_h1(peer):
    """Sends each request's body back, with its length."""
    while True:
        peer.used_before = peer.used
        peer.wait_message(is_response=False)
        head, _, body = bytes(peer.received[peer.used_before:peer.used]).partition(b"\r\n\r\n")
        assert b"\r\ntransfer-encoding" not in head.lower()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


def quiet(script):
    """A script that ends in silence when its time is over."""
    def run(peer):
        try:
            script(peer)
        except h2.StepTimeout:
            pass
    return run


def echo_h2(peer):
    while True:
        stream, message = peer.wait_request()
        peer.headers(stream, [(":status", "200"), ("x-sum", message.get("x-sum") or "-")])
        peer.body(stream, bytes(message.body), end=False)
        peer.headers(stream, [("x-end", "1")], end=True)


@pytest.mark.parametrize("upstream", ["h1", "h2"])
def test_bodies_of_any_size_pass_both_ways(nuncio, origin, upstream):
    script = quiet(echo_h1) if upstream == "h1" else h2.upstream(quiet(echo_h2))
    proxy = nuncio(PATIENT if upstream == "h1" else with_options(
        "explicit_http_config: {http2_protocol_options: {}}", PATIENT), origin=origin(script).port)
    client = h2.client(proxy)
    for size in SIZES:
        body = content(size)[:size]
        answer = client.exchange("/", "POST", [("content-length", str(size))], body)
        assert answer.status == 200
        # Without a byte to wait for, the host may have answered before the client's end came.
        assert answer.reset is None or (size == 0 and answer.reset == "NO_ERROR")
        assert bytes(answer.body) == body
        assert (dict(answer.trailers)["x-end"] == "1") if upstream == "h2" else not answer.trailers


def test_many_streams_share_a_connection(nuncio, origin):
    proxy = nuncio(UPSTREAM_H2, origin=origin(h2.upstream(quiet(echo_h2))).port)
    client = h2.client(proxy)
    bodies = {client.request("/", "POST", end=False): content(100000)[:70000 + 31 * n]
              for n in range(20)}
    for at in range(0, 80000, 8192):
        for stream, body in bodies.items():
            if body[at:]:
                client.body(stream, body[at:at + 8192], end=at + 8192 >= len(body))
    for stream, body in bodies.items():
        assert bytes(client.wait_message(stream).body) == body


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_100_mib_pass_both_ways(nuncio, origin, tmp_path, scheme):
    if not shutil.which("curl") or "HTTP2" not in subprocess.run(
            ["curl", "-V"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("needs curl with HTTP/2")
    size, block = 100 << 20, content(1 << 20)[:1 << 20]
    sums = []

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        left, got = size, hashlib.sha256()
        data = bytes(peer.received[peer.used:])
        peer.sock.setblocking(True)
        while True:
            got.update(data)
            left -= len(data)
            if not left:
                break
            data = peer.sock.recv(1 << 20)
        sums.append(got.hexdigest())
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // len(block)):
            peer.sock.sendall(block)

    config = PATIENT
    if scheme == "https":
        Authority(tmp_path).issue("server", "DNS:a.test")
        config = serving(tmp_path, extra="alpn_protocols: [h2, http/1.1]", config=PATIENT)
    proxy = nuncio(config, "--concurrency", "1", origin=origin(script).port)
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(block * (size // len(block)))
    run = subprocess.run(
        ["curl", "-sk", "--http2" if scheme == "https" else "--http2-prior-knowledge", "-T", sent,
         "-o", got, "-w", "%{http_version} %{http_code}",
         f"{scheme}://127.0.0.1:{proxy.port('main')}/"], capture_output=True, text=True, check=True)
    assert run.stdout == "2 200"
    want = hashlib.sha256(sent.read_bytes()).hexdigest()
    assert sums == [want] and hashlib.sha256(got.read_bytes()).hexdigest() == want


# --- Which protocol -------------------------------------------------------------------------------


def test_alpn_decides_over_tls(nuncio, origin, tmp_path):
    if not shutil.which("curl") or not shutil.which("openssl"):
        pytest.skip("needs curl and openssl")
    Authority(tmp_path).issue("server", "DNS:a.test")
    proxy = nuncio(serving(tmp_path, extra="alpn_protocols: [h2, http/1.1]"), origin=origin().port)
    url = f"https://127.0.0.1:{proxy.port('main')}/"
    for option, version in (("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")):
        run = subprocess.run(["curl", "-sk", option, "-w", "%{http_version}", "-o", "/dev/null", url],
                             capture_output=True, text=True, check=True)
        assert run.stdout == version
    stats = proxy.stats()
    assert stats["http.main.downstream_cx_http2_total"] == 1
    assert stats["http.main.downstream_cx_http1_total"] == 2


def test_the_admin_interface_speaks_it(nuncio, origin):
    proxy = nuncio(PROXY, origin=origin().port)
    assert h2.client(proxy, "admin").exchange("/ready").status == 200


# --- Flow control ---------------------------------------------------------------------------------


def test_a_client_without_a_window_holds_the_upstream_back(nuncio, origin):
    sent, stalled = [0], threading.Event()

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        peer.sock.setblocking(True)
        peer.sock.settimeout(1)
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % FAR_TOO_MUCH)
        try:
            while sent[0] < FAR_TOO_MUCH:
                sent[0] += peer.sock.send(bytes(1 << 16))
        except OSError:
            pass  # nobody reads
        stalled.set()

    proxy = nuncio(PROXY, origin=origin(script).port)
    client = h2.client(proxy, gives_window=False)
    client.request()
    assert stalled.wait(60)
    assert sent[0] < BOUND
    # Other streams of the connection go on.
    assert eventually(lambda: proxy.stats()["http2.pending_send_bytes"] > 0)


def test_an_upstream_that_does_not_read_holds_the_client_back(nuncio, origin):
    over = threading.Event()

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        over.wait(60)

    proxy = nuncio(PROXY, origin=origin(script).port)
    client = h2.client(proxy)
    stream, sent = client.request("/", "POST", end=False), 0
    client.wait_frame(h2.SETTINGS)
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline and sent < FAR_TOO_MUCH:
        client.pump(0.01)
        room = min(client.window, client.windows.get(stream, client.peer_window))
        if room > 0:
            client.body(stream, bytes(min(room, 1 << 20)), end=False)
            sent += min(room, 1 << 20)
            deadline = time.monotonic() + 1.5
    over.set()
    assert sent < BOUND


def test_a_finished_stream_does_not_wait_for_its_client_for_ever(nuncio, origin):
    def script(peer):
        peer.wait_message(is_response=False)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + bytes(100000))

    proxy = nuncio(with_hcm("          stream_idle_timeout: 0.3s"), origin=origin(script).port)
    client = h2.client(proxy, gives_window=False)
    stream = client.request()
    client.wait("reset", lambda: h2.stream_is_reset(client, stream))
    assert proxy.stats()["http2.tx_flush_timeout"] == 1


@pytest.mark.parametrize("in_head", [True, False], ids=["headers", "priority"])
def test_priorities_of_rfc_7540_are_ignored(nuncio, origin, in_head):
    def script(peer):
        while True:  # the second request may find the first one's connection idle
            peer.wait_message(is_response=False)
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 30000\r\n\r\n" + bytes(30000))

    proxy = nuncio(PROXY, origin=origin(quiet(script)).port)
    client = h2.client(proxy, settings={4: 0}, gives_window=False)
    block = h2.encode_fields([(":method", "GET"), (":scheme", "http"), (":authority", "a"),
                              (":path", "/")])
    behind_1 = bytes([0x80, 0, 0, 1, 0])  # depends on 1 alone, with the least weight
    client.messages = {1: h2.Message(), 3: h2.Message()}
    client.frame(h2.HEADERS, 5, 1, block)
    client.frame(h2.HEADERS, 5 | (h2.PRIORITIZED if in_head else 0), 3,
                 (behind_1 if in_head else b"") + block)
    if not in_head:
        client.frame(h2.PRIORITY, 0, 3, behind_1)
    client.wait_head(1)
    client.wait_head(3)
    wait_stat(proxy, "http2.pending_send_bytes", 60000)
    client.settings({4: 65535})
    client.wait_message(1)
    client.wait_message(3)
    order = [frame.stream for frame in client.frames if frame.kind == h2.DATA]
    assert order.index(3) < len(order) - 1 - order[::-1].index(1)


# --- Floods ---------------------------------------------------------------------------------------


def begin(proxy):
    """A socket on which HTTP/2 has begun, for frames without a reader."""
    sock = socket.create_connection(("127.0.0.1", proxy.port("main")), 20)
    sock.sendall(h2.PREFACE + h2.frame_bytes(h2.SETTINGS, 0, 0))
    return sock


def send_until_the_end(sock, data):
    """Sends the data again and again, without reading; false when it goes on for ever."""
    deadline = time.monotonic() + h2.WAIT_SECONDS
    try:
        while time.monotonic() < deadline:
            sock.sendall(data)
    except ConnectionError:
        return True
    return False


GET = h2.encode_fields([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")])


@pytest.mark.parametrize("kind, payload", [(h2.PING, bytes(8)), (h2.SETTINGS, b"")],
                         ids=["ping", "settings"])
def test_answers_that_nobody_reads_end_the_connection(nuncio, origin, kind, payload):
    proxy = nuncio(with_hcm(AT_ONCE), origin=origin().port)
    with begin(proxy) as sock:
        assert send_until_the_end(sock, h2.frame_bytes(kind, 0, 0, payload) * 1000)
    wait_stat(proxy, "http2.outbound_control_flood", 1)
    assert proxy.get("main").status == 200


BEGUN_AT_ONCE = 16  # before their resets are looked at


def reset_streams_until_the_end(sock, count=20000, head=GET):
    """All of them may fit what the kernel keeps for a proxy that does not read yet: the end is read."""
    try:
        for stream in range(1, 2 * count, 2):
            sock.sendall(h2.frame_bytes(h2.HEADERS, 5, stream, head) +
                         h2.frame_bytes(h2.RST_STREAM, 0, stream, (8).to_bytes(4, "big")))
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass


def test_rapid_resets_end_the_connection(nuncio, origin):
    proxy = nuncio(PROXY, origin=origin(lambda peer: peer.wait_end()).port)
    with begin(proxy) as sock:
        reset_streams_until_the_end(sock)
    stats = proxy.stats()
    assert stats["http.main.downstream_rq_too_many_premature_resets"] == 1
    assert 250 <= stats["http.main.downstream_rq_total"] <= 250 + BEGUN_AT_ONCE
    assert proxy.admin("/ready").status == 200


def test_the_bound_of_rapid_resets_is_a_runtime_value(nuncio, origin):
    config = with_runtime("{overload.premature_reset_total_stream_count: 10}")
    proxy = nuncio(config, origin=origin(lambda peer: peer.wait_end()).port)
    with begin(proxy) as sock:
        reset_streams_until_the_end(sock)
    assert 5 <= proxy.stats()["http.main.downstream_rq_total"] <= 5 + BEGUN_AT_ONCE


def test_a_header_block_that_does_not_end_ends_the_connection(nuncio, origin):
    proxy = nuncio(with_hcm(AT_ONCE), origin=origin().port)
    with begin(proxy) as sock:
        sock.sendall(h2.frame_bytes(h2.HEADERS, 0, 1, GET))
        assert send_until_the_end(sock, h2.frame_bytes(h2.CONTINUATION, 0, 1, b"\0\1a\1b") * 100)
    assert proxy.get("main").status == 200


def test_a_small_block_that_stands_for_a_large_one_resets_its_stream(nuncio, origin):
    proxy = nuncio(PROXY, origin=origin().port)
    client = h2.client(proxy)
    client.wait_frame(h2.SETTINGS)
    value = b"v" * 3000
    table_entry = b"\x40\x01x\x7f" + bytes([3000 - 127 & 127 | 128, 3000 - 127 >> 7]) + value
    block = GET + table_entry + b"\xbe" * 16000
    client.messages[1] = h2.Message()
    client.frame(h2.HEADERS, 5, 1, block[:16384])
    client.wait("reset", lambda: h2.stream_is_reset(client, 1))
    client._next_id = 3  # pylint: disable=protected-access
    assert client.exchange("/").status == 200


@pytest.mark.parametrize("count,passes", [(300, True), (3000, False)])
def test_pieces_of_a_cookie_are_bounded(nuncio, origin, count, passes):
    proxy = nuncio(PROXY, origin=origin().port)
    client = h2.client(proxy)
    client.messages[1] = h2.Message()
    client.frame(h2.HEADERS, 5, 1, GET + b"\x60\x03a=b" + b"\xbe" * count)
    if passes:
        assert client.wait_message(1).status == 200
    else:
        client.wait("reset", lambda: h2.stream_is_reset(client, 1))


def test_heads_may_be_as_large_as_configured(nuncio, origin):
    proxy = nuncio(with_hcm("          max_request_headers_kb: 500\n"
                            "          common_http_protocol_options: {max_headers_count: 200}"),
                   origin=origin().port)
    client = h2.client(proxy)
    block = GET + h2.encode_fields([(f"x-{n}", "v" * 4000) for n in range(100)])
    client.messages[1] = h2.Message()
    parts = [block[at:at + 16384] for at in range(0, len(block), 16384)]
    for at, part in enumerate(parts):
        last = h2.END_HEADERS if at == len(parts) - 1 else 0
        if at == 0:
            client.frame(h2.HEADERS, h2.END_STREAM | last, 1, part)
        else:
            client.frame(h2.CONTINUATION, last, 1, part)
    assert client.wait_message(1).status == 200


def test_data_for_reset_streams_is_counted_as_a_flood_too(nuncio, origin):
    proxy = nuncio(PROXY, origin=origin(lambda peer: peer.wait_end()).port)
    client = h2.client(proxy)
    stream = client.request("/", "POST", end=False)
    client.rst(stream)
    for _ in range(1000):
        client.data(stream)
        client.pump(0)
    client.wait_end()


# --- Ends -----------------------------------------------------------------------------------------


def test_a_ping_that_is_not_answered_ends_the_connection(nuncio, origin):
    config = with_h2("{connection_keepalive: {interval: 0.1s, timeout: 0.2s}}")
    proxy = nuncio(config, origin=origin().port)
    with begin(proxy) as sock:
        received = b""
        while (data := sock.recv(4096)):
            received += data
    assert h2.frame_bytes(h2.PING, 0, 0)[3:5] in received
    wait_stat(proxy, "http2.keepalive_timeout", 1)


def test_a_connection_whose_pings_are_answered_goes_on(nuncio, origin):
    config = with_h2("{connection_keepalive: {interval: 0.05s, timeout: 60s}}")
    client = h2.client(nuncio(config, origin=origin().port))
    for _ in range(3):
        client.wait_frame(h2.PING)
    assert client.exchange("/").status == 200


def test_a_client_that_said_goaway_may_go_on(nuncio, origin):
    client = h2.client(nuncio(PROXY, origin=origin().port))
    client.goaway(0)
    client.frame(h2.PING, 0, 0, bytes(8))
    client.wait_frame(h2.PING)
    assert client.exchange("/").status == 200
    assert client.exchange("/").status == 200


def test_sigterm_lets_streams_finish_behind_a_goaway(nuncio, origin):
    came, go_on = threading.Event(), threading.Event()

    def script(peer):
        peer.wait_message(is_response=False)
        came.set()
        go_on.wait(60)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    proxy = nuncio(PROXY, origin=origin(script).port)
    client = h2.client(proxy)
    stream = client.request()
    assert came.wait(60)
    proxy.signal(signal.SIGTERM)
    assert client.wait_frame(h2.GOAWAY).code == "NO_ERROR"
    go_on.set()
    assert client.wait_message(stream).body == b"ok"
    client.wait_end()
    assert proxy.wait_exit() == 0


# --- Other clients --------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["nghttp", "h2load"])
def test_other_clients(nuncio, origin, program):
    if not shutil.which(program):
        pytest.skip(f"needs {program}")
    proxy = nuncio(PROXY, origin=origin().port)
    url = f"http://127.0.0.1:{proxy.port('main')}/"
    arguments = ["-nv"] if program == "nghttp" else ["-n", "500", "-c", "3", "-m", "20"]
    run = subprocess.run([program, *arguments, url], capture_output=True, text=True, check=True,
                         timeout=60)
    assert (":status: 200" if program == "nghttp" else "500 2xx") in run.stdout
