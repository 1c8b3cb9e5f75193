# SPDX-License-Identifier: Apache-2.0
"""Request smuggling from HTTP/2 to HTTP/1: what would be another message there, or more of them, ends
here. A request that is served reaches the upstream as exactly one."""
import pytest

import h2
from configs import PROXY
from strict import StrictOrigin

STREAM_ERRORS = PROXY.replace("          stat_prefix: main\n", """          stat_prefix: main
          stream_error_on_invalid_http_message: true
""")
HIDDEN = "\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
DEFAULTS = {":method": "POST", ":scheme": "http", ":authority": "a", ":path": "/p"}


def head(*more, **changed):
    """Fields of a request; a pseudo header that is None is left out."""
    pseudo = {**DEFAULTS, **{f":{name}": value for name, value in changed.items()}}
    return [(name, value) for name, value in pseudo.items() if value is not None] + list(more)


REFUSED = {
    "line_break_in_value": head(("x", "a\r\nb: c")),
    "request_in_value": head(("x", "a" + HIDDEN)),
    "lf_in_value": head(("x", "a\nb: c")),
    "cr_in_value": head(("x", "a\rb: c")),
    "nul_in_value": head(("x", "a\0b")),
    "line_break_in_name": head(("x: a\r\nb", "c")),
    "colon_in_name": head(("transfer-encoding: chunked\r\nx", "y")),
    "colon_in_name_alone": head(("x:y", "z")),
    "blank_in_name": head(("transfer-encoding ", "chunked")),
    "blank_before_name": head((" transfer-encoding", "chunked")),
    "upper_case_name": head(("Transfer-Encoding", "chunked")),
    "transfer_encoding": head(("transfer-encoding", "chunked")),
    "transfer_encoding_identity": head(("transfer-encoding", "identity")),
    "connection": head(("connection", "transfer-encoding")),
    "proxy_connection": head(("proxy-connection", "keep-alive")),
    "upgrade": head(("upgrade", "websocket")),
    "te_other": head(("te", "trailers, chunked")),
    "length_sign": head(("content-length", "+5")),
    "length_list": head(("content-length", "5, 5")),
    "length_hex": head(("content-length", "0x5")),
    "length_twice": head(("content-length", "5"), ("content-length", "6")),
    "length_twice_equal": head(("content-length", "5"), ("content-length", "5")),
    "length_short": head(("content-length", "4")),
    "length_long": head(("content-length", "6")),
    "length_overflow": head(("content-length", "18446744073709551621")),
    "path_blank": head(path="/p HTTP/1.1"),
    "path_request": head(path="/p HTTP/1.1" + HIDDEN),
    "path_tab": head(path="/p\tx"),
    "path_lf": head(path="/p\nx: y"),
    "path_nul": head(path="/p\0"),
    "path_empty": head(path=""),
    "path_missing": head(path=None),
    "path_not_ascii": head(path="/p\x85"),
    "method_blank": head(method="POST /smuggled"),
    "method_request": head(method="GET / HTTP/1.1\r\nhost: b\r\n\r\nPOST"),
    "method_empty": head(method=""),
    "method_missing": head(method=None),
    "authority_blank": head(authority="a b"),
    "authority_line_break": head(authority="a\r\nx: y"),
    "authority_path": head(authority="a/b"),
    "authority_userinfo": head(authority="u@a"),
    "scheme_missing": head(scheme=None),
    "pseudo_twice": head((":path", "/q")),
    "pseudo_late": head(("x", "y"))[:3] + [("x", "y"), (":path", "/p")],
    "pseudo_unknown": head((":x", "y")),
    "pseudo_of_a_response": head((":status", "200")),
}

# What the upstream then sees.
ACCEPTED = {
    "plain": (head(), "POST /p [hello]"),
    "length": (head(("content-length", "5")), "POST /p [hello]"),
    "blanks_around_a_value": (head(("content-length", "5"), ("x", " y\t")), "POST /p [hello]"),
    "host_beside_authority": (head(("host", "b")), "POST /p [hello]"),
    "host_alone": (head(("host", "b"), authority=None), "POST /p [hello]"),
    "unknown_method": (head(method="FROB"), "FROB /p [hello]"),
}


@pytest.fixture
def served(nuncio):
    strict = StrictOrigin()
    proxy = nuncio(STREAM_ERRORS, "--concurrency", "1", origin=strict.port)
    yield h2.client(proxy), strict
    assert not strict.finish()


def seen_by(strict):
    return [f"{r.method.decode()} {r.target.decode()} [{r.body.decode()}]" for r in strict.requests]


def send(client, fields):
    stream = client.open(fields, False)
    client.data(stream, b"hello", end=True)
    return client.wait_message(stream)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(served, name):
    client, strict = served
    message = send(client, REFUSED[name])
    assert message.reset or message.status >= 400
    assert send(client, head(path="/after")).status == 200
    assert seen_by(strict) == ["POST /after [hello]"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_it_is_one_request(served, name):
    client, strict = served
    fields, seen = ACCEPTED[name]
    assert send(client, fields).status == 200
    assert seen_by(strict) == [seen]


@pytest.mark.parametrize("field", [(":path", "/q"), ("transfer-encoding", "chunked"),
                                   ("connection", "close"), ("x", "a\r\nb: c"), ("X", "y")],
                         ids=["pseudo", "transfer-encoding", "connection", "line-break", "upper"])
def test_bad_trailers_are_refused(served, field):
    client, strict = served
    stream = client.open(head(), False)
    client.data(stream, b"hello")
    client.headers(stream, [field], end=True)
    assert client.wait_message(stream).reset
    assert send(client, head(path="/after")).status == 200
    assert seen_by(strict) == ["POST /after [hello]"]
