# SPDX-License-Identifier: Apache-2.0
"""proxy-wasm filters, with guests of our own: tests/guests/http.c does what the path of a request says,
and modules written here are broken in one way each. The answers are those of Envoy 1.36.4 to the same
guest, but where a comment says otherwise."""
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from configs import PROXY
from process import eventually

BUILD = pathlib.Path(os.environ.get("NU_BUILD", "build")).resolve()
GUEST = BUILD / "tests/guests/http.wasm"
# A VM that failed has no other after it for as long as a test takes; otherwise, and whatever is said
# under the other policies, for a second.
NO_NEW_VM = """failure_policy: FAIL_RELOAD
                reload_config: {backoff: {base_interval: 3600s}}"""
NEW_VM_SECONDS = 1
WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
STRING = "type.googleapis.com/google.protobuf.StringValue"


@pytest.fixture(scope="module", autouse=True)
def tools():
    if not (BUILD / "nuncio-wasm-v8.so").exists():
        pytest.skip("needs libnode-dev")
    if not GUEST.exists():
        pytest.skip("needs clang and lld")


def plugin(configuration="conf", code=GUEST, vm_id="vm", extra="", vm_configuration="vmconf"):
    return f"""          - name: wasm
            typed_config:
              "@type": {WASM}
              config:
                name: one
                root_id: root
                configuration: {{"@type": {STRING}, value: "{configuration}"}}
                {extra}
                vm_config:
                  vm_id: {vm_id}
                  runtime: envoy.wasm.runtime.v8
                  code: {{local: {{filename: {code}}}}}
                  configuration: {{"@type": {STRING}, value: "{vm_configuration}"}}
"""


def behind(*plugins):
    return PROXY.replace("          http_filters:\n", "          http_filters:\n" + "".join(plugins))


def starter(nuncio, origin):
    def start(*plugins, script=None, arguments=("--concurrency", "1")):
        upstream = origin(script)
        process = nuncio(behind(*(plugins or (plugin(),))), *arguments, origin=upstream.port)
        process.upstream = upstream
        return process
    return start


@pytest.fixture
def proxy(nuncio, origin):
    return starter(nuncio, origin)


@pytest.fixture(scope="module")
def shared_proxy(tools, shared_nuncio, shared_origin):  # pylint: disable=redefined-outer-name,unused-argument
    """A process for many tests: see conftest.py."""
    return starter(shared_nuncio, shared_origin)


def refusal(nuncio, **options):
    """What a configuration with such a plug-in is refused with."""
    process = nuncio(behind(plugin(**options)), ready=None, expect_exit=1, origin=1)
    process.wait_exit()
    return process.stderr.text


def wat(folder, text, *options):
    if not shutil.which("wat2wasm"):
        pytest.skip("needs wabt")
    source, module = folder / "module.wat", folder / "module.wasm"
    source.write_text(text)
    subprocess.run(["wat2wasm", *options, source, "-o", module], check=True)
    return module


# --- A request's way ------------------------------------------------------------------------------


def test_callbacks_come_in_their_order(proxy):
    running = proxy()
    assert running.get("main", "/").status == 200
    running.stderr.wait("one root vm: delete")
    lines = [line.split("wasm log ")[1] for line in running.stderr.text.splitlines()
             if "wasm log" in line]
    start = ["vm: initialize", "one root vm: vm_start vmconf", "one root vm: configure conf"]
    assert lines[:3] == start and lines[3:6] == start  # tried out, then on the worker
    assert lines[6:] == ["one root vm: request_headers /", "one root vm: response_headers 200",
                         "one root vm: log 200", "one root vm: done", "one root vm: delete"]


def test_headers_are_read_and_changed(proxy):
    running = proxy()
    response = running.get("main", "/", {"X-Many": "a", "secret": "s"})
    assert response.headers["x-guest"] == "was here"
    received = running.upstream.received[0]
    assert b"\r\nseen: conf\r\n" in received and b"\r\nx-first: a\r\n" in received
    assert b"secret" not in received


def test_a_path_and_a_status_are_changed(proxy):
    running = proxy()
    assert running.get("main", "/elsewhere").status == 200
    assert running.upstream.received[0].startswith(b"GET /rewritten HTTP/1.1\r\n")
    assert running.get("main", "/status").status == 202


@pytest.mark.parametrize("path,status", [("/deny", 403), ("/twice", 403), ("/late-deny", 451)])
def test_a_guest_answers_itself(proxy, path, status):
    response = proxy().get("main", path)
    assert (response.status, response.text) == (status, "no\n")
    assert response.headers["from"] == "wat"


def test_an_answer_may_come_from_the_body(proxy):
    assert proxy().request("POST", "main", "/body-deny", b"x" * 100000).status == 400


def test_going_on_at_once_is_going_on_once(proxy):
    running = proxy()
    assert running.get("main", "/now").status == 200
    assert len(running.upstream.received[0].split(b"GET /now")) == 2


def test_a_tick_lets_a_request_go_on(proxy):
    assert proxy().get("main", "/wait").status == 200


def test_a_body_is_kept_and_replaced(proxy):
    running = proxy()
    client = running.connect()
    client.send(b"POST /whole HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(4):
        client.send(b"c350\r\n" + b"x" * 50000 + b"\r\n")
    client.send(b"0\r\n\r\n")
    client.wait_message(is_response=True)
    assert b"<200000>" in running.upstream.received[0]


def test_a_response_body_is_kept_and_changed(proxy):
    response = proxy().get("main", "/shout")
    assert response.text and response.text == response.text.upper()
    assert response.headers["transfer-encoding"] == "chunked"


def test_wrong_pointers_and_numbers_have_their_status(proxy):
    running = proxy()
    running.get("main", "/pointers")
    assert b"\r\nverdict: ok\r\n" in running.upstream.received[0]


@pytest.mark.parametrize("name,value", [
    ("plugin_name", "one"), ("plugin_root_id", "root"), ("plugin_vm_id", "vm"),
    ("request/protocol", "HTTP/1.1"), ("cluster_name", "origin"), ("nothing", "1"),
    ("xds/virtual_host_name", "all"), ("response/headers/x-guest", "was here"),
    ("connection/requested_server_name", ""),
])
def test_properties(proxy, name, value):
    assert proxy().get("main", "/property/" + name).headers["property"] == value


def test_a_client_that_leaves_ends_a_paused_request(proxy):
    running = proxy()
    client = running.connect()
    client.send(b"GET /wait-and-trap HTTP/1.1\r\nhost: a\r\n\r\n")
    running.stderr.wait("request_headers /wait-and-trap")
    client.close()
    running.stderr.wait("one root vm: delete")
    assert running.get("main", "/").status == 200


def test_a_reset_gives_no_answer(proxy):
    running = proxy()
    client = running.connect()
    client.send(b"GET /reset HTTP/1.1\r\nhost: a\r\n\r\n")
    client.wait_end()
    assert client.received == b""


# --- Several plug-ins -----------------------------------------------------------------------------


def test_plugins_of_one_vm_have_roots_of_their_own(proxy):
    running = proxy(plugin("first"), plugin("second"))
    response = running.get("main", "/")
    assert response.status == 200
    assert b"\r\nseen: second\r\n" in running.upstream.received[0]
    assert not running.finish()
    assert running.stderr.text.count("vm: initialize") == 3  # two tried out, one on the worker
    for configuration in ("first", "second"):
        assert running.stderr.text.count(f"one root vm: configure {configuration}") == 2


def test_workers_have_vms_of_their_own(proxy):
    running = proxy(arguments=("--concurrency", "4"))
    for _ in range(40):
        assert running.get("main", "/").status == 200
    assert running.stats()["wasm.envoy.wasm.runtime.v8.active"] == 4
    assert not running.finish()
    assert running.stderr.text.count("vm: initialize") == 1 + 4  # the first is tried out
    assert running.stderr.text.count("one root vm: configure conf") == 1 + 4


def test_workers_share_data(proxy):
    running = proxy(arguments=("--concurrency", "4"))
    for _ in range(40):
        assert running.get("main", "/count").status == 200
    seen = re.findall(rb"\r\ncount: (\d+)\r\n", b"".join(running.upstream.received))
    assert sorted(map(int, seen)) == list(range(1, 41))


# --- Failing well ---------------------------------------------------------------------------------


def test_a_trap_is_503_and_a_backtrace(proxy):
    running = proxy(plugin(extra=NO_NEW_VM))
    response = running.get("main", "/trap")
    assert (response.status, response.text) == (503, "")
    running.stderr.wait("Function: proxy_on_request_headers failed: RuntimeError: unreachable")
    end = running.stderr.wait("Proxy-Wasm plugin in-VM backtrace:")
    running.stderr.wait("0: fall", end)
    assert running.get("main", "/").status == 503
    running.stderr.wait("1: on_request_headers", end)


def test_after_a_trap_there_is_a_new_vm(proxy):
    """A second later; Envoy makes one only under FAIL_RELOAD."""
    running = proxy()
    assert running.get("main", "/trap").status == 503
    assert eventually(lambda: running.get("main", "/").status == 200)


def test_what_a_guest_says_before_it_traps_is_there_with_the_backtrace(proxy, tmp_path):
    """As what Rust makes of a panic: its text is logged, or written to stderr, and then comes a trap."""
    module = wat(tmp_path, """(module
      (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\\40\\00\\00\\00\\1c\\00\\00\\00")
      (data (i32.const 64) "panicked at 'no', lib.rs:9:1")
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) i32.const 8)
      (func $rust_panic (drop (call $log (i32.const 5) (i32.const 64) (i32.const 28)))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
        unreachable)
      (func $prime_auth::check (call $rust_panic))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        call $prime_auth::check
        i32.const 0))""", "--debug-names")
    running = proxy(plugin(code=module))
    assert running.get("main", "/").status == 503
    said = "wasm log one root vm: panicked at 'no', lib.rs:9:1\n"
    running.stderr.wait(re.compile(re.escape("[critical][wasm] ") + ".*" + re.escape(said)))
    at = running.stderr.wait(re.compile(re.escape("[error][wasm] ") + ".*" + re.escape(said)))
    for line in ("Function: proxy_on_request_headers failed: RuntimeError: unreachable",
                 "in-VM backtrace:", "0: rust_panic\n", "1: prime_auth::check\n",
                 "2: proxy_on_request_headers\n"):
        at = running.stderr.wait(line, at)


CHUNKED = b"transfer-encoding: chunked\r\n\r\n1f\r\nGET /evil HTTP/1.1\r\nhost: a\r\n\r\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("steps, status", [
    (r"set 0 :method CONNECT\n  remove 0 :path", 503),
    (r"set 0 :method CONNECT\n  set 0 :protocol websocket", 503),
    (r"set 0 connection upgrade\n  set 0 upgrade foo", 200),
])
def test_a_guest_makes_no_tunnel_of_a_request(nuncio, origin, steps, status):
    """Envoy does: the body goes out as a tunnel's bytes, which are a request of their own where the
    server grants none."""
    upstream = origin()
    script = plugin(r"request_headers\n  " + steps, BUILD / "tests/guests/script.wasm")
    running = nuncio(behind(script).replace("routes:\n", """routes:
              - {match: {connect_matcher: {}}, route: {cluster: origin}}
""", 1), "--concurrency", "1", origin=upstream.port)
    client = running.connect()
    client.send(b"POST / HTTP/1.1\r\nhost: a\r\n" + CHUNKED)
    client.wait_message(is_response=True)
    assert client.received.startswith(b"HTTP/1.1 %d " % status)
    if status == 200:
        assert b"upgrade: foo" not in upstream.received[0]
        assert upstream.received[0].endswith(b"\r\n\r\n" + CHUNKED.partition(b"\r\n\r\n")[2])
    else:
        assert upstream.received == []


def test_a_trap_in_the_response_is_503(proxy):
    assert proxy().get("main", "/response-trap").status == 503


def test_requests_that_wait_for_a_guest_end_with_it(proxy):
    running = proxy()
    client = running.connect()
    client.send(b"GET /wait-and-trap HTTP/1.1\r\nhost: a\r\n\r\n")
    running.stderr.wait("request_headers /wait-and-trap")
    assert running.get("main", "/trap").status == 503
    client.wait_message(is_response=True)
    assert client.received.startswith(b"HTTP/1.1 503 ")


def test_a_plugin_that_fails_open_is_passed_over(proxy):
    running = proxy(plugin(extra="failure_policy: FAIL_OPEN"))
    for _ in range(20):
        began = time.monotonic()
        assert running.get("main", "/trap").status == 200
        is_passed_over = "x-guest" not in running.get("main", "/").headers
        if is_passed_over or time.monotonic() - began < NEW_VM_SECONDS:
            break  # else there was time for a new VM
    assert is_passed_over


@pytest.mark.parametrize("path,why", [("/spin", "took longer than 1000 ms of CPU time"),
                                      ("/deep", "out of bounds")])
def test_a_guest_that_never_returns_is_ended_and_the_worker_lives(proxy, path, why):
    running = proxy(plugin(), plugin(vm_id="other"))
    assert running.get("main", path).status == 503
    running.stderr.wait(why)
    assert eventually(lambda: running.get("main", "/").status == 200)


# --- Configurations that are refused --------------------------------------------------------------


def test_what_a_module_lacks_is_told_at_once(nuncio, tmp_path):
    module = wat(tmp_path, """(module
      (import "env" "proxy_log" (func (param i32) (result i32)))
      (import "env" "proxy_get_the_moon" (func))
      (import "__wbindgen_placeholder__" "__wbindgen_describe" (func (param i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
      (func (export "proxy_abi_version_0_2_0"))
      (func (export "proxy_on_request_headers") (param i32 i32) (result i32) i32.const 0))""")
    text = refusal(nuncio, code=module)
    for line in ("import env.proxy_log has the wrong type: (i32) -> i32, not (i32, i32, i32) -> i32",
                 "missing import: env.proxy_get_the_moon (no version of proxy-wasm",
                 "missing import: __wbindgen_placeholder__.__wbindgen_describe (of wasm-bindgen",
                 "export proxy_on_request_headers has the wrong type: (i32, i32) -> i32, not "
                 "(i32, i32, i32) -> i32",
                 "missing export: malloc", "missing export: memory"):
        assert "the module cannot be used: " + line in text
    assert "fd_write" not in text


@pytest.mark.parametrize("options,why", [
    ({"configuration": "refuse"}, "proxy_on_configure returned false"),
    ({"configuration": "trap"}, "proxy_on_configure failed: RuntimeError: unreachable"),
    ({"vm_configuration": "refuse"}, "proxy_on_vm_start returned false"),
    ({"code": "/no/such.wasm"}, "/no/such.wasm"),
    ({"code": __file__}, "it is no WebAssembly module"),
    ({"extra": "fail_open: true\n                failure_policy: FAIL_OPEN"},
     "only one of fail_open and failure_policy can be set"),
    ({"extra": "failure_policy: FAIL_RELOAD\n                reload_config: {backoff: {}}"},
     "base_interval: value is required"),
])
def test_a_plugin_that_does_not_start_is_an_error_of_the_configuration(nuncio, options, why):
    assert why in refusal(nuncio, **options)


def test_code_that_starts_may_ask_for_little(nuncio, tmp_path):
    module = wat(tmp_path, """(module
      (import "env" "proxy_get_header_map_size" (func $f (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "proxy_abi_version_0_2_0"))
      (func (export "malloc") (param i32) (result i32) i32.const 8)
      (func $s (drop (call $f (i32.const 0) (i32.const 0))))
      (start $s))""")
    assert "proxy_get_header_map_size is not for code that starts" in refusal(nuncio, code=module)


def test_without_wasm_nothing_of_v8_is_loaded(nuncio, origin):
    running = nuncio(PROXY, origin=origin().port)
    maps = pathlib.Path(f"/proc/{running.pid}/maps").read_text()
    assert "libnode" not in maps and "wasm-v8" not in maps


# --- nuncio wasm inspect ----------------------------------------------------------------------------


def inspect(binary, module):
    done = subprocess.run([binary, "wasm", "inspect", module], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def test_inspect_shows_what_a_module_is(nuncio_binary):
    code, text = inspect(nuncio_binary, GUEST)
    assert code == 0
    assert text.startswith(f"size: {GUEST.stat().st_size} bytes\n")
    sizes = dict(re.findall(r"^  (type|import|code|data|custom) +(\d+)(?:$|  name)", text, re.M))
    assert len(sizes) == 5 and 0 < sum(map(int, sizes.values())) < GUEST.stat().st_size
    lists = re.findall(r"^(?:imports|exports): (\d+)\n((?:  .*\n)+)", text, re.M)
    assert [lines.count("\n") for _, lines in lists] == [int(count) for count, _ in lists] != []
    for line in ("memory: 1179648 bytes from the start\n",
                 "  env.proxy_log (i32, i32, i32) -> i32\n", "  memory memory\n",
                 "  proxy_on_request_headers (i32, i32, i32) -> i32\n", "start: _initialize\n",
                 "proxy-wasm ABI: 0.2.1\n", "verdict: nuncio can use it\n"):
        assert line in text


def test_inspect_tells_what_is_in_the_way(nuncio_binary, tmp_path):
    code, text = inspect(nuncio_binary, wat(tmp_path, """(module
      (import "env" "memory" (memory 1))
      (import "env" "base" (global i32))
      (func (export "malloc") (param i32) (result i32) i32.const 8))"""))
    assert code == 1 and "memory: 65536 bytes from the start\n" in text
    for line in ("proxy-wasm ABI: none\n",
                 "verdict: nuncio cannot use it\n  missing import: env.base, a global (a host makes",
                 "  missing export: proxy_abi_version_0_2_1, _0_2_0 or _0_1_0"):
        assert line in text


@pytest.mark.parametrize("exports,cause", [
    ("", ""),
    ('(func (export "_start"))', " (a command, which ends with its main: build a reactor (crate-type "
     "cdylib, -mexec-model=reactor, -buildmode=c-shared))"),
    ('(func (export "_start")) (func (export "_initialize"))', ""),
    ('(func (export "proxy_abi_version_0_3_0")) (func (export "_start"))',
     " (it has proxy_abi_version_0_3_0: built for another version)"),
])
def test_inspect_tells_why_a_module_is_no_filter(nuncio_binary, tmp_path, exports, cause):
    """With all else that it lacks at once."""
    code, text = inspect(nuncio_binary, wat(tmp_path, f"(module {exports})"))
    assert code == 1
    lines = text[text.index("verdict: "):].splitlines()
    assert lines[:2] == ["verdict: nuncio cannot use it",
                         "  missing export: proxy_abi_version_0_2_1, _0_2_0 or _0_1_0, by which a "
                         "module says that it is a proxy-wasm filter" + cause]
    assert [line.split(",")[0] for line in lines[2:]] == [
        "  missing export: malloc or proxy_on_memory_allocate", "  missing export: memory"]


def test_inspect_shows_names_that_are_for_terminals(nuncio_binary, tmp_path):
    module = wat(tmp_path, r"""(module (import "e\1b[2J" "\1b]0;x\07" (func))
                                (func (export "\1b[31mred")))""")
    shown = subprocess.run([nuncio_binary, "wasm", "inspect", module], capture_output=True,
                           text=True, check=False).stdout
    assert "\x1b" not in shown and "\x07" not in shown
    assert "[31mred" in shown and "missing import: " in shown


@pytest.mark.parametrize("arguments,why", [
    (("inspect",), "usage:"),
    (("inspect", "/no/such"), "cannot open '/no/such': No such file or directory"),
    (("inspect", __file__), "verdict: nuncio cannot use it: it is no WebAssembly module"),
])
def test_inspect_says_what_it_cannot_do(nuncio_binary, arguments, why):
    done = subprocess.run([nuncio_binary, "wasm", *arguments], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and why in done.stdout + done.stderr
