# SPDX-License-Identifier: Apache-2.0
"""The tool itself: that it notices what it has to notice, and takes out no more than it says."""

import argparse
import concurrent.futures
import json
import pathlib
import socket
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import normalise  # noqa: E402
from lib import case as case_module  # noqa: E402
from lib import config, guests, h2, judge, observe, tls  # noqa: E402
from lib.case import Case, CaseError, write_recording  # noqa: E402
from lib.compare import apply_differences, compare  # noqa: E402
from lib.view import apply_views  # noqa: E402
from lib.wire import Peer, message_end, to_bytes  # noqa: E402
from lib.workers import without_workers  # noqa: E402

IDENTITY = {"version": "1.2.3", "build": "b", "sha256": "0"}


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A case with its recording in a folder of its own."""
    monkeypatch.setattr(case_module, "CASES", tmp_path / "cases")
    monkeypatch.setattr(case_module, "RECORDINGS", tmp_path / "recordings")
    path = tmp_path / "cases" / "group" / "one.yaml"
    path.parent.mkdir(parents=True)
    path.write_text('proves: "1 a thing"\nclient:\n- get: /\n')
    case = Case(path)
    write_recording(case, IDENTITY, {"log": {"access": ["GET / 200"]}})
    return case


def test_a_fresh_recording_is_accepted(recorded):
    assert recorded.load_recording()["observed"]["log"]["access"] == ["GET / 200"]


def test_a_recording_edited_by_hand_is_refused(recorded):
    text = recorded.recording_path.read_text().replace("200", "404")
    recorded.recording_path.write_text(text)
    with pytest.raises(CaseError, match="edited by hand"):
        recorded.load_recording()


def test_a_recording_of_another_case_is_refused(recorded):
    recorded.path.write_text('proves: "1 a thing"\nclient:\n- get: /other\n')
    with pytest.raises(CaseError, match="changed after it was recorded"):
        Case(recorded.path).load_recording()


def test_what_concerns_nuncio_alone_leaves_the_recording_valid(recorded):
    recorded.path.write_text('proves: "1 another"\nwhy: a note\n# a comment\nclient: [{get: /}]\n')
    assert Case(recorded.path).load_recording() is not None


def test_a_change_of_the_base_makes_recordings_stale(recorded, monkeypatch):
    base = config.load_base("proxy")
    base["static_resources"]["clusters"][0]["connect_timeout"] = "2s"
    monkeypatch.setattr(config, "load_base", lambda name: json.loads(json.dumps(base)))
    with pytest.raises(CaseError, match="changed after"):
        recorded.load_recording()


def test_an_unknown_key_in_a_case_is_an_error(recorded):
    recorded.path.write_text('proves: "1 a thing"\nclinet: []\n')
    with pytest.raises(CaseError, match="clinet"):
        Case(recorded.path)


def test_a_case_without_recording_is_an_error_unless_it_says_so(recorded):
    recorded.recording_path.unlink()
    with pytest.raises(CaseError, match="no recording"):
        judge.expectation(recorded)
    recorded.spec.update(unconfirmed="no such Envoy", expect={"exit": 0})
    assert judge.expectation(recorded) == ({"exit": 0}, [])


def test_a_difference_on_purpose_replaces_one_place_and_must_be_one():
    seen = {"client": {"a": {"received": ["x"], "end": "open"}}}
    changed, complaints = apply_differences(seen, [{"at": "client/a/end", "is": "fin"}])
    assert changed["client"]["a"] == {"received": ["x"], "end": "fin"} and not complaints
    assert apply_differences(seen, [{"at": "client/a/end", "is": "open"}])[1]


def test_a_difference_on_purpose_may_leave_out_lines_that_are_there():
    seen = {"log": {"access": ["a", "b", "c"]}}
    leave = [{"at": "log/access", "without": ["b", "x"]}]
    changed, complaints = apply_differences(seen, leave)
    assert changed["log"]["access"] == ["a", "c"] and len(complaints) == 1


def test_a_difference_on_purpose_may_have_lines_besides_those_of_envoy():
    seen = {"log": {"access": ["a", "b"]}}
    also = [{"at": "log/access", "also": {"a": "a2", "x": "y", "b": "a"}}]
    changed, complaints = apply_differences(seen, also)
    assert changed["log"]["access"] == ["a", "a2", "b"] and len(complaints) == 2


def test_header_order_is_a_difference_and_said_to_be_only_that():
    lines = compare({"received": ["a\r\n", "b\r\n"]}, {"received": ["b\r\n", "a\r\n"]})
    assert any("another order" in line for line in lines)


@pytest.mark.parametrize("seen, kept", [
    ("date: Mon, 23 Nov 2026 06:01:14 GMT", "date: <date>"),
    ("date: Mon, 23 Nov 2026 06:01:14 UTC", "date: Mon, 23 Nov 2026 06:01:14 UTC"),
    ("x-request-id: 01234567-89ab-4cde-8f01-23456789abcd", "x-request-id: <uuid 4>"),
    ("x-envoy-upstream-service-time: 12", "x-envoy-upstream-service-time: <ms>"),
    ("x-envoy-upstream-service-time: ", "x-envoy-upstream-service-time: "),
])
def test_volatile_values_are_replaced_only_in_their_right_form(seen, kept):
    assert normalise.text("wire", seen) == kept
    assert normalise.text("wire", kept) == kept


def test_chunk_borders_go_and_trailers_stay():
    head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    parts = head + "2\r\nab\r\n1\r\nc\r\n0\r\nt: 1\r\n\r\n"
    assert normalise.join_chunks(parts) == head + "<chunked>\r\nabc\r\n0\r\nt: 1\r\n\r\n"
    assert normalise.join_chunks(head + "3\r\na") == head + "<chunked cut off>\r\na\r\n"


def test_ports_are_written_by_name_and_other_numbers_stay():
    assert normalise.name_ports("127.0.0.1:40000 40001", {40000: "origin"}) == \
        "127.0.0.1:<port origin> 40001"
    uuid = "aec7f898-4d27-4859-8906-b40000d43692"
    assert normalise.name_ports(uuid, {40000: "origin"}) == uuid


@pytest.mark.parametrize("data, is_response, end", [
    (b"GET / HTTP/1.1\r\n\r\nrest", False, 18),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok..", True, 40),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no", True, None),
    (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nX", True, 58),
    (b"HTTP/1.1 204 No Content\r\n\r\n", True, 27),
    (b"HTTP/1.1 200 OK\r\n\r\nbody", True, None),
])
def test_the_end_of_a_message_is_found(data, is_response, end):
    assert message_end(data, 0, is_response) == end


def test_repetition_in_script_texts():
    assert to_bytes("a{{xy*3}}\xff") == b"axyxyxy\xff"


def test_a_view_replaces_one_body_and_leaves_its_neighbours():
    first = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nx: y\r\n\r\n" + b'{"a": 1 }'
    seen = {"received": first + b"HTTP/1.1 404 Not Found\r\n\r\n", "end": "open"}
    shown = apply_views(seen, [(0, len(first), "keys")])["received"]
    assert shown == b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n<keys>\n.a int\nHTTP/1.1 404 Not Found\r\n\r\n"


def handshake(client_spec, server_spec):
    """Both ends of a connection after a handshake between two of our own peers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        server = pool.submit(tls.accept, Peer(theirs), server_spec)
        client = tls.connect(Peer(ours), client_spec, {})
        return client, server.result()


def test_a_handshake_tells_what_both_sides_agreed_on():
    client, server = handshake({"sni": "a.test", "alpn": ["h2", "x"], "cert": "client"},
                               {"alpn": ["x"], "client_ca": "ca"})
    client.send(b"hello")
    server.wait_text(b"hello")
    client.close()
    server.wait_end()
    assert client.ended()["tls"] == {"version": "TLSv1.3", "alpn": "x", "peer": "server",
                                     "resumed": False}
    assert server.ended()["tls"] == {"version": "TLSv1.3", "alpn": "x", "peer": "client",
                                     "asked": "a.test"}
    assert server.ended()["end"] == "cut"


def test_a_refused_certificate_is_seen_on_both_sides():
    client, server = handshake({"ca": "other-ca", "version": 1.2}, {})
    assert client.ended()["tls"] == {"failed": "we refused: unable to get local issuer certificate"}
    assert server.ended()["tls"] == {"failed": "tlsv1_alert_unknown_ca"}


def test_certificates_of_a_case_are_part_of_what_it_gave(recorded):
    recorded.path.write_text('proves: "1 a thing"\nclient:\n- get: /\npki: [server]\n')
    assert "BEGIN CERTIFICATE" in Case(recorded.path).inputs()["pki"]["server.crt"]
    with pytest.raises(ValueError, match="nobody"):
        tls.files_of(["nobody"])


def test_the_source_of_a_guest_is_part_of_what_a_case_gave(recorded, monkeypatch, tmp_path):
    monkeypatch.setattr(guests, "FOLDERS", (tmp_path,))
    (tmp_path / "one.c").write_text('#include "two.h"\n#include "elsewhere.h"\n')
    (tmp_path / "two.h").write_text("int a;\n")
    recorded.path.write_text('proves: "1 a thing"\nclient:\n- get: /\nwasm: one\n')
    before = Case(recorded.path).inputs()["guests"]
    (tmp_path / "two.h").write_text("int b;\n")
    assert Case(recorded.path).inputs()["guests"] != before
    with pytest.raises(ValueError, match="nobody"):
        guests.hashes(["nobody"])


def test_plugins_stand_in_front_of_the_other_filters():
    tree = config.build({"wasm": ["one", {"guest": "two", "configuration": "c", "name": "n",
                                          "vm_config": {"vm_id": "v", "configuration": "d"}}]})
    hcm = tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert [one["name"] for one in hcm["http_filters"][:2]] == ["wasm.one", "wasm.n"]
    plugin = hcm["http_filters"][1]["typed_config"]["config"]
    assert plugin["configuration"]["value"] == "c"
    assert plugin["vm_config"]["configuration"]["value"] == "d"
    assert plugin["vm_config"]["vm_id"] == "v"
    assert plugin["vm_config"]["code"]["local"]["filename"] == "${dir}/two.wasm"


def test_a_case_whose_guest_is_not_built_is_skipped(recorded, monkeypatch, tmp_path):
    monkeypatch.setenv("NU_BUILD", str(tmp_path))
    recorded.path.write_text('proves: "1 a thing"\nclient:\n- get: /\nwasm: script\n')
    verdict = judge.judge(Case(recorded.path), argparse.Namespace(workers=1, is_envoy=False))
    assert (verdict.status, verdict.lines) == ("skipped", ["needs clang and lld, or wabt"])


def test_the_log_of_guests_is_that_of_either_server():
    envoy = "[2026-11-26 16:04:12.391][3][info][wasm] [source/a.cc:9] wasm log one vm: a: b\n"
    nuncio = "[2026-11-26 16:04:12.391][3][error][wasm] wasm log one vm: a\n[x] wasm log z\n"
    assert guests.log_lines(envoy + nuncio, True) == ["info one vm: a: b", "error one vm: a"]
    assert guests.log_lines(envoy + nuncio, False) == ["info a: b", "error a"]


def test_header_blocks_are_read_as_rfc_7541_shows():
    """Its appendix C.4: Huffman, and the dynamic table that the second request uses."""
    decoder = h2.FieldDecoder()
    first = decoder.decode(bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff"))
    second = decoder.decode(bytes.fromhex("828684be5886a8eb10649cbf"))
    assert first[-1] == (":authority", "www.example.com")
    assert second == [*first, ("cache-control", "no-cache")]


def test_two_http2_peers_understand_each_other():
    sockets = socket.socketpair(socket.AF_UNIX)
    for sock in sockets:
        sock.setblocking(False)
    client = h2.Peer(Pipe(sockets[0]), is_server=False)
    server = h2.Peer(Pipe(sockets[1]), is_server=True, settings={4: 100000})
    stream = client.request("/a", "POST", [("x", "{{" * 100)], end=False)
    client.body(stream, b"b" * 50000, end=False)
    client.headers(stream, [("t", "1")], end=True)
    got, request = server.wait_request()
    server.respond(got, 201, [("y", "\xe9")], b"c" * 50000, [("u", "2")])
    response = client.wait_message(stream)
    assert (got, dict(request.headers)["x"], bytes(request.body)) == (1, "{{" * 100, b"b" * 50000)
    assert request.trailers == [("t", "1")] and response.trailers == [("u", "2")]
    assert (response.status, response.get("y"), bytes(response.body)) == (201, "\xe9", b"c" * 50000)
    server.rst(client.request("/b", end=False), "REFUSED_STREAM")
    assert client.wait_message(3).reset == "REFUSED_STREAM"


class Pipe(Peer):
    """A peer on a socket that is not TCP."""

    def __init__(self, sock):  # pylint: disable=super-init-not-called
        self.sock, self.received, self.used, self.end = sock, bytearray(), 0, "open"


def seen_with(clients, upstream, log, **stats):
    return {"client": {name: {"received": ["x\r\n"], "end": "fin"} for name in clients},
            "upstream": {"origin": [{"received": lines, "end": "fin"} for lines in upstream]},
            "log": {"access": log}, "stats": {"cluster.origin." + name: stats[name] for name in stats}}


def test_with_several_workers_one_client_is_compared_as_strictly():
    seen = seen_with("a", [["GET / HTTP/1.1\r\n"], []], ["2", "1"], upstream_cx_total=2)
    assert compare(seen, without_workers(json.loads(json.dumps(seen)))) == []


def test_with_several_workers_requests_of_several_clients_may_share_a_connection_or_not():
    one = [["POST /1 HTTP/1.1\r\n", "\r\n", "abcGET /2 HTTP/1.1\r\n", "\r\n"]]
    two = [["GET /2 HTTP/1.1\r\n", "\r\n"], ["POST /1 HTTP/1.1\r\n", "\r\n", "abc"]]
    apart = seen_with("ab", two, ["2", "1"], upstream_cx_total=2, upstream_rq_total=2)
    together = seen_with("ab", one, ["1", "2"], upstream_cx_total=1, upstream_rq_total=2)
    assert compare(without_workers(apart), without_workers(together)) == []


@pytest.mark.parametrize("change", [
    {"log": {"access": ["1", "1"]}}, {"stats": {"cluster.origin.upstream_rq_total": 3}},
    {"upstream": {"origin": [{"received": ["GET /3 HTTP/1.1\r\n"], "end": "fin"}]}}])
def test_with_several_workers_what_happened_is_still_compared(change):
    seen = seen_with("ab", [["GET / HTTP/1.1\r\n"]], ["2", "1"], upstream_rq_total=2)
    other = {**json.loads(json.dumps(seen)), **change}
    assert compare(without_workers(seen), without_workers(other))


def judged(monkeypatch, *rounds):
    """What judge_all makes of a case whose runs end with these lines, and the number of runs."""
    left = list(rounds)

    def verdict(case, _):
        lines = left.pop(0)
        return judge.Verdict(case.name, "failed" if lines else "same", lines)
    monkeypatch.setattr(judge, "find_verdict", verdict)
    case = argparse.Namespace(name="group/one")
    return judge.judge_all([case], None)["group/one"], len(rounds) - len(left)


def test_a_case_that_differs_runs_once_more_and_is_named(monkeypatch):
    verdict, runs = judged(monkeypatch, ["stats/a: Envoy 1, nuncio None"], [])
    assert not verdict.failed and runs == 2
    assert verdict.differed_once == ["stats/a: Envoy 1, nuncio None"]


def test_a_case_that_differs_twice_fails_and_shows_both(monkeypatch):
    verdict, runs = judged(monkeypatch, ["one"], ["two"])
    assert verdict.failed and runs == 2 and {"one", "two"} <= set(verdict.lines)


@pytest.mark.parametrize("words", [
    "exit code 1: ==5==ERROR: AddressSanitizer: heap-use-after-free",
    "exit code 1: src/a.c:1:2: runtime error: shift exponent 64",
    "exit code 66: WARNING: ThreadSanitizer: data race",
    "exit code -6: a.c:12: assertion failed", "exit code -11: "])
def test_a_crash_is_never_run_again(monkeypatch, words):
    verdict, runs = judged(monkeypatch, [words], [])
    assert verdict.failed and runs == 1


def test_settling_waits_for_a_count_that_comes_late(monkeypatch):
    reads = iter([{"a": 1}, {"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}])
    monkeypatch.setattr(observe, "read_stats", lambda _: next(reads))
    monkeypatch.setattr(observe, "SETTLE_SECONDS", 0)
    assert observe._settle(0, lambda stats: stats == {"a": 2}) == {"a": 2}


def test_settling_gives_up_on_a_count_that_never_comes(monkeypatch):
    monkeypatch.setattr(observe, "read_stats", lambda _: {"a": 1})
    monkeypatch.setattr(observe, "SETTLE_SECONDS", 0)
    monkeypatch.setattr(observe, "PATIENCE_SECONDS", 0.01)
    assert observe._settle(0, lambda stats: False) == {"a": 1}
