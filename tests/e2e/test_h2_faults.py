# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 with peers that break off, break rules, or are slow, in moments that are rare."""
import socket
import threading
import time

import h2
from configs import PATIENT
from test_h2_upstream import H2 as UPSTREAM_H2
from test_h2_upstream import wait_stat
from lib.wire import Peer

FAR = 1 << 30
# Little goes out at a time, as on a slow line.
SLOW = PATIENT.replace("""    filter_chains:
""", """    socket_options: [{level: 1, name: 7, int_value: 65536}]
    filter_chains:
""").replace("          stat_prefix: main\n", """          stat_prefix: main
          http2_protocol_options: {max_outbound_control_frames: 20}
""")


def test_an_upstream_breaks_rules_while_much_waits_for_it(nuncio, origin):
    """What waits for an upstream drains after its session has failed."""
    may_fail, may_read = threading.Event(), threading.Event()

    def script(peer):
        upstream = h2.Peer(peer, True, settings={4: FAR}, starts=False)
        upstream.start({4: FAR})
        upstream.give(0, FAR)
        upstream.wait_frame(h2.HEADERS)
        may_fail.wait(h2.WAIT_SECONDS)
        upstream.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.encode_fields([(":status", "200")]))
        for _ in range(3):
            upstream.data(1, b"")
        may_read.wait(h2.WAIT_SECONDS)
        while peer.end == "open":
            peer.fill(0.1)
            peer.received.clear()

    proxy = nuncio(UPSTREAM_H2, "--concurrency", "1", origin=origin(script).port)
    client = h2.client(proxy)
    stream = client.request("/", "POST", end=False)
    sender = threading.Thread(target=send_until_held, args=(client, stream))
    sender.start()
    wait_above(proxy, "cluster.origin.upstream_flow_control_backed_up_total", 0)
    may_fail.set()
    wait_above(proxy, "cluster.origin.upstream_cx_protocol_error", 0)
    may_read.set()
    sender.join(h2.WAIT_SECONDS)
    wait_stat(proxy, "cluster.origin.upstream_cx_active", 0)


def send_until_held(client, stream):
    """Much more than buffers hold; ends with the stream."""
    try:
        client.body(stream, bytes(64 << 20))
    except h2.StepTimeout:
        pass


def wait_above(proxy, name, value):
    deadline = time.monotonic() + h2.WAIT_SECONDS
    while proxy.stats().get(name, 0) <= value:
        assert time.monotonic() < deadline, name
        time.sleep(0.01)


def test_what_a_slow_reader_has_read_is_no_flood(nuncio, origin):
    """Frames that were written count no more, though something always waits behind them."""
    size, block = 12 << 20, bytes(1 << 20)

    def script(peer):
        peer.wait_text(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // len(block)):
            peer.send(block)

    proxy = nuncio(SLOW, "--concurrency", "1", origin=origin(script).port)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    sock.connect(("127.0.0.1", proxy.port("main")))
    client = h2.Peer(Peer(sock), False, starts=False)
    client.start({4: FAR})
    client.give(0, FAR)
    client.request("/")
    sock.settimeout(h2.WAIT_SECONDS)
    got, pings = 0, 0
    while got < size and (part := sock.recv(8192)):
        got += len(part)
        if got >> 18 > pings:
            pings += 1
            client.frame(h2.PING, 0, 0, bytes(8))
        time.sleep(0.0002)
    sock.close()
    assert pings > 40 and got >= size
    assert proxy.stats()["http2.outbound_control_flood"] == 0
