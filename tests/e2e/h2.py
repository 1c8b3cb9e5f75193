# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 for the tests of the real binary: clients and upstreams on lib.h2.Peer.

    upstream = origin(h2.upstream())                   # answers every request with 200 and "ok"
    client = h2.client(proxy)                          # prior knowledge
    assert client.exchange("/").status == 200
"""
from lib import h2
from lib.h2 import *  # noqa: F401,F403  pylint: disable=wildcard-import,unused-wildcard-import
from peers import Peer as WirePeer
from peers import connect

WAIT_SECONDS = WirePeer.patience


def client(proxy, name="main", **options):
    """An HTTP/2 client of a nuncio's port, by prior knowledge."""
    return h2.Peer(connect(proxy.port(name)), False, **options)


def upstream(script=None, **options):
    """A script for the fixture `origin`: `script(peer)` has an h2.Peer; without one every request is
    answered with 200 and "ok"."""
    def run(peer):
        (script or serve)(h2.Peer(peer, True, **options))
    return run


def serve(peer):
    """Answers every request until the connection ends."""
    while True:
        peer.wait("request or end", lambda: peer.ids or peer.peer.end != "open", h2.IDLE_SECONDS)
        if not peer.ids:
            return
        stream, _ = peer.wait_request()
        peer.respond(stream, 200, [("content-length", "2")], b"ok")
