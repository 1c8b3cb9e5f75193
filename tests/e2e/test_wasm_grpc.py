# SPDX-License-Identifier: Apache-2.0
"""proxy-wasm's gRPC calls and streams: tests/guests/grpc.c does what the headers of a request say and
answers with what became of it, grpc_peer.py is the server. The answers are those of Envoy 1.36.4 to the
same guest and server, but where a comment says otherwise."""
import pytest

import grpc_peer
from process import eventually
from test_h2_upstream import with_options
from test_wasm import BUILD, plugin, tools  # noqa: F401  pylint: disable=unused-import

GUEST = BUILD / "tests/guests/grpc.wasm"
H2 = "explicit_http_config: {http2_protocol_options: {}}"
CLUSTER = """  - name: %s
    type: STATIC
    load_assignment: {cluster_name: %s, endpoints: [%s]}
"""
DEAD = "{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}]}"
HEAD = ":status=200 content-type=application/grpc"
TIME = " x-envoy-upstream-service-time=#"


def config(configuration=""):
    text = with_options(H2).replace("          http_filters:\n", "          http_filters:\n" + plugin(
        configuration, code=GUEST))
    return text + CLUSTER % ("nohosts", "nohosts", "") + CLUSTER % ("dead", "dead", DEAD)


def starter(nuncio, origin):
    """A nuncio with the guest, `ask` for one question of it, and `server` with what was received."""
    def start(configuration="", arguments=("--concurrency", "1"), **options):
        script = grpc_peer.upstream(**options)
        running = nuncio(config(configuration), *arguments, origin=origin(script).port)
        running.server = script

        def ask(do, **headers):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            response = running.get("main", "/", {"service": "origin", "do": do, **names})
            assert response.status == 200
            return response.body.decode("latin-1").splitlines()
        running.ask = ask
        return running
    return start


@pytest.fixture
def proxy(nuncio, origin):
    return starter(nuncio, origin)


@pytest.fixture(scope="module")
def shared(tools, shared_nuncio, shared_origin):  # noqa: F811  pylint: disable=redefined-outer-name,unused-argument
    """For tests that end all that they begin."""
    return starter(shared_nuncio, shared_origin)()


def initial(count, fields):
    return f"initial {count}{fields and ' ' + fields} (buffer 0 maps 1 2)"


def received(size, text):
    return f"receive {size} {text} (buffer 0 maps 2 2)"


def trailing(count, fields=""):
    return f"trailing {count}{fields and ' ' + fields} (buffer 0 maps 2 1)"


def closed(status, message="via_upstream"):
    status %= 1 << 32
    return f"closed {status} status {status} [{message}]"


# --- Requests -------------------------------------------------------------------------------------


def test_a_call_is_sent_as_envoy_sends_it(proxy):
    running = proxy()
    assert running.ask("call echo 60000 hello") == ["call -> 0", received(9, "re: hello")]
    call = running.server.calls[0]
    assert call.headers == [
        (":method", "POST"), (":path", "/test.Test/echo"), (":authority", "origin"),
        (":scheme", "http"), ("te", "trailers"), ("grpc-timeout", "60000m"),
        ("content-type", "application/grpc"), ("x-envoy-internal", "true"),
        ("x-envoy-expected-rq-timeout-ms", "60000")]
    assert bytes(call.body) == b"\0\0\0\0\5hello"


def test_a_call_without_a_timeout_says_so(proxy):
    running = proxy()
    assert running.ask("call echo 0 hello")[0] == "call -> 0"
    headers = dict(running.server.calls[0].headers)
    assert headers["grpc-timeout"] == "0m" and "x-envoy-expected-rq-timeout-ms" not in headers


@pytest.mark.parametrize("timeout,text", [("4294967295", "4294967S"), ("100000000", "100000S")])
def test_long_timeouts_are_cut(proxy, timeout, text):
    running = proxy()
    assert running.ask(f"call echo {timeout} x")[0] == "call -> 0"
    assert running.server.calls[0].get("grpc-timeout") == text
    assert running.server.calls[0].get("x-envoy-expected-rq-timeout-ms") == timeout


def test_metadata_of_a_guest_is_sent_beside_ours(proxy):
    running = proxy()
    running.ask("call echo 60000 hello", metadata="x-a=1,X-B=2,x-a=3,content-type=foo,x-c-bin=abc,"
                ":path=/echo,host=h,grpc-timeout=9S,transfer-encoding=gzip,content-length=1,x-e=")
    headers = running.server.calls[0].headers
    assert [value for name, value in headers if name == "x-a"] == ["1", "3"]
    assert dict(headers).items() >= {
        "x-b": "2", "content-type": "application/grpc,foo", "x-c-bin": "YWJj",
        ":path": "/test.Test/echo,/echo", ":authority": "origin,h", "grpc-timeout": "60000m,9S",
        "x-e": ""}.items()
    # Envoy would send these on.
    assert not {"transfer-encoding", "content-length"} & set(dict(headers))


def test_metadata_that_does_not_add_up_is_none(shared):
    assert shared.ask("call echo 60000 x", metadata="broken") == ["call -> 0", received(5, "re: x")]
    shared.stderr.wait("does not add up")


def test_a_stream_sends_messages_as_they_come(proxy):
    running = proxy()
    assert running.ask("stream talk;send a;send b;close") == [
        "stream -> 0", "send -> 0", "send -> 0", "close -> 0",
        initial(4, HEAD + " x-initial=i" + TIME), received(5, "re: a"), received(5, "re: b"),
        trailing(3, "grpc-status=0 grpc-message=bye x-trailing=t"), closed(0, "bye{via_upstream}")]
    call = running.server.calls[0]
    assert "grpc-timeout" not in dict(call.headers)
    assert bytes(call.body) == b"\0\0\0\0\1a\0\0\0\0\1b"


def test_a_dialogue_goes_on_from_its_callbacks(shared):
    lines = shared.ask("stream talk;send a", on_initial="send i", on_receive="close")
    assert lines == ["stream -> 0", "send -> 0", initial(3, HEAD + " x-initial=i"), "send -> 0",
                     received(5, "re: a"), "close -> 0", received(5, "re: i"), "close -> 0",
                     trailing(3, "grpc-status=0 grpc-message=bye x-trailing=t"),
                     closed(0, "bye{via_upstream}")]


# --- Answers: what a method does, what a stream is told, what a call is told ----------------------

SPELLED = HEAD + TIME
ANSWERS = [
    ("fail", [initial(3, SPELLED), trailing(2, "grpc-status=5 grpc-message=no such thing: 100 %25 gone"),
              closed(5, "no such thing: 100 %25 gone{via_upstream}")],
     closed(5, "no such thing: 100 %25 gone{via_upstream}")),
    ("trailers_only",
     [initial(0, ""), trailing(6, HEAD + " grpc-status=7 grpc-message=not%20you x-only=o" + TIME),
      closed(7, "not%20you{via_upstream}")], closed(7, "not%20you{via_upstream}")),
    ("http_status_end", [initial(0, ""), trailing(0), closed(14)], closed(14)),
    ("http_status_grpc",
     [initial(0, ""), trailing(5, ":status=503 content-type=application/grpc grpc-status=9 "
                               "grpc-message=m" + TIME), closed(9, "m{via_upstream}")],
     closed(9, "m{via_upstream}")),
    ("no_status", [initial(3, SPELLED), received(1, "m"), trailing(1, "x-trailing=t"), closed(2)],
     closed(2)),
    ("no_trailers", [initial(3, SPELLED), received(1, "m"), trailing(0), closed(2)], closed(2)),
    ("no_trailers_empty", [initial(3, SPELLED), trailing(0), closed(2)], closed(2)),
    ("compressed", [initial(3, SPELLED), trailing(0), closed(13)], closed(13)),
    ("compressed_empty",
     [initial(3, SPELLED), received(0, ""), trailing(1, "grpc-status=0"), closed(0)],
     received(0, "")),
    ("bad_flag", [initial(3, SPELLED), trailing(0), closed(13)], closed(13)),
    ("two", [initial(3, SPELLED), received(3, "one"), received(3, "two"),
             trailing(1, "grpc-status=0"), closed(0)], received(3, "two")),
    ("no_message", [initial(3, SPELLED), trailing(1, "grpc-status=0"), closed(0)], closed(13, "")),
    ("empty_message",
     [initial(3, SPELLED), received(0, ""), trailing(1, "grpc-status=0"), closed(0)],
     received(0, "")),
    ("half_frame", [initial(3, SPELLED), trailing(1, "grpc-status=0"), closed(0)], closed(13, "")),
    ("message_and_status",
     [initial(3, SPELLED), received(1, "m"), trailing(2, "grpc-status=3 grpc-message=late"),
      closed(3, "late{via_upstream}")], closed(3, "late{via_upstream}")),
    ("break_off", [initial(3, SPELLED), received(1, "m"), trailing(0),
                   closed(13, "upstream_reset_after_response_started{remote_reset}")],
     closed(13, "upstream_reset_after_response_started{remote_reset}")),
    ("odd_message", [initial(3, SPELLED), trailing(2, "grpc-status=2 grpc-message=a%2Gb%4"),
                     closed(2, "a%2Gb%4{via_upstream}")], closed(2, "a%2Gb%4{via_upstream}")),
    ("not_grpc", [initial(3, ":status=200 content-type=text/html" + TIME), trailing(0), closed(13)],
     closed(13)),
    ("big", [initial(3, SPELLED), received(3000000, "b" * 64), trailing(1, "grpc-status=0"),
             closed(0)], received(3000000, "b" * 64)),
]


@pytest.mark.parametrize("method,stream,_", ANSWERS, ids=[answer[0] for answer in ANSWERS])
def test_each_answer_is_told_to_a_stream(shared, method, stream, _):
    # Envoy is told in one piece what came in one piece.
    assert shared.ask(f"stream {method};end hello")[2:] == stream


@pytest.mark.parametrize("method,_,call", ANSWERS, ids=[answer[0] for answer in ANSWERS])
def test_each_answer_is_told_to_a_call(shared, method, _, call):
    assert shared.ask(f"call {method} 60000 hello") == ["call -> 0", call]


@pytest.mark.parametrize("code,status", [(400, 13), (401, 16), (403, 7), (404, 12), (429, 14),
                                         (502, 14), (503, 14), (504, 14), (500, 2), (302, 2)])
def test_http_statuses_stand_for_those_of_grpc(shared, code, status):
    lines = shared.ask("call http_status 60000 x", metadata=f"x-code={code}")
    assert lines == ["call -> 0", closed(status)]


@pytest.mark.parametrize("text,status", [("16", 16), ("17", -1), ("99", -1), ("-1", -1), ("0x", -1),
                                         ("999999999999", -1)])
def test_statuses_that_are_none_are_told_as_minus_one(shared, text, status):
    lines = shared.ask("stream odd_status;end a", metadata=f"x-status={text}")
    assert lines[3:] == [trailing(1, f"grpc-status={text}"), closed(status)]


@pytest.mark.parametrize("method,reason", [
    ("refuse", "remote refused stream reset"), ("reset", "remote reset"),
    ("hang_up", "connection termination")])
def test_a_stream_without_an_answer_is_answered_for(shared, method, reason):
    text = f"upstream connect error or disconnect/reset before headers. reset reason: {reason}"
    word = reason.replace(" ", "_")
    end = closed(14, f"{text}{{upstream_reset_before_response_started{{{word}}}}}")
    assert shared.ask(f"stream {method};end x")[2:] == [
        initial(0, ""), trailing(4, f"{HEAD} grpc-status=14 grpc-message={text}"), end]
    assert shared.ask(f"call {method} 60000 x")[1:] == [end]


def test_a_cluster_that_is_not_reached_is_told(shared):
    lines = shared.ask("call echo 60000 x", service="dead")
    assert lines[0] == "call -> 0"
    assert lines[1].startswith(
        "closed 14 status 14 [upstream connect error or disconnect/reset before headers. reset "
        "reason: remote connection failure, transport failure reason: delayed connect error: "
        "Connection refused{upstream_reset_before_response_started{remote_connection_failure|")


def test_a_call_takes_no_longer_than_its_timeout(proxy):
    running = proxy()
    running.ask("call echo 60000 x")  # behind it there is a connection: the next call goes out at once
    assert running.ask("call silent 100 x") == [
        "call -> 0", closed(14, "upstream request timeout{response_timeout}")]
    assert eventually(lambda: len(running.server.calls) == 2 and running.server.calls[1].reset) == "NO_ERROR"


def test_a_timeout_behind_the_head_is_another_status(shared):
    assert shared.ask("call silent_after_head 3000 x") == ["call -> 0",
                                                           closed(13, "response_timeout")]


# --- Whom a guest may call ------------------------------------------------------------------------


def field(number, value):
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def pair(name, value):
    return field(5, field(1, name) + field(2, value))


def service(*parts, cluster=b"origin", target=b""):
    return "hex:" + (field(1, field(1, cluster) + target) + b"".join(parts)).hex()


@pytest.mark.parametrize("name", ["nowhere", "hex:ffff", "hex:"])
def test_what_is_no_service_is_refused(shared, name):
    # Envoy ends its process at the last one.
    assert shared.ask("call echo 60000 x", service=name) == ["call -> 4"]
    assert shared.ask("stream echo", service=name) == ["stream -> 4"]


@pytest.mark.parametrize("cluster", [b"nowhere", b""])
def test_a_service_of_a_cluster_that_is_not_there_fails_at_once(shared, cluster):
    assert shared.ask("call echo 60000 x", service=service(cluster=cluster)) == ["call -> 10"]
    assert shared.ask("stream echo", service=service(cluster=cluster)) == ["stream -> 10"]


def test_a_cluster_without_hosts_fails_at_once(shared):
    # Envoy calls the guest below its own call for the stream.
    assert shared.ask("call echo 60000 x", service="nohosts") == ["call -> 10"]
    assert shared.ask("stream echo;send x", service="nohosts")[0] == "stream -> 10"


def test_google_grpc_is_refused_by_name(proxy):
    running = proxy()
    google = "hex:" + field(2, field(1, b"127.0.0.1:1") + field(4, b"p")).hex()
    assert running.ask("call echo 60000 x", service=google) == ["call -> 2"]
    assert running.ask("stream echo", service=google) == ["stream -> 2"]
    running.stderr.wait("google_grpc: known to Envoy, not implemented by nuncio")


def test_a_service_says_what_each_request_says(proxy):
    running = proxy()
    lines = running.ask("call echo 60000 x", metadata="x-svc=mine", service=service(
        pair(b"x-svc", b"v1"), pair(b"content-type", b"v2"), pair(b"x-op", b"%PROTOCOL%"),
        pair(b"x-key-bin", b"abc"), target=field(2, b"auth.test")))
    assert lines == ["call -> 0", received(5, "re: x")]
    headers = running.server.calls[0].headers
    assert [value for name, value in headers if name == "x-svc"] == ["v1", "mine"]
    assert dict(headers).items() >= {":authority": "auth.test", "content-type": "v2", "x-op": "%PROTOCOL%",
                                     "x-key-bin": "YWJj"}.items()


@pytest.mark.parametrize("name", [b":path", b"host", b"Host"])
def test_a_service_does_not_say_where_requests_go(shared, name):
    assert shared.ask("call echo 60000 x", service=service(pair(name, b"/p"))) == ["call -> 2"]


def test_a_service_may_hide_whose_its_requests_are(proxy):
    running = proxy()
    assert running.ask("call echo 60000 x", service=service(target=field(5, 1)))[0] == "call -> 0"
    names = set(dict(running.server.calls[0].headers))
    assert not {"x-envoy-internal", "x-forwarded-for"} & names
    assert "x-envoy-expected-rq-timeout-ms" in names


def test_a_service_bounds_what_is_received(shared):
    small = service(target=field(4, field(1, 100)))
    assert shared.ask("call big 60000 x", service=small) == ["call -> 0", closed(8)]
    assert shared.ask("stream big;end x", service=small)[2:] == [initial(3, SPELLED), trailing(0),
                                                                  closed(8)]
    assert shared.ask("call echo 60000 x", service=small) == ["call -> 0", received(5, "re: x")]


@pytest.mark.parametrize("words,calls", [(b"refused-stream", 3), (b"nonsense,refused-stream", 3),
                                         (b"cancelled", 1)])
def test_a_service_has_requests_tried_again(proxy, words, calls):
    running = proxy()
    pauses = field(1, b"\x10\xc0\x84\x3d") + field(2, field(1, 10))  # a millisecond, ten seconds
    policy = field(6, field(1, pauses) + field(2, field(1, 2)) + field(3, words))
    lines = running.ask("stream refuse;end x", service=service(policy))
    assert lines[-1].startswith("closed 14") and len(running.server.calls) == calls
    assert ("retried and the latest" in lines[-1]) == (calls > 1)


# --- Tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("token,send,other", [
    (0, 2, 2), (1, 2, 1), (2, 1, 1), (3, 2, 2), (4, 2, 2), (5, 2, 1), (6, 1, 1), (101, 2, 1),
    (102, 1, 1), (4294967294, 1, 1)])
def test_tokens_of_nothing(proxy, token, send, other):
    assert proxy().ask("send a;close;cancel", token=str(token)) == [
        f"send -> {send}", f"close -> {other}", f"cancel -> {other}"]


def test_the_first_tokens_are_envoy_s(proxy):
    running = proxy()
    assert running.ask("call silent 60000 x;cancel", token="5") == ["call -> 0", "cancel -> 0"]
    assert running.ask("stream talk;send x;cancel", token="6")[1:] == ["send -> 0", "cancel -> 0"]


def test_nothing_is_sent_behind_the_end(proxy):
    running = proxy()
    for do in ("stream talk;end a;send b", "stream talk;end a;end b"):
        lines = running.ask(do)
        assert lines[1:3] == ["end -> 0", do.rpartition(";")[2][:-2] + " -> 0"]
        assert lines[-1] == closed(0, "bye{via_upstream}")
        assert bytes(running.server.calls[-1].body) == b"\0\0\0\0\1a"


@pytest.mark.parametrize("do,lines", [
    ("stream talk;send a;cancel;send b;close;cancel",
     ["stream -> 0", "send -> 0", "cancel -> 0", "send -> 1", "close -> 1", "cancel -> 1"]),
    ("call silent 9000 x;cancel;cancel;close;send a",
     ["call -> 0", "cancel -> 0", "cancel -> 1", "close -> 1", "send -> 2"]),
    ("call silent 9000 x;close;close;cancel",
     ["call -> 0", "close -> 0", "close -> 1", "cancel -> 1"])])
def test_what_is_cancelled_is_gone(shared, do, lines):
    assert shared.ask(do) == lines


def test_a_cancelled_stream_is_reset(proxy):
    running = proxy()
    lines = running.ask("stream talk;send a", on_receive="cancel;send b")
    assert lines[3:] == [received(5, "re: a"), "cancel -> 0", "send -> 1"]
    assert eventually(lambda: running.server.calls[0].reset) == "NO_ERROR"
    assert running.ask("stream talk;send a", on_initial="cancel")[3:] == ["cancel -> 0"]


@pytest.mark.parametrize("steps,lines", [
    ("cancel;cancel;send x;close", ["cancel -> 0", "cancel -> 1", "send -> 1", "close -> 1"]),
    ("close;send x;close", ["close -> 0", "send -> 1", "close -> 1"]),
    ("send x", ["send -> 0"])])
@pytest.mark.parametrize("do", ["stream talk;end a", "stream early;send a"])
def test_the_token_of_a_stream_is_good_until_the_guest_ends_it(shared, do, steps, lines):
    all_lines = shared.ask(do, on_close=steps)
    at = next(i for i, line in enumerate(all_lines) if line.startswith("closed"))
    assert all_lines[at + 1:] == lines


def test_the_token_of_a_call_is_good_until_it_was_told(shared):
    assert shared.ask("call echo 60000 x", on_receive="cancel;close;send x")[2:] == [
        "cancel -> 0", "close -> 1", "send -> 2"]
    assert shared.ask("call fail 60000 x", on_close="cancel;close")[2:] == ["cancel -> 0",
                                                                           "close -> 1"]


def test_streams_that_are_never_closed_are_forgotten_at_last(proxy):
    # Envoy remembers all of them.
    running = proxy()
    for _ in range(6):
        lines = running.ask("hold;" + "stream early;send a;" * 180 + "stream early;send a",
                            on_close="deny")
        assert lines[0] == "stream -> 0"
    assert eventually(lambda: running.ask("send x", token="6") == ["send -> 1"])


# --- Several at once, other contexts --------------------------------------------------------------


def test_calls_and_streams_go_side_by_side(shared):
    assert shared.ask("call echo 60000 x;call echo 60000 y;stream echo;end z") == [
        "call -> 0", "call -> 0", "stream -> 0", "end -> 0",
        received(5, "re: x").replace("receive", "receive of another"),
        received(5, "re: y").replace("receive", "receive of another"),
        initial(4, HEAD + " x-initial=i" + TIME), received(5, "re: z"),
        trailing(2, "grpc-status=0 x-trailing=t"), closed(0)]


def test_a_call_is_made_from_the_answer_to_another(proxy):
    running = proxy()
    lines = running.ask("call echo 60000 x;hold", on_receive="call echo 60000 y;deny")
    assert lines == ["call -> 0", received(5, "re: x"), "call -> 0"]
    running.stderr.wait("grpc receive 5 re: y")


def test_a_tick_makes_a_call(proxy):
    running = proxy("call echo 60000 tick")
    running.stderr.wait("grpc receive 8 re: tick (buffer 0 maps 2 2)")


def test_an_answer_outlives_the_request_that_asked(proxy):
    running = proxy()
    assert running.ask("call echo 60000 x;deny") == ["call -> 0"]
    running.stderr.wait("grpc receive 5 re: x")


def test_a_guest_that_fails_at_an_answer_fails_the_request(proxy):
    # Envoy leaves the request without an answer.
    running = proxy()
    response = running.get("main", "/", {"service": "origin", "do": "call echo 60000 x",
                                         "on-receive": "trap"})
    assert response.status == 503
    running.stderr.wait("Function: proxy_on_grpc_receive")


def test_a_process_ends_with_streams_on_their_way(proxy):
    running = proxy()
    assert running.ask("stream talk;send a;hold", on_receive="deny")[0] == "stream -> 0"
    assert running.ask("call silent 100000 x;deny") == ["call -> 0"]


# --- Statistics and bounds ------------------------------------------------------------------------


def test_calls_are_counted_as_requests_of_ours(proxy):
    running = proxy()
    running.ask("call echo 60000 x")
    running.ask("call http_status 60000 x")
    stats = running.stats()
    assert stats["cluster.origin.internal.upstream_rq_completed"] == 2
    assert stats["cluster.origin.internal.upstream_rq_503"] == 1
    assert stats["http.async-client.rq_total"] == 2


def test_a_large_message_waits_for_the_server_s_windows(proxy):
    running = proxy(gives_window=False)
    lines = running.ask("stream early;" + "send " + "x" * 3000 + ";deny")
    assert lines[1] == "send -> 0"
    assert eventually(lambda: running.server.calls and len(running.server.calls[0].body) == 3005)
