# SPDX-License-Identifier: Apache-2.0
"""What a PluginConfig may say. The answers are those of Envoy 1.36.4 to the same guest, but where a
comment says otherwise."""
import base64
import os

import pytest

from test_wasm import (  # pylint: disable=unused-import
    BUILD, GUEST, STRING, WASM, behind, plugin, proxy, tools, wat)

RESTRICTED = BUILD / "tests/guests/restricted.wasm"


def allowing(*names):
    allowed = ", ".join(f"{name}: {{}}" for name in names)
    return f"capability_restriction_config: {{allowed_capabilities: {{{allowed}}}}}"


def restricted(*names, **options):
    extra = allowing(*names) if names else "capability_restriction_config: {}"
    return plugin(code=RESTRICTED, extra=extra, **options)


def with_code(code, vm=""):
    """A plug-in whose code comes from such a data source."""
    return f"""          - name: wasm
            typed_config:
              "@type": {WASM}
              config:
                name: one
                vm_config:
                  code: {code}
                  {vm}
"""


def refused(nuncio, *plugins):
    process = nuncio(behind(*plugins), ready=None, expect_exit=1, origin=1)
    process.wait_exit()
    return process.stderr.text


# --- Restrictions ---------------------------------------------------------------------------------


def test_an_empty_list_restricts_nothing(proxy):
    response = proxy(restricted()).get("main", "/")
    assert response.text == ("initialize=1 vm_start=1 log=0 time=0 continue=2 random=0 old_random=0 "
                             "clock=0 ")
    assert response.headers["response"] == "seen"


def test_what_is_not_in_the_list_answers_with_a_failure(proxy):
    running = proxy(restricted("proxy_on_request_headers", "proxy_send_local_response",
                               "proxy_on_vm_start"))
    response = running.get("main", "/")
    assert response.text == ("initialize=1 vm_start=1 log=10 time=10 continue=10 random=76 "
                             "old_random=76 clock=76 ")
    assert "response" not in response.headers
    for line in ("proxy-wasm capability: proxy_log", "WASI capability: random_get"):
        running.stderr.wait("Attempted call to restricted " + line)


def test_each_function_is_allowed_for_itself(proxy):
    running = proxy(restricted("proxy_on_request_headers", "proxy_send_local_response", "random_get",
                               "proxy_log", "proxy_on_response_headers"))
    response = running.get("main", "/")
    assert response.text == ("initialize=1 log=0 time=10 continue=10 random=0 old_random=0 "
                             "clock=76 ")
    assert "response" not in response.headers
    running.stderr.wait("capability: proxy_add_header_map_value")


def test_a_callback_that_is_not_in_the_list_is_not_called(proxy):
    running = proxy(restricted("proxy_log"))
    assert running.get("main", "/").status == 200
    assert running.upstream.received


def test_plugins_with_other_lists_have_other_vms(proxy):
    """In Envoy the second one would be as free as the first, since they share its VM."""
    running = proxy(restricted("proxy_log"),
                    restricted("proxy_on_request_headers", "proxy_send_local_response"))
    assert "log=10" in running.get("main", "/").text


# --- Where code comes from ------------------------------------------------------------------------


def test_code_stands_in_the_configuration(proxy):
    code = base64.b64encode(RESTRICTED.read_bytes()).decode()
    running = proxy(with_code(f"{{local: {{inline_bytes: {code}}}}}"))
    assert running.get("main", "/").text.startswith("initialize=1")


def test_code_as_text_is_no_module(nuncio):
    text = refused(nuncio, with_code('{local: {inline_string: "(module)"}}'))
    assert "vm_config.code: the module cannot be used: it is no WebAssembly module" in text


def test_code_from_the_environment_is_no_module(nuncio, monkeypatch):
    monkeypatch.setenv("NU_TEST_CODE", "(module)")
    text = refused(nuncio, with_code("{local: {environment_variable: NU_TEST_CODE}}"))
    assert "vm_config.code: the module cannot be used: it is no WebAssembly module" in text


@pytest.mark.parametrize("code,why", [
    ("{local: {environment_variable: NU_TEST_NOT_SET}}",
     "vm_config.code.local.environment_variable: "),
    ("{local: {filename: /no/such}}", "vm_config.code.local.filename: /no/such: No such file"),
    ("{local: {filename: ''}}", "vm_config.code.local.filename: "),
    ("{local: {}}", "vm_config.code.local: "),
    ("{local: {inline_string: ''}}", "vm_config.code"),
    ("{}", "vm_config.code: "),
    ("{local: {filename: /a, watched_directory: {}}}",
     "vm_config.code.local.watched_directory.path: "),
])
def test_a_source_without_code_is_an_error_of_its_field(nuncio, code, why):
    os.environ.pop("NU_TEST_NOT_SET", None)
    assert why in refused(nuncio, with_code(code))


def test_a_vm_needs_code(nuncio):
    text = refused(nuncio, with_code(f"{{local: {{filename: {GUEST}}}}}").replace(
        f"code: {{local: {{filename: {GUEST}}}}}", "vm_id: a"))
    assert "vm_config.code: a VM needs code" in text


# --- What else a VM is told -----------------------------------------------------------------------


@pytest.mark.parametrize("runtime", ["v8", "wasmtime", "wamr"])
def test_every_engine_is_ours(proxy, runtime):
    running = proxy(with_code(f"{{local: {{filename: {RESTRICTED}}}}}",
                              f"runtime: envoy.wasm.runtime.{runtime}"))
    assert running.get("main", "/").text.startswith("initialize=1")


@pytest.mark.parametrize("vm,why", [
    ("runtime: envoy.wasm.runtime.null",
     "vm_config.runtime: envoy.wasm.runtime.null: known to Envoy, not implemented by nuncio"),
    ("runtime: envoy.wasm.runtime.wavm", "there is no wasm runtime 'envoy.wasm.runtime.wavm'"),
    ("environment_variables: {host_env_keys: [A], key_values: {A: b}}",
     "environment_variables.host_env_keys: A stands in key_values as well"),
    ("environment_variables: {host_env_keys: [A, B, A]}",
     "environment_variables.host_env_keys: A stands there twice"),
])
def test_what_a_vm_cannot_be_told_is_an_error(nuncio, vm, why):
    assert why in refused(nuncio, with_code(f"{{local: {{filename: {GUEST}}}}}", vm))


def test_options_without_a_meaning_here_are_taken(proxy):
    running = proxy(with_code(f"{{local: {{filename: {RESTRICTED}}}}}",
                              "allow_precompiled: true\n                  "
                              "nack_on_code_cache_miss: true"))
    assert running.get("main", "/").status == 200


def test_the_environment_is_what_was_configured(proxy, tmp_path, monkeypatch):
    """Written out as "NU_TEST_HOST=c", NUL, "A=b", NUL; the host's that is not set is left out."""
    monkeypatch.setenv("NU_TEST_HOST", "c")
    monkeypatch.delenv("NU_TEST_NOT_SET", raising=False)
    module = wat(tmp_path, """(module
      (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_sizes_get"
        (func $sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) i32.const 8)
      (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
        (drop (call $sizes (i32.const 0) (i32.const 4)))
        (drop (call $get (i32.const 16) (i32.const 64)))
        (drop (call $log (i32.const 2) (i32.const 64) (i32.const 14)))
        (drop (call $log (i32.const 2) (i32.const 79) (i32.const 3)))
        (i32.and (i32.eq (i32.load (i32.const 0)) (i32.const 2))
                 (i32.eq (i32.load (i32.const 4)) (i32.const 19)))))""")
    running = proxy(with_code(
        f"{{local: {{filename: {module}}}}}",
        "environment_variables: {host_env_keys: [NU_TEST_HOST, NU_TEST_NOT_SET], "
        "key_values: {A: b}}"))
    for line in ("NU_TEST_HOST=c", "A=b"):
        running.stderr.wait(f"wasm log one: {line}\n")


# --- Limits ---------------------------------------------------------------------------------------


def limited(limits, *plugins):
    return f"""
bootstrap_extensions:
- name: nuncio.bootstrap.wasm_limits
  typed_config: {{"@type": type.googleapis.com/nuncio.wasm.v1.Limits, {limits}}}
""" + behind(*plugins)


@pytest.mark.parametrize("limits,ms", [
    ("every_vm: {callback_cpu_time: 0.3s}", 300),
    ("every_vm: {callback_cpu_time: 0.3s}, vms: {vm: {callback_cpu_time: 0.4s}}", 400),
    ("every_vm: {callback_cpu_time: 0.3s}, vms: {vm: {memory_bytes: 100000000}, x: "
     "{callback_cpu_time: 0.4s}}", 300),
])
def test_a_callback_has_so_much_time(nuncio, origin, limits, ms):
    running = nuncio(limited(limits, plugin()), "--concurrency", "1", origin=origin().port)
    assert running.get("main", "/spin").status == 503
    running.stderr.wait(f"took longer than {ms} ms of CPU time")


def test_a_guest_has_so_much_memory(nuncio):
    process = nuncio(limited("every_vm: {memory_bytes: 65536}", plugin()), ready=None,
                     expect_exit=1, origin=1)
    process.wait_exit()
    assert "bytes of memory from the start; the limit is 65536" in process.stderr.text


def test_a_guest_has_so_much_stack(nuncio, origin, tmp_path):
    """A call that goes 2000 deep fits the usual stack, and not the least one that there may be."""
    module = wat(tmp_path, """(module
      (memory (export "memory") 1)
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) i32.const 8)
      (func $deep (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
          (else (i32.add (i32.const 0) (call $deep (i32.sub (local.get 0) (i32.const 1)))))))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $deep (i32.const 2000)))
        i32.const 0))""")
    code = with_code(f"{{local: {{filename: {module}}}}}")
    upstream = origin()
    usual = nuncio(behind(code), "--concurrency", "1", origin=upstream.port)
    assert usual.get("main", "/").status == 200
    little = nuncio(limited("every_vm: {stack_bytes: 65536}", code), "--concurrency", "1",
                    origin=upstream.port)
    assert little.get("main", "/").status == 503
    little.stderr.wait("RangeError: Maximum call stack size exceeded")


@pytest.mark.parametrize("extension,why", [
    ("\"@type\": type.googleapis.com/nuncio.wasm.v1.Limits, every_vm: {memory_bytes: 1}",
     "every_vm.memory_bytes"),
    ("\"@type\": type.googleapis.com/nuncio.wasm.v1.Limits, every_vm: {callback_cpu_time: 0s}",
     "every_vm.callback_cpu_time"),
    (f"\"@type\": {WASM}", "is no bootstrap extension"),
    ("\"@type\": type.googleapis.com/envoy.extensions.network.socket_interface.v3."
     "DefaultSocketInterface", "known to Envoy, not implemented by nuncio"),
])
def test_an_extension_of_the_bootstrap_that_cannot_be_is_an_error(nuncio, extension, why):
    process = nuncio(f"bootstrap_extensions: [{{name: a, typed_config: {{{extension}}}}}]\n"
                     + behind(), ready=None, expect_exit=1, origin=1)
    process.wait_exit()
    assert why in process.stderr.text


def test_limits_are_given_once(nuncio):
    one = """- name: limits
  typed_config: {"@type": type.googleapis.com/nuncio.wasm.v1.Limits}
"""
    process = nuncio("bootstrap_extensions:\n" + 2 * one + behind(), ready=None, expect_exit=1,
                     origin=1)
    process.wait_exit()
    assert "bootstrap_extensions[1]: the limits of wasm are there already" in process.stderr.text


# --- Routes ---------------------------------------------------------------------------------------


def with_route(said, *plugins):
    """A route for /there that says this to the filter, before the one for all else."""
    return behind(*plugins).replace("              routes:\n", f"""              routes:
              - match: {{prefix: /there}}
                route: {{cluster: origin}}
                typed_per_filter_config: {{wasm: {said}}}
""")


def route_plugin(configuration, extra=""):
    return f"""{{"@type": {WASM}, config: {{name: other, root_id: root, {extra}
                  configuration: {{"@type": {STRING}, value: {configuration}}},
                  vm_config: {{vm_id: vm, code: {{local: {{filename: {GUEST}}}}},
                              configuration: {{"@type": {STRING}, value: vmconf}}}}}}}}"""


def test_a_route_may_have_a_plugin_of_its_own(nuncio, origin):
    """Envoy refuses to start: it has no such thing."""
    running = nuncio(with_route(route_plugin("its-own"), plugin()), "--concurrency", "1",
                     origin=origin().port)
    assert running.get("main", "/").status == 200
    running.stderr.wait("one root vm: request_headers /")
    assert running.get("main", "/there").status == 200
    running.stderr.wait("other root vm: request_headers /there")
    running.stderr.wait("other root vm: delete")
    assert "other root vm: request_headers /\n" not in running.stderr.text


def test_a_request_keeps_the_plugin_that_it_began_with(nuncio, origin):
    """The guest sends /elsewhere to /rewritten, and the route is looked up again."""
    text = with_route(route_plugin("its-own"), plugin()).replace("prefix: /there",
                                                                 "prefix: /rewritten")
    running = nuncio(text, "--concurrency", "1", origin=origin().port)
    assert running.get("main", "/elsewhere").status == 200
    running.stderr.wait("one root vm: delete")
    assert "one root vm: response_headers 200" in running.stderr.text
    assert "other root vm: request_headers" not in running.stderr.text


def test_a_routes_plugin_has_a_failure_policy_of_its_own(nuncio, origin):
    running = nuncio(with_route(route_plugin("x", "failure_policy: FAIL_OPEN,"),
                                plugin(vm_id="another")), "--concurrency", "1", origin=origin().port)
    assert running.get("main", "/trap").status == 503
    assert running.get("main", "/there").status == 200


def test_a_routes_plugin_is_checked_like_any_other(nuncio):
    process = nuncio(with_route(route_plugin("refuse"), plugin()), ready=None, expect_exit=1,
                     origin=1)
    process.wait_exit()
    assert ("typed_per_filter_config[\"wasm\"].config.vm_config.code: the plug-in does not start: "
            "proxy_on_configure returned false") in process.stderr.text


def test_a_route_may_turn_the_filter_off(nuncio, origin):
    off = ("{\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}")
    running = nuncio(with_route(off, plugin()), "--concurrency", "1", origin=origin().port)
    response = running.get("main", "/there")
    assert response.status == 200 and "x-guest" not in response.headers
    assert "x-guest" in running.get("main", "/").headers
