# SPDX-License-Identifier: Apache-2.0
"""Addresses that proxy-wasm plug-ins ask for (tests/guests/foreign.c). The form of the answers is that of
Envoy 1.36.4; it asks the system's servers where this is the bootstrap's resolver."""
import struct

import pytest

from dns_server import SERVFAIL, SILENCE, DnsServer
from test_dns import CARES
from test_wasm import BUILD, behind, plugin, tools  # pylint: disable=unused-import

GUEST = BUILD / "tests/guests/foreign.wasm"
RESOLVER = f"""
typed_dns_resolver_config:
  name: envoy.network.dns_resolver.cares
  typed_config:
    "@type": {CARES}
    resolvers: [{{socket_address: {{address: 127.0.0.1, port_value: @dns@}}}}]
    dns_resolver_options: {{no_default_search_domain: true}}
"""


@pytest.fixture
def dns(held_ports):
    server = DnsServer(app_test=["10.0.0.1", "10.0.0.2"], six_test=["2001:db8::1"], broken_test=SERVFAIL,
                       slow_test=SILENCE, empty_test=[])
    held_ports.append(server.held)
    yield server
    server.finish()


@pytest.fixture
def running(nuncio, origin, dns):  # pylint: disable=redefined-outer-name
    return nuncio(RESOLVER + behind(plugin("x", code=GUEST)), "--concurrency", "1", dns=dns.port,
                  origin=origin().port)


def ask(process, name):
    """The status, and what came for the token."""
    status, _, token = process.get("main", "/dns/" + name).text.partition(" ")
    assert status == "0"
    number = bytes.fromhex(token).decode()
    at = process.stderr.wait(f"resolved token {number}\n")
    at = process.stderr.wait("resolved size ", at)
    size = int(process.stderr.text[at:].split("\n")[0])
    at = process.stderr.wait("resolved 0 ", at)
    process.stderr.wait("\n", at)
    return size, bytes.fromhex(process.stderr.text[at:].split("\n")[0])


def read(answer):
    count = struct.unpack_from("<I", answer)[0]
    texts = answer[4 + 4 * count:]
    assert texts.endswith(b"\0")
    return sorted(texts[:-1].decode().split("\0"))


def test_addresses_with_their_time_to_live(running):
    size, answer = ask(running, "app.test")
    assert size == len(answer) == 4 + 2 * 4 + 2 * len("10.0.0.1:0 ")
    assert read(answer) == ["10.0.0.1:0", "10.0.0.2:0"]
    assert read(ask(running, "six.test")[1]) == ["[2001:db8::1]:0"]


def test_what_needs_no_server(running, dns):  # pylint: disable=redefined-outer-name
    assert ask(running, "127.0.0.1") == (20, b"\1\0\0\0\0\0\0\x00127.0.0.1:0\0")
    assert ask(running, "::1") == (16, b"\1\0\0\0\0\0\0\0[::1]:0\0")
    assert not dns.asked


@pytest.mark.parametrize("name", ["no.such.test", "empty.test", ""])
def test_a_name_without_addresses_has_none(running, name):
    assert ask(running, name) == (4, b"\0\0\0\0")


def test_no_answer_is_empty(running):
    assert ask(running, "broken.test") == (0, b"")


def test_tokens_differ(running):
    tokens = {running.get("main", "/dns/app.test").text for _ in range(5)}
    assert len(tokens) == 5


def test_a_question_may_outlive_its_guest(running, dns):  # pylint: disable=redefined-outer-name
    for _ in range(3):
        assert running.get("main", "/dns/slow.test").text.startswith("0 ")
    dns.wait_asked(1)
    assert running.finish() == []
    assert "resolved" not in running.stderr.text
