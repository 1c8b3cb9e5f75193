# SPDX-License-Identifier: Apache-2.0
"""nuncio wasm run: one request through a filter, from the command line."""
import os
import re
import signal
import subprocess

import pytest

import grpc_peer
from peers import hold_port
from process import Output
from test_wasm import BUILD, tools, wat  # noqa: F401 (a fixture)
from test_wasm_callouts import answer

GUESTS = (BUILD / "tests/guests").absolute()  # runs have a folder of their own
GATE, GUEST = GUESTS / "prime_authorizer.wasm", GUESTS / "http.wasm"
LIMIT = 120  # seconds; a run is over long before


class Outcome:
    def __init__(self, done):
        self.code, self.out, self.log = done.returncode, done.stdout, done.stderr
        self.upstream = self._part("The upstream was sent\n")
        self.client = self._part("The client was sent\n")
        found = re.search("^=== Outcome: (.*)$", self.out, re.M)
        self.verdict = found and found[1]

    def _part(self, title):
        found = re.search(f"^=== {title}(.*?)^===", self.out, re.M | re.S)
        return found and found[1]


@pytest.fixture
def run(nuncio_binary, tmp_path):
    """run(file, *arguments): its outcome; nothing may be left of it."""
    folder = tmp_path / "tmp"
    folder.mkdir()

    def start(*arguments):
        done = subprocess.run([nuncio_binary, "wasm", "run", *arguments], capture_output=True, text=True,
                              check=False, timeout=LIMIT, cwd=folder,
                              env={**os.environ, "TMPDIR": str(folder)}, errors="surrogateescape")
        assert "Sanitizer" not in done.stderr, done.stderr
        assert not list(folder.iterdir())
        return Outcome(done)
    return start


# --- The article's two requests --------------------------------------------------------------------


def test_a_prime_token_reaches_the_upstream(run):
    outcome = run(GATE, "-H", "token: 32323")
    assert (outcome.code, outcome.verdict) == (0, "answered")
    assert outcome.upstream.startswith("GET / HTTP/1.1\nhost: localhost\ntoken: 32323\n")
    assert outcome.client.startswith("HTTP/1.1 200 OK\n")
    assert outcome.client.endswith("\n\nHello from the upstream\n")
    assert "=== Access log: status 200, details via_upstream, flags -\n" in outcome.out


def test_another_token_does_not(run):
    outcome = run(GATE, "-H", "token: 323232")
    assert (outcome.code, outcome.verdict) == (0, "answered")
    assert "=== Nothing reached the upstream\n" in outcome.out
    assert outcome.client.startswith("HTTP/1.1 403 Forbidden\npowered-by: proxy-wasm\n")
    assert outcome.client.endswith("\n\nAccess forbidden.\n")
    assert "=== Access log: status 403, details not_a_prime, flags -\n" in outcome.out


# --- What is asked ---------------------------------------------------------------------------------


def test_configurations_come_to_the_guest(run, tmp_path):
    file = tmp_path / "conf"
    file.write_text('{"a": "\u00e9"}')
    outcome = run(GUEST, "-c", f"@{file}", "--vm-configuration", 'of "vm"', "--name", "n",
                  "--root-id", "r", "--vm-id", "v")
    assert outcome.code == 0
    assert '[info] wasm log n r v: vm_start of "vm"\n' in outcome.log
    assert '[info] wasm log n r v: configure {"a": "\u00e9"}\n' in outcome.log
    assert '\nseen: {"a": "\u00e9"}\n' in outcome.upstream


def test_a_request_is_as_asked(run):
    outcome = run(GATE, "/p?q", "-X", "PUT", "-H", "Host: h", "-H", "token:2", "-H", "a: 1", "-H",
                  "a: 2", "-d", "some\nbody")
    assert outcome.upstream.startswith("PUT /p?q HTTP/1.1\nhost: h\ntoken: 2\na: 1\na: 2\n")
    assert "\ncontent-length: 9\n" in outcome.upstream
    assert outcome.upstream.endswith("\n\nsome\nbody\n")


def test_a_response_is_as_asked(run, tmp_path):
    file = tmp_path / "body"
    file.write_bytes(b"\x1b[31m\xff\x00")
    controls = tmp_path / "controls"
    controls.write_text("\u00e9\u009b31m")
    outcome = run(GATE, "-H", "token: 2", "--response-status", "404", "--response-header",
                  "x-a: b", "--response-body", f"@{file}")
    assert outcome.client.startswith("HTTP/1.1 404 Not Found\nx-a: b\ncontent-type: text/plain\n")
    assert outcome.client.endswith("\n\n\\x1b[31m\\xff\\x00\n")
    assert outcome.code == 0
    outcome = run(GATE, "-H", "token: 2", "--response-body", f"@{controls}")
    assert outcome.client.endswith("\n\n\u00e9\\xc2\\x9b31m\n")


@pytest.mark.parametrize("arguments", [("-X", "HEAD"), ("--response-status", "204")])
def test_a_response_may_have_no_body(run, arguments):
    outcome = run(GATE, "-H", "token: 2", *arguments)
    assert outcome.code == 0 and "Hello" not in outcome.out


def test_a_guest_changes_a_body(run):
    outcome = run(GUEST, "/shout", "--response-body", "quiet")
    assert outcome.code == 0
    assert outcome.client.endswith("\ntransfer-encoding: chunked\n\nQUIET\n")


def test_a_long_body_goes_through(run, tmp_path):
    file = tmp_path / "body"
    file.write_text("x" * 3000000)
    outcome = run(GATE, "-H", "token: 2", "-d", f"@{file}", "--response-body", f"@{file}")
    assert outcome.code == 0
    for part in (outcome.upstream, outcome.client):
        assert part.endswith("x\n[3000000 bytes, of which the first 1048576 are shown]\n")


def test_the_environment_is_what_was_given(run, tmp_path):
    module = wat(tmp_path, """(module
      (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) i32.const 8)
      (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
        (drop (call $get (i32.const 16) (i32.const 64)))
        (drop (call $log (i32.const 2) (i32.const 64) (i32.const 8)))
        (i32.const 1)))""")
    assert "wasm log module: NAME=a=b\n" in run(module, "-e", "NAME=a=b").log


def test_the_log_has_the_level_that_was_asked_for(run):
    assert "wasm log" in run(GUEST).log
    assert run(GUEST, "-l", "warning").log == ""


# --- What a filter does wrong ----------------------------------------------------------------------


def test_a_trap_is_told(run):
    outcome = run(GUEST, "/trap")
    assert (outcome.code, outcome.verdict) == (1, "answered, and the filter's code failed: see its log")
    assert "failed: RuntimeError: unreachable\n" in outcome.log
    assert "[error]   0: fall\n[error]   1: on_request_headers\n" in outcome.log
    assert "status 503, details wasm_fail_stream, flags -\n" in outcome.out


def test_a_trap_after_the_upstream_is_told(run):
    outcome = run(GUEST, "/response-trap")
    assert outcome.code == 1 and outcome.upstream and outcome.client.startswith("HTTP/1.1 503 ")


def test_a_filter_that_pauses_for_ever_is_given_up(run):
    outcome = run(GUEST, "/wait-and-trap", "--timeout", "1")
    assert outcome.code == 1
    assert outcome.verdict == "no answer within 1 s: the filter holds the request: it was paused, and " \
        "nothing let it go on"
    assert "=== The client was sent nothing\n" in outcome.out


@pytest.mark.parametrize("script,verdict", [
    ("request_body\n  return 1", "the filter holds the rest of the request"),
    ("response_headers\n  return 1", "the filter holds the response: it was paused, and nothing let it "
     "go on"),
    ("response_body\n  return 1", "the filter holds the rest of the response"),
])
def test_what_a_filter_holds_is_told(run, script, verdict):
    outcome = run(GUESTS / "script.wasm", "-c", script, "-d", "body", "--timeout", "1")
    assert (outcome.code, outcome.verdict) == (1, "no answer within 1 s: " + verdict)
    assert "details downstream_remote_disconnect, flags DC\n" in outcome.out


def test_a_filter_that_goes_on_in_time_is_waited_for(run):
    assert run(GUEST, "/wait").code == 0


def test_a_connection_that_the_filter_ends_is_no_answer(run):
    outcome = run(GUEST, "/reset")
    assert (outcome.code, outcome.verdict) == (1, "the connection ended without a response")


def test_a_root_that_does_not_end_is_told(run):
    outcome = run(GUESTS / "life.wasm", "-c", "never", "--timeout", "1")
    assert outcome.code == 0
    assert outcome.verdict.startswith("answered; a root did not end in time: ")


# --- What cannot be run ----------------------------------------------------------------------------


def test_a_plugin_that_does_not_start_is_told(run):
    outcome = run(GUEST, "-c", "trap")
    assert outcome.code == 1 and outcome.out == ""
    assert "\nnuncio wasm run: the plug-in does not start: proxy_on_configure failed: " in outcome.log


def test_all_that_a_module_lacks_is_told(run, tmp_path):
    outcome = run(wat(tmp_path, """(module (import "env" "nothing" (func))
                                     (import "env" "nowhere" (func)))"""))
    assert outcome.code == 1 and outcome.out == ""
    assert "env.nothing" in outcome.log and "env.nowhere" in outcome.log


@pytest.mark.parametrize("arguments,why", [
    ((), "nuncio wasm run: which FILE?"),
    (("/no/such",), "nuncio wasm run: cannot open '/no/such': No such file or directory\n"),
    ((os.path.abspath(__file__),), "nuncio wasm run: the module cannot be used: it is no WebAssembly module\n"),
    ((GATE, "--haeder", "a: b"), "unknown option '--haeder' (did you mean --header?)"),
    ((GATE, "-Z"), "unknown option '-Z'"),
    ((GATE, "-H"), "--header needs a value"),
    ((GATE, "-H", "a"), "--header: 'a' is not a header (NAME: VALUE)"),
    ((GATE, "path"), "'path' is not a path"),
    ((GATE, "-d", "@/no/such"), "cannot open '/no/such'"),
    ((GATE, "--timeout", "soon"), "--timeout: 'soon' is not a number of seconds"),
])
def test_a_wrong_line_is_refused(run, arguments, why):
    outcome = run(*arguments)
    assert outcome.code == 1 and outcome.out == "" and why in outcome.log


@pytest.mark.parametrize("arguments,code", [((), 1), (("--help",), 0), (("run", "--help"), 0),
                                            (("run", "-h"), 0), (("rnu",), 1)])
def test_help_is_there(nuncio_binary, arguments, code):
    done = subprocess.run([nuncio_binary, "wasm", *arguments], capture_output=True, text=True,
                          check=False)
    assert done.returncode == code
    text = done.stdout if code == 0 else done.stderr
    assert "usage: nuncio wasm " in text and " wasm run FILE [PATH] [options]" in text
    if arguments == ("rnu",):
        assert "(did you mean run?)" in text


# --- Clusters --------------------------------------------------------------------------------------


def test_a_filter_calls_a_cluster(run, origin):
    called = origin(answer)
    outcome = run(GUESTS / "callouts.wasm", "-H", "call: called", "--cluster",
                  f"called=localhost:{called.port}")
    assert outcome.code == 0
    assert b"\r\nhost: called\r\n" in called.received[0]
    assert " body 5 " in outcome.client


def test_a_filter_calls_a_grpc_service(run, origin):
    server = origin(grpc_peer.upstream())
    outcome = run(GUESTS / "grpc.wasm", "-H", "service: g", "-H", "do: call echo 60000 hello",
                  "--grpc-cluster", f"g=127.0.0.1:{server.port}")
    assert outcome.code == 0 and "\nreceive 9 re: hello" in outcome.client


def test_a_filter_calls_the_upstream(run):
    outcome = run(GUESTS / "callouts.wasm", "-H", "call: upstream")
    assert outcome.code == 0 and "\nx-sent: by guest\n" in outcome.upstream


def test_a_cluster_that_is_not_there_is_what_it_is(run):
    with hold_port() as closed:
        outcome = run(GUESTS / "callouts.wasm", "-H", "call: called", "--cluster",
                      f"called=127.0.0.1:{closed.getsockname()[1]}")
    assert outcome.code == 0 and ":status=503" in outcome.client


NEEDS = "vm_start\n  call upstream\n  need\nconfigure\n  grpc upstream\n  need\n"


def test_a_filter_that_needs_a_cluster_to_start_has_it(run):
    outcome = run(GUESTS / "starting.wasm", "-c", NEEDS)
    assert outcome.code == 0 and outcome.log.count("call upstream: 0") == 2


def test_a_filter_that_needs_a_cluster_does_not_start_without(run):
    outcome = run(GUESTS / "starting.wasm", "-c", NEEDS.replace("upstream", "nowhere"))
    assert outcome.code == 1 and "call nowhere: 2" in outcome.log
    assert "proxy_on_vm_start returned false" in outcome.log


def test_a_closed_output_is_not_mistaken_for_another_file(nuncio_binary):
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&- 2>&- <&-', nuncio_binary, "wasm", "run", GATE,
                           "-H", "token: 2"], check=False, timeout=LIMIT)
    assert done.returncode == 0


def test_an_output_that_takes_nothing_is_a_failure(nuncio_binary):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([nuncio_binary, "wasm", "run", GATE, "-H", "token: 2"], stdout=full,
                              check=False, timeout=LIMIT)
    assert done.returncode == 1


# --- The end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(nuncio_binary, tmp_path, number):
    with subprocess.Popen([nuncio_binary, "wasm", "run", GUEST, "/wait-and-trap", "--timeout", "100"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
                          env={**os.environ, "TMPDIR": str(tmp_path)}) as process:
        log = Output(process.stderr)
        log.wait("request_headers /wait-and-trap")
        process.send_signal(number)
        out = process.stdout.read().decode()
        assert process.wait(LIMIT) == 1
        log.join()
    assert out.endswith("=== Outcome: interrupted\n")
    assert not list(tmp_path.iterdir())
