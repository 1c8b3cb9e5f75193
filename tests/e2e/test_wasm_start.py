# SPDX-License-Identifier: Apache-2.0
"""What a module says and does while it is started, in the forms that toolchains give it."""
import re

import pytest

from test_wasm import (BUILD, behind, plugin, proxy, refusal,  # pylint: disable=unused-import
                       tools, wat)

# A module that runs a function named by BEGIN, and then lets every request pass.
MODULE = """(module
  (import "%(wasi)s" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "%(wasi)s" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\20\\00\\00\\00\\05\\00\\00\\00\\30\\00\\00\\00\\06\\00\\00\\00")
  (data (i32.const 32) "hello")
  (data (i32.const 48) " you\\0a\\0a")
  (func (export "proxy_abi_version_0_2_0"))
  (func (export "malloc") (param i32) (result i32) i32.const 8)
  (func $begin %(export)s %(body)s)
  %(more)s)"""
SAY = "(drop (call $fd_write (i32.const %d) (i32.const 0) (i32.const %d) (i32.const 16)))"


def module(folder, body, export='(export "_initialize")', more="", wasi="wasi_snapshot_preview1"):
    return wat(folder, MODULE % {"wasi": wasi, "export": export, "body": body, "more": more})


@pytest.mark.parametrize("form", [
    {}, {"export": '(export "_start")'}, {"export": "", "more": "(start $begin)"},
    {"wasi": "wasi_unstable"}, {"wasi": "wasi_unstable", "export": "", "more": "(start $begin)"}])
def test_what_a_starting_module_writes_is_logged(proxy, tmp_path, form):
    body = SAY % (1, 1) + SAY % (2, 2)
    running = proxy(plugin(code=module(tmp_path, body, **form), vm_id="v"))
    assert running.get("main", "/").status == 200
    running.stderr.wait(re.compile(r"\[info\]\[wasm\] .*wasm log v: hello\n\["))
    # Several pieces are one entry; of the line ends behind it one is left.
    running.stderr.wait(re.compile(r"\[error\]\[wasm\] .*wasm log v: hello you\n\n\["))


# Six bytes of which only the last one can be seen, and how a line has them: as Envoy's does.
ODD = r'"\0a\0d\00\1b\7f."'
LOGGED = {
    "plain": ([], "", "hello\n\r\0\x1b\x7f.\n"),
    "one line": (["--log-format", "%n %_"], "", "hello\\n\r\0\x1b\x7f.\n"),
    "escaped": (["--log-format-escaped"], "", "hello\\n\\r\\000\\033\\177.\n"),
    "json": ([], '{json_format: {m: "%j"}}', 'hello\\n\\r\\u0000\\u001b\\u007f."}\n'),
}


@pytest.mark.parametrize("arguments, log_format, logged", LOGGED.values(), ids=LOGGED)
def test_what_is_no_text_is_escaped_as_the_log_says(nuncio, tools, origin, tmp_path, monkeypatch,
                                                    arguments, log_format, logged):
    monkeypatch.setattr("test_wasm_start.MODULE", MODULE.replace(r'" you\0a\0a"', ODD))
    config = behind(plugin(code=module(tmp_path, SAY % (2, 2)), vm_id="v"))
    if log_format:
        config += f"application_log_config: {{log_format: {log_format}}}\n"
    running = nuncio(config, *arguments, origin=origin().port)
    running.stderr.wait("wasm log v: " + logged)


def test_an_empty_line_is_one(proxy, tmp_path):
    newline = "(i32.store (i32.const 0) (i32.const 52)) (i32.store (i32.const 4) (i32.const 1))"
    running = proxy(plugin(code=module(tmp_path, newline + SAY % (1, 1)), vm_id="v"))
    running.stderr.wait(re.compile(r"\[info\]\[wasm\] .*wasm log v: \n"))


def test_a_descriptor_that_is_not_there(proxy, tmp_path):
    body = "(if (i32.ne (i32.const 8) (call $fd_write (i32.const 3) (i32.const 0) (i32.const 1) " \
           "(i32.const 16))) (then unreachable))"
    assert proxy(plugin(code=module(tmp_path, body))).get("main", "/").status == 200


@pytest.mark.parametrize("wasi", ["wasi_snapshot_preview1", "wasi_unstable"])
@pytest.mark.parametrize("form", [{}, {"export": "", "more": "(start $begin)"}])
def test_a_module_that_exits_while_it_starts_is_refused(nuncio, tmp_path, form, wasi):
    code = module(tmp_path, "(call $proc_exit (i32.const 7))", wasi=wasi, **form)
    text = refusal(nuncio, code=code)
    assert "proc_exit(7)" in text and "a command" not in text


def test_a_command_that_exits_is_told_to_be_one(nuncio, tmp_path):
    """As Go's do whose main returns: of a reactor it would be the start alone."""
    code = module(tmp_path, "(call $proc_exit (i32.const 0))", export='(export "_start")')
    assert "proc_exit(0): a command, which ends with its main: build a reactor (crate-type cdylib, " \
        "-mexec-model=reactor, -buildmode=c-shared)" in refusal(nuncio, code=code)


def test_a_trap_in_the_start_names_its_functions(nuncio, tmp_path):
    code = module(tmp_path, "unreachable")
    assert "_initialize failed: RuntimeError: unreachable" in refusal(nuncio, code=code)
    code = module(tmp_path, "unreachable", export="", more="(start $begin)")
    assert "the start function failed: RuntimeError: unreachable" in refusal(nuncio, code=code)


# A loop without end, or one that takes several times 0.05 s.
SPIN = "(loop $l (br $l))"
WORK = """(local $n i32) (loop $l (local.set $n (i32.add (local.get $n) (i32.const 1)))
  (br_if $l (i32.ne (local.get $n) (i32.const 500000000))))"""
ON_START = '(func (export "proxy_on_%s") (param i32 i32) (result i32) %s (i32.const 1))'


def limits(**values):
    every = ", ".join(f"{name}: {value}" for name, value in values.items())
    return "bootstrap_extensions: [{name: limits, typed_config: {\"@type\": " \
           "type.googleapis.com/nuncio.wasm.v1.Limits, every_vm: {%s}}}]\n" % every


@pytest.mark.parametrize("name, form", [
    ("_initialize", {"body": SPIN}), ("_start", {"body": SPIN, "export": '(export "_start")'}),
    ("the start function", {"body": SPIN, "export": "", "more": "(start $begin)"}),
    ("proxy_on_vm_start", {"body": "", "more": ON_START % ("vm_start", SPIN)}),
    ("proxy_on_configure", {"body": "", "more": ON_START % ("configure", SPIN)}),
])
def test_a_module_that_starts_without_end_is_refused(nuncio, tmp_path, name, form):
    process = nuncio(limits(start_cpu_time="0.3s") + behind(plugin(code=module(tmp_path, **form))),
                     ready=None, expect_exit=1, origin=1)
    process.wait_exit()
    assert f"{name} took longer than 300 ms of CPU time (start_cpu_time of " \
        "nuncio.bootstrap.wasm_limits)" in process.stderr.text


def test_a_start_may_take_longer_than_a_callback(nuncio, origin, tmp_path):
    more = ON_START % ("vm_start", WORK) + ON_START % ("configure", WORK) + \
        f'(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {SPIN} (i32.const 0))'
    code = module(tmp_path, WORK, more=more)
    running = nuncio(limits(callback_cpu_time="0.05s") + behind(plugin(code=code)),
                     "--concurrency", "1", origin=origin().port)
    assert running.get("main", "/").status == 503
    running.stderr.wait("proxy_on_request_headers took longer than 50 ms of CPU time "
                        "(callback_cpu_time of nuncio.bootstrap.wasm_limits)")


def test_a_module_that_eats_memory_while_it_starts_is_refused(nuncio, tmp_path):
    body = "(loop $l (if (i32.eq (i32.const -1) (memory.grow (i32.const 256))) (then unreachable)) " \
           "(br $l))"
    assert "_initialize failed" in refusal(nuncio, code=module(tmp_path, body))


# --- Calls (6.2) -----------------------------------------------------------------------------------


def test_code_that_comes_later_may_need_a_cluster(proxy, tmp_path):
    """It is tried out on the main thread, which has no clusters of its own."""
    needs = r"vm_start\n  call origin\n  need\nconfigure\n  grpc origin\n  need\n"
    code, replacement = tmp_path / "code.wasm", tmp_path / "new"
    code.write_bytes((BUILD / "tests/guests/script.wasm").read_bytes())
    running = proxy(plugin(needs, code=code))
    replacement.write_bytes((BUILD / "tests/guests/starting.wasm").read_bytes())
    replacement.rename(code)
    at = running.stderr.wait("grpc origin: 0")
    at = running.stderr.wait("its code has changed", at)
    running.stderr.wait("grpc origin: 0", at)


# --- What a module imports -------------------------------------------------------------------------

IMPORTING = """(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  %(imports)s
  (func (export "proxy_abi_version_0_2_0"))
  (func (export "malloc") (param i32) (result i32) i32.const 8)
  (func (export "_initialize") (local $n i32) %(body)s))"""
OWN = '(memory (export "memory") 1)'
GROW = "(if (i32.ne (i32.const %d) (memory.grow (i32.const %d))) (then unreachable))"
GROW_TABLE = "(if (i32.ne (i32.const %d) (table.grow $t (ref.null %s) (i32.const %d))) (then unreachable))"


def importing(folder, imports, body="", *options):
    return wat(folder, IMPORTING % {"imports": imports, "body": body}, "--no-check", *options)


def small(code):
    return "bootstrap_extensions: [{name: limits, typed_config: {\"@type\": " \
        "type.googleapis.com/nuncio.wasm.v1.Limits, every_vm: {memory_bytes: 196608}}}]\n" \
        + behind(plugin(code=code))


@pytest.mark.parametrize("imports, body", [
    ('(import "env" "memory" (memory 1))', GROW % (1, 2) + GROW % (-1, 1)),
    ('(import "env" "memory" (memory 1 65536))', GROW % (1, 2) + GROW % (-1, 1)),
    ('(import "env" "memory" (memory 1 2))', GROW % (1, 1) + GROW % (-1, 1)),
    ('(import "__proto__" "__proto__" (memory 1))', ""),
    ('(import "constructor" "prototype" (memory 1)) (import "constructor" "" (table 1 funcref))', ""),
    ('(import "env" "t" (table 1 funcref)) (import "env" "t" (table 1 funcref))' + OWN, ""),
    ('(import "env" "t" (table $t 1 2 externref))' + OWN,
     GROW_TABLE % (1, "extern", 1) + GROW_TABLE % (-1, "extern", 1)),
    ('(import "env" "t" (table $t 0 funcref))' + OWN,
     GROW_TABLE % (-1, "func", 1000001)),
])
def test_memory_and_tables_are_made_within_the_limits(nuncio, origin, tmp_path, imports, body):
    running = nuncio(small(importing(tmp_path, imports, body)), "--concurrency", "1",
                     origin=origin().port)
    assert running.get("main", "/").status == 200


@pytest.mark.parametrize("imports, why", [
    ('(import "env" "memory" (memory 4))', "it needs 262144 bytes of memory from the start; the limit "
     "is 196608"),
    ('(import "env" "memory" (memory 65536))', "it needs 4294967296 bytes of memory from the start"),
    ('(import "env" "memory" (memory 2 1))', "maximum"),
    ('(import "env" "memory" (memory 1)) (memory 1)', "it has several memories"),
    ('(import "env" "memory" (memory 1)) (import "env" "more" (memory 1))', "it has several memories"),
    ('(import "env" "memory" (memory 1 2 shared))', "it has a shared or 64-bit memory"),
    ('(import "env" "memory" (memory i64 1))', "it has a shared or 64-bit memory"),
    ('(import "env" "t" (table 1000001 funcref))' + OWN, "it needs a table of 1000001 entries; the limit "
     "is 1000000"),
    ('(import "env" "t" (table 500001 funcref)) (table 1 funcref)' + OWN, "the limit is 500000"),
    ('(import "env" "t" (table 2 1 funcref))' + OWN, "maximum"),
    ('(import "env" "proxy_log" (memory 1))', "proxy_log"),
    ('(import "env" "t" (table 1 funcref)) (import "env" "t" (table 1 externref))' + OWN, "table"),
    ('(import "env" "g" (global i32))' + OWN, "missing import: env.g, a global (a host makes memory and "
     "tables for a guest, and nothing else"),
])
def test_memory_and_tables_that_cannot_be_are_refused(nuncio, tmp_path, imports, why):
    code = importing(tmp_path, imports, "", "--enable-threads", "--enable-memory64",
                     "--enable-multi-memory")
    process = nuncio(small(code), ready=None, expect_exit=1, origin=1)
    process.wait_exit()
    assert why in process.stderr.text
