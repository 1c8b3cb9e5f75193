# SPDX-License-Identifier: Apache-2.0
"""Peers that mean harm, or that sizes and ends come in the wrong order: nothing hangs or is misread."""
import shutil
import signal
import time

import pytest

from configs import PROXY
from peers import IDLE_SECONDS
from pki import Authority
from tls_common import HEAD, Client, serving

ACCESS_LOG = """          access_log:
          - name: stdout
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {text_format_source: {inline_string: "sni=%REQUESTED_SERVER_NAME%;\\n"}}
          http_filters:
"""


INSPECTOR = """    listener_filters:
    - name: tls_inspector
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
"""


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def silent(peer):
    """Takes the request and never answers."""
    peer.wait_message(is_response=False)
    peer.asked = True
    peer.wait("end", lambda: len(peer.received) if peer.end != "open" else None, IDLE_SECONDS)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl program")
    folder = tmp_path_factory.mktemp("pki")
    Authority(folder).issue("server", "DNS:a.test")
    return folder


def test_the_server_name_is_logged_when_the_client_goes_away_early(nuncio, origin, pki):
    server = origin(silent)
    config = PROXY.replace("          http_filters:\n", ACCESS_LOG).replace(
        "    filter_chains:\n", INSPECTOR + "    filter_chains:\n")
    proxy = nuncio(serving(pki, config=config), origin=server.port)
    name = "a-name-that-has-a-heap-block-of-its-own.test"
    client = Client(pki, proxy.port("main"), name)
    client.sock.sendall(HEAD)
    wait_until(lambda: server.peers and getattr(server.peers[0], "asked", False))
    client.close()
    proxy.stdout.wait(f"sni={name};")


LONG = b"v" * 8000
SMALL_BUFFERS = PROXY.replace(
    "  - name: main\n", "  - name: main\n    per_connection_buffer_limit_bytes: 1024\n").replace(
    "    type: STATIC\n", "    type: STATIC\n    per_connection_buffer_limit_bytes: 1024\n")


def answer_at_length(peer):
    peer.wait_message(is_response=False)
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-long: " + LONG + b"\r\n\r\n")
    peer.wait_end()


def test_heads_may_be_longer_than_the_buffer_limit(nuncio, origin):
    server = origin(answer_at_length)
    proxy = nuncio(SMALL_BUFFERS, origin=server.port)
    peer = proxy.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + LONG + b"\r\n\r\n")
    peer.wait_message(is_response=True)
    assert peer.received.startswith(b"HTTP/1.1 200 OK")
    assert LONG in peer.received and LONG in server.received[0]
    peer.close()


def test_the_end_of_the_process_closes_what_is_open(nuncio, origin):
    """Connections that asked for their own address, idle and in the middle of a request."""
    config = PROXY.replace("address: 127.0.0.1, port_value: @main@",
                           "address: 0.0.0.0, port_value: @main@")
    proxy = nuncio(config, origin=origin().port)
    idle = proxy.connect()
    idle.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    idle.wait_message(is_response=True)
    begun = proxy.connect()
    begun.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n1")
    silent_one = proxy.connect()
    proxy.signal(signal.SIGINT)
    assert proxy.wait_exit() == 0
    for peer in (idle, begun, silent_one):
        peer.wait_end()
        peer.close()
