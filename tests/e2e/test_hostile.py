# SPDX-License-Identifier: Apache-2.0
"""Peers that mean harm, or that sizes and ends come in the wrong order: nothing hangs or is misread."""
import shutil
import time

import pytest

from configs import PROXY
from pki import Authority
from test_tls import Client, HEAD, serving

ACCESS_LOG = """          access_log:
          - name: stdout
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {text_format_source: {inline_string: "sni=%REQUESTED_SERVER_NAME%;\\n"}}
          http_filters:
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
    peer.wait("end", lambda: len(peer.received) if peer.end != "open" else None, 60)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl program")
    folder = tmp_path_factory.mktemp("pki")
    Authority(folder).issue("server", "DNS:a.test")
    return folder


def test_the_server_name_is_logged_when_the_client_goes_away_early(nuncio, origin, pki):
    server = origin(silent)
    config = PROXY.replace("          http_filters:\n", ACCESS_LOG)
    proxy = nuncio(serving(pki, config=config), origin=server.port)
    name = "a-name-that-has-a-heap-block-of-its-own.test"
    client = Client(pki, proxy.port("main"), name)
    client.sock.sendall(HEAD)
    wait_until(lambda: server.peers and getattr(server.peers[0], "asked", False))
    client.close()
    proxy.stdout.wait(f"sni={name};")
