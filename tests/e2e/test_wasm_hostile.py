# SPDX-License-Identifier: Apache-2.0
"""Guests that mean no good: tests/guests/hostile.c lies, grabs and meddles as the path of a request says.
Whatever it does, the proxy goes on, and so do the requests of others."""
import pytest

from process import eventually
from test_wasm import (BUILD, behind, plugin, proxy, shared_proxy,  # pylint: disable=unused-import
                       tools)
from test_wasm_callouts import PATIENCE

GUEST = BUILD / "tests/guests/hostile.wasm"


@pytest.fixture
def hostile(proxy):  # pylint: disable=redefined-outer-name
    return lambda *arguments, **options: proxy(plugin(code=GUEST), *arguments, **options)


@pytest.fixture(scope="module")
def shared(shared_proxy):  # pylint: disable=redefined-outer-name
    return shared_proxy(plugin(code=GUEST))


def hexadecimal(text):
    return text.encode().hex()


# --- Messages that are none -----------------------------------------------------------------------


@pytest.mark.parametrize("status", ["", "abc", "0", "99", "1000", "99999999999", "100", "101", "103",
                                    "200 OK\r\na: b"])
def test_a_response_without_a_status_is_502(shared, status):
    response = shared.get("main", "/response/:status/" + hexadecimal(status))
    assert (response.status, response.text) == (502, "missing required header: :status")
    assert shared.get("main", "/").status == 200


def test_a_response_without_headers_is_502(shared):
    assert shared.get("main", "/response-none").status == 502


def test_a_request_without_headers_has_no_route(hostile):
    running = hostile()
    assert running.get("main", "/request-none").status == 404
    assert not running.upstream.received


@pytest.mark.parametrize("name,value", [(":method", "GET / HTTP/1.1\r\n"), (":method", ""),
                                        (":path", "/a HTTP/1.1\r\nx: y")])
def test_a_request_line_that_is_none_does_not_go_out(hostile, name, value):
    running = hostile()
    assert running.get("main", f"/request/{name}/{hexadecimal(value)}").status == 503
    assert eventually(lambda: running.upstream.received)
    assert running.upstream.received == [b""]


def test_a_value_stays_one_line(hostile):
    running = hostile()
    assert running.get("main", "/request/x/" + hexadecimal("a\r\nb: c\0d")).status == 200
    assert b"\r\nx: a  b: c d\r\n" in running.upstream.received[0]
    assert running.get("main", "/reply").headers["from"] == "a  b: c"


def test_a_pseudo_header_that_is_none_is_left_out(hostile):
    running = hostile()
    assert running.get("main", "/request/:foo/" + hexadecimal("x")).status == 200
    assert b"foo: x" not in running.upstream.received[0]
    assert ":foo" not in running.get("main", "/response/:foo/" + hexadecimal("x")).headers


def test_an_answer_behind_the_head_ends_the_connection(hostile):
    client = hostile().connect()
    client.send(b"GET /body-reply HTTP/1.1\r\nhost: a\r\n\r\n")
    client.wait_end()
    assert client.received.endswith(b"\r\n\r\n")


# --- Starting -------------------------------------------------------------------------------------


def test_a_guest_that_takes_its_configuration_only_once(proxy):  # pylint: disable=redefined-outer-name
    running = proxy(plugin("once", code=GUEST))
    for _ in range(2):
        assert running.get("main", "/").status == 503
    running.stderr.wait("one: proxy_on_configure returned false")
    assert "Function: \n" not in running.stderr.text


# --- Memory and time ------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["add", "replace", "small", "property", "properties", "body"])
def test_the_hosts_memory_is_not_the_guests(hostile, what):
    running = hostile()
    running.request("POST", "main", "/eat/" + what, b"x")
    running.stderr.wait("eaten 10")
    assert running.get("main", "/").status == 200


def test_no_host_function_runs_for_long_because_a_request_has_many_headers(hostile):
    running = hostile()
    running.get("main", "/eat/names")
    running.stderr.wait("all 6")  # more than its allocator has
    running.stderr.wait("one by one 10")
    assert "took longer" not in running.stderr.text


def test_a_host_function_does_not_count_to_millions(hostile):
    running = hostile()
    assert running.get("main", "/pieces").status == 200
    running.stderr.wait("pieces 28")


def test_a_line_of_the_log_has_an_end(hostile):
    running = hostile()
    assert running.get("main", "/shout").status == 200
    running.stderr.wait("shouted")
    line = next(line for line in running.stderr.text.splitlines() if "AAA" in line)
    assert line.count("A") == 64 * 1024


# --- Others' requests -----------------------------------------------------------------------------


def test_an_answer_for_another_request_is_that_ones(hostile):
    running = hostile()
    client = running.connect()
    client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n")
    assert running.get("main", "/").status == 200
    assert running.get("main", "/answer-for-other").status == 200
    client.wait_text(b"\r\n\r\nno\n")


def test_requests_that_are_over_cannot_be_disturbed(hostile):
    running = hostile()
    for _ in range(3):
        assert running.get("main", "/").status == 200
    client = running.connect()
    client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n")
    client.close()
    client = running.connect()
    client.send(b"GET /disturb HTTP/1.1\r\nhost: a\r\n\r\n")
    client.wait_end()
    assert running.get("main", "/").status == 200


# --- Trying again ---------------------------------------------------------------------------------


AWAY = """  - name: away
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: away
      endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: /nowhere/at/all}}}}]}]
"""


@pytest.fixture
def storm(nuncio, origin):
    guest = plugin(code=BUILD / "tests/guests/storm.wasm")
    return nuncio(behind(guest) + AWAY + PATIENCE, "--concurrency", "1", origin=origin().port)


@pytest.mark.parametrize("what", ["http", "call", "stream"])
def test_a_guest_that_tries_again_at_once_leaves_others_their_turn(storm, what):
    assert storm.get("main", "/" + what).status == 200
    for _ in range(3):
        assert storm.get("main", "/").status == 200


def test_messages_that_are_kept_go_on_counting_when_another_is_refused(storm):
    storm.get("main", "/fill")
    storm.stderr.wait("first 31")
    storm.stderr.wait("second 0")
