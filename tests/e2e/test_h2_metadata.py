# SPDX-License-Identifier: Apache-2.0
"""METADATA frames beside messages: how much of them may wait, and for whom. What passes, and what ends
a connection, is compared with a real Envoy in tests/compat/cases/h2/metadata."""
import contextlib
import socket

import h2
from test_h2_downstream import with_h2
from test_h2_upstream import with_options

# No connection is given up while what waits for it is looked at.
ALLOWED = with_options("explicit_http_config: {http2_protocol_options: {allow_metadata: true}}",
                       with_h2("{allow_metadata: true}")).replace(
                           "    type: STATIC\n", "    type: STATIC\n    connect_timeout: 60s\n")
PIECE = "v" * 8000


@contextlib.contextmanager
def full_server():
    """A server whose queue is full: a connection to it never comes about."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_what_waits_for_a_connection_is_bounded(nuncio):
    block = h2.frame_bytes(h2.METADATA, h2.END_METADATA, 1, b"\0\1a\1b")
    with full_server() as port:
        client = h2.client(nuncio(ALLOWED, origin=port))
        stream = client.request(method="POST", end=False)
        client.peer.send(block * 30000)
        client.frame(h2.PING, 0, 0, bytes(8))
        client.wait_frame(h2.PING)
        assert client.messages[stream].reset is None
        client.peer.send(block * 10000)
        client.wait("reset", lambda: client.messages[stream].reset is not None)
        client.frame(h2.PING, 0, 0, bytes(8))
        client.wait_frame(h2.PING)


def test_a_stream_with_too_much_of_it_ends_its_connection(nuncio, origin):
    client = h2.client(nuncio(ALLOWED, origin=origin(h2.upstream()).port))
    stream = client.request(method="POST", end=False)
    for _ in range(1 + (1 << 20) // len(PIECE)):
        client.metadata(stream, [("name", PIECE)])
    client.wait_end()
