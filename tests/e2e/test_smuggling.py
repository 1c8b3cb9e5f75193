# SPDX-License-Identifier: Apache-2.0
"""Request smuggling and response splitting: nothing that could be read in two ways reaches an upstream
or a client, wherever the bytes are cut."""
import pytest

from configs import PROXY
from strict import StrictOrigin, answer, every_cut, statuses

CHUNKED = "transfer-encoding: chunked\r\n"
END = "0\r\n\r\n"
HIDDEN = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"


def post(fields, body=""):
    return f"POST /@ HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}"


def get(fields="", target="/@", version="HTTP/1.1"):
    return f"GET {target} {version}\r\nhost: a\r\n{fields}\r\n"


# (bytes, statuses, what the upstream sees: "METHOD TARGET [body]" each); @ is another number each time.
REFUSED = {
    # CL.TE, TE.CL, both at once
    "cl_te": post("content-length: 6\r\n" + CHUNKED, END + "G"),
    "te_cl": post(CHUNKED + "content-length: 4\r\n", "5c\r\n" + HIDDEN),
    "te_cl_zero": post(CHUNKED + "content-length: 0\r\n", END + HIDDEN),
    # TE.TE: ways to make one of two servers overlook it
    "te_blank_before_colon": post("transfer-encoding : chunked\r\ncontent-length: 4\r\n", END),
    "te_tab_before_colon": post("transfer-encoding\t: chunked\r\ncontent-length: 4\r\n", END),
    "te_leading_blank": post(" transfer-encoding: chunked\r\ncontent-length: 4\r\n", END),
    "te_folded": post("transfer-encoding:\r\n chunked\r\ncontent-length: 4\r\n", END),
    "te_folded_after": post("transfer-encoding: chunked\r\n x\r\n", END),
    "te_behind_bare_lf": post("x: y\ntransfer-encoding: chunked\r\n", END),
    "te_behind_bare_cr": post("x: y\rtransfer-encoding: chunked\r\n", END),
    "te_vertical_tab": post("transfer-encoding: \x0bchunked\r\n", END),
    "te_nul": post("transfer-encoding: chunked\x00\r\n", END),
    "te_quoted": post('transfer-encoding: "chunked"\r\n', END),
    "te_unknown": post("transfer-encoding: xchunked\r\n", END),
    "te_parameter": post("transfer-encoding: chunked;a=b\r\n", END),
    "te_list": post("transfer-encoding: chunked, identity\r\n", END),
    "te_list_last": post("transfer-encoding: identity, chunked\r\n", END),
    "te_empty_element": post("transfer-encoding: ,chunked\r\n", END),
    "te_twice": post(CHUNKED + CHUNKED, END),
    "te_twice_other": post(CHUNKED + "transfer-encoding: x\r\n", END),
    "te_twice_empty": post("transfer-encoding:\r\n" + CHUNKED, END),
    "te_twice_empty_last": post(CHUNKED + "transfer-encoding:\r\n", END),
    "te_twice_cl": post(CHUNKED + CHUNKED + "content-length: 4\r\n", END),
    "te_list_cl": post("transfer-encoding: chunked, gzip\r\ncontent-length: 4\r\n", END),
    "cl_te_twice_other": post("content-length: 4\r\n" + CHUNKED + "transfer-encoding: x\r\n", END),
    "te_nbsp": post("transfer-encoding: \xa0chunked\r\n", END),
    # CL.CL
    "cl_twice": post("content-length: 4\r\ncontent-length: 9\r\n", "aaaa"),
    "cl_twice_equal": post("content-length: 4\r\ncontent-length: 4\r\n", "aaaa"),
    "cl_list": post("content-length: 4, 4\r\n", "aaaa"),
    "cl_plus": post("content-length: +4\r\n", "aaaa"),
    "cl_minus": post("content-length: -4\r\n", "aaaa"),
    "cl_hex": post("content-length: 0x4\r\n", "aaaa"),
    "cl_overflow": post("content-length: 18446744073709551620\r\n", "aaaa"),
    "cl_blank_before_colon": post("content-length : 4\r\n", "aaaa"),
    "cl_folded": post("content-length: 1\r\n 4\r\n", "aaaa"),
    "cl_inner_blank": post("content-length: 1 4\r\n", "aaaa"),
    # lines
    "bare_lf_head": f"GET /@ HTTP/1.1\nhost: a\n\n{HIDDEN}",
    "bare_lf_end": "GET /@ HTTP/1.1\r\nhost: a\r\n\n" + HIDDEN,
    "bare_cr_end": "GET /@ HTTP/1.1\r\nhost: a\r\n\rGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
    "folded": get("x: y\r\n z: w\r\n"),
    "nul_in_value": get("x: y\x00z\r\n"),
    "nul_in_name": get("x\x00: y\r\n"),
    "blank_in_name": get("x y: z\r\n"),
    "pseudo_header": get(":path: /smuggled\r\n"),
    "host_twice": get("host: b\r\n"),
    "host_with_path": "GET /@ HTTP/1.1\r\nhost: a/smuggled\r\n\r\n",
    "host_with_blank": "GET /@ HTTP/1.1\r\nhost: a b\r\n\r\n",
    # request line
    "two_targets": get(target="/@ /smuggled"),
    "two_versions": get(version="HTTP/1.1 HTTP/1.1"),
    "two_blanks": get(target=" /@"),
    "tab_in_line": get(target="/@\t/smuggled"),
    "cr_in_target": get(target="/@\rx"),
    "no_slash": get(target="@"),
    "method_with_path": "GET/smuggled /@ HTTP/1.1\r\nhost: a\r\n\r\n",
    "absolute_without_host": get(target="http:///@"),
    "absolute_with_blank": get(target="http://a b/@"),
    "http09": "GET /@\r\n" + HIDDEN,
    "http10_chunked": "POST /@ HTTP/1.0\r\nhost: a\r\n" + CHUNKED + "\r\n" + END,
    "nominates_host": get("connection: host\r\n"),
    "upgrade": get("connection: upgrade\r\nupgrade: x\r\n") + HIDDEN,
    "upgrade_with_body": post("connection: upgrade\r\nupgrade: x\r\ncontent-length: 4\r\n", "none") + HIDDEN,
    "upgrade_with_chunks": post("connection: upgrade\r\nupgrade: x\r\n" + CHUNKED, END) + HIDDEN,
    "connect": "CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n" + HIDDEN,
}

# Refused in the body, after the head may have been passed on.
REFUSED_LATER = {
    "chunk_size_overflow": post(CHUNKED, "10000000000000001\r\na\r\n" + END + HIDDEN),
    "chunk_size_negative": post(CHUNKED, "-1\r\na\r\n" + END + HIDDEN),
    "chunk_size_hex_prefix": post(CHUNKED, "0x1\r\na\r\n" + END),
    "chunk_size_blank": post(CHUNKED, "1 \r\na\r\n" + END),
    "chunk_bare_lf": post(CHUNKED, "1\na\r\n" + END),
    "chunk_without_end": post(CHUNKED, "1\r\na" + END + HIDDEN),
    "chunk_with_more": post(CHUNKED, "1\r\nabc\r\n" + END),
    "chunk_extension_lf": post(CHUNKED, "1;x\ny\r\na\r\n" + END),
    "chunk_extension_cr": post(CHUNKED, "1;x\ry\r\na\r\n" + END),
    "last_chunk_bare_lf": post(CHUNKED, "1\r\na\r\n0\r\n\n" + HIDDEN),
    "trailer_folded": post(CHUNKED, "1\r\na\r\n0\r\nx: y\r\n z\r\n\r\n"),
    "trailer_bad_name": post(CHUNKED, "1\r\na\r\n0\r\nx : y\r\n\r\n"),
}

ACCEPTED = {
    "cl_then_pipelined": (post("content-length: 5\r\n", "GET /") + get(target="/@/2"),
                          ["POST /@ GET /", "GET /@/2 "]),
    "body_looks_like_a_request": (post(f"content-length: {len(HIDDEN)}\r\n", HIDDEN),
                                  [f"POST /@ {HIDDEN}"]),
    "get_with_body": (get(f"content-length: {len(HIDDEN)}\r\n") + HIDDEN, [f"GET /@ {HIDDEN}"]),
    "chunked_then_pipelined": (post(CHUNKED, "5\r\nGET /\r\n" + END) + get(target="/@/2"),
                               ["POST /@ GET /", "GET /@/2 "]),
    "extension_dropped": (post(CHUNKED, '1;a="b;c"\r\na\r\n0;x\r\n\r\n'), ["POST /@ a"]),
    "trailers_dropped": (post(CHUNKED, "1\r\na\r\n0\r\ncontent-length: 9\r\nhost: b\r\n\r\n"),
                         ["POST /@ a"]),
    "nominated_length": (post("content-length: 1\r\nconnection: content-length\r\n", "a"),
                         ["POST /@ a"]),
    "nominated_coding": (post(CHUNKED + "connection: transfer-encoding\r\n", "1\r\na\r\n" + END),
                         ["POST /@ a"]),
    "upper_case_coding": (post("Transfer-Encoding:\tCHUNKED \r\n", "1\r\na\r\n" + END), ["POST /@ a"]),
    "underscored_coding": (post("transfer_encoding: chunked\r\n") + get(target="/@/2"),
                           ["POST /@ ", "GET /@/2 "]),
    "encoded_line_ends": (get(target="/@%0d%0ax:%20y%0a"), ["GET /@%0d%0ax:%20y%0a "]),
    "absolute_form": (get(target="http://b.example/@"), ["GET /@ "]),
    "empty_lines_between": (get() + "\r\n\r\n" + get(target="/@/2"), ["GET /@ ", "GET /@/2 "]),
    "h2c_upgrade": (get("connection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
                        "http2-settings: AAMAAABkAAQAAP__\r\n") + get(target="/@/2"),
                    ["GET /@ ", "GET /@/2 "]),
    "upgrade_without_connection": (get("upgrade: h2c\r\n") + get(target="/@/2"),
                                   ["GET /@ ", "GET /@/2 "]),
}


@pytest.fixture
def strict():
    """strict(script=answer): an upstream that fails the test when it gets anything ambiguous."""
    started = []

    def start(script=answer):
        started.append(StrictOrigin(script))
        return started[-1]

    yield start
    problems = [problem for upstream in started for problem in upstream.finish()]
    assert not problems, "\n".join(problems)


def seen_by(origin):
    return {request.target: request for request in origin.requests}


def number(name, at):
    return f"{name}-{at:04}"


def test_no_ambiguous_request_is_answered_by_an_upstream(nuncio, strict):
    origin = strict()
    proxy = nuncio(PROXY, origin=origin.port)
    for name, text in {**REFUSED, **REFUSED_LATER}.items():
        def data(at, name=name, text=text):
            return text.replace("@", number(name, at)).encode("latin-1")
        for client, got in every_cut(proxy.port("main"), data, 1):
            assert len(got) == 1 and 400 <= got[0] < 600, (name, client.at, client.received)
    assert not origin.requests, [request.target for request in origin.requests]


def test_what_is_clear_reaches_the_upstream_as_it_was_meant(nuncio, strict):
    origin = strict()
    proxy = nuncio(PROXY, origin=origin.port)
    for name, (text, expected) in ACCEPTED.items():
        def data(at, name=name, text=text):
            return text.replace("@", number(name, at)).encode("latin-1")
        for client, got in every_cut(proxy.port("main"), data, len(expected)):
            assert got == [200] * len(expected), (name, client.at, client.received)
            seen = seen_by(origin)
            for line in expected:
                method, target, body = line.replace("@", number(name, client.at)).split(" ", 2)
                request = seen.pop(target.encode())
                assert (request.method, request.body) == (method.encode(), body.encode())
                assert not request.trailers
            origin.requests = [r for r in origin.requests if number(name, client.at).encode()
                               not in r.target]
    assert not origin.requests, [request.target for request in origin.requests]


def test_the_length_of_a_body_may_be_anything_but_hide_a_request(nuncio, strict):
    """The largest length that there is: the bytes behind it are body, whatever they look like."""
    origin = strict()
    proxy = nuncio(PROXY, origin=origin.port)
    text = post("content-length: 18446744073709551615\r\n", HIDDEN)
    for client, got in every_cut(proxy.port("main"), lambda at: text.encode(), 0):
        assert got == []
    client = next(every_cut(proxy.port("main"), lambda at: get().encode(), 1, cuts=[0]))
    assert client[1] == [200]
    assert [request.target for request in origin.requests] == [b"/@"]


GOOD = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SECOND = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned"
INTERIM = "HTTP/1.1 100 Continue\r\n\r\n"
NO_CONTENT = "HTTP/1.1 204 No Content\r\n\r\n"
NOT_MODIFIED = "HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n"

# Cut just behind a whole response, what follows may reach the proxy when it has sent the next request
# already, and is an answer to it then: no proxy can tell. So no response is cut there.
WHOLE = {GOOD, INTERIM + GOOD, NO_CONTENT, NOT_MODIFIED}

# What an upstream sends, and the status that the client sees.
RESPONSES = {
    "second_response": (GOOD + SECOND, 200),
    "second_response_behind_empty_lines": (GOOD + "\r\n\r\n" + SECOND, 200),
    "interim_then_two": (INTERIM + GOOD + SECOND, 200),
    "body_for_204": (NO_CONTENT + SECOND, 204),
    "body_for_304": (NOT_MODIFIED + SECOND, 304),
    "length_for_204": ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello", 502),
    "length_twice": ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 44\r\n\r\nok" + SECOND, 502),
    "length_and_chunked": ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"
                           "0\r\n\r\n" + SECOND, 502),
    "coding_unknown": ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 502),
    "coding_folded": ("HTTP/1.1 200 OK\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 502),
    "split_by_bare_lf": ("HTTP/1.1 200 OK\r\nx: y\n\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 502),
    "split_by_bare_cr": ("HTTP/1.1 200 OK\r\nx: y\r\rcontent-length: 0\r\n\r\n", 502),
    "nul_in_value": ("HTTP/1.1 200 OK\r\nx: \x00\r\ncontent-length: 0\r\n\r\n", 502),
    "switching_protocols": ("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
                            + SECOND, 502),
    "status_line_bare_lf": ("HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n", 502),
    "status_of_two_digits": ("HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n", 502),
    "leading_empty_line": ("\r\n" + GOOD, 502),
    "http2": ("HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", 502),
}


def test_no_stray_bytes_of_an_upstream_reach_a_client(nuncio, strict):
    """Each response is sent cut at every byte; the next request on the client's connection must get
    its own answer."""
    def script(request):
        name, _, at = request.target[1:].partition(b"/")
        if name.decode() not in RESPONSES:
            return answer(request)
        data = RESPONSES[name.decode()][0].encode("latin-1")
        return [data[:int(at)], data[int(at):]]

    origin = strict(script)
    proxy = nuncio(PROXY, origin=origin.port)
    for name, (text, expected) in RESPONSES.items():
        def data(at, name=name):
            return (f"GET /{name}/{at:04} HTTP/1.1\r\nhost: a\r\n\r\n"
                    f"GET /own/{name}/{at:04} HTTP/1.1\r\nhost: a\r\n\r\n").encode()
        cuts = [at for at in range(len(text)) if text[:at] not in WHOLE]
        for client, got in every_cut(proxy.port("main"), data, 2, cuts=cuts):
            assert got == [expected, 200], (name, client.at, client.received)
            assert client.received.endswith(f"/own/{name}/{client.at:04}".encode()), client.received
            assert b"poisoned" not in client.received
            assert statuses(client.received)[1] == b""
