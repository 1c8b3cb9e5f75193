# SPDX-License-Identifier: Apache-2.0
"""proxy-wasm plug-ins that no request passes: the access logger and the bootstrap service, with the
guest tests/guests/logger.c. What they are told is what Envoy 1.36.4 tells the same guest, but where a
comment says otherwise."""
import pytest

from configs import ADMIN, PROXY
from process import eventually
from test_wasm import BUILD, NO_NEW_VM, STRING, tools  # noqa: F401 (a fixture)

GUEST = BUILD / "tests/guests/logger.wasm"
EXTENSIONS = "type.googleapis.com/envoy.extensions."
TCP_PROXY = EXTENSIONS + "filters.network.tcp_proxy.v3.TcpProxy"


def config(words="", more=""):
    return f"""{{name: one, root_id: root, {more} configuration: {{"@type": {STRING}, value: "{words}"}},
      vm_config: {{vm_id: vm, runtime: envoy.wasm.runtime.v8, code: {{local: {{filename: {GUEST}}}}}}}}}"""


def logger(words="", extra="", more=""):
    return f"""[{{name: wasm, {extra} typed_config: {{
      "@type": {EXTENSIONS}access_loggers.wasm.v3.WasmAccessLog, config: {config(words, more)}}}}}]"""


def logged(words="", **options):
    return PROXY.replace("stat_prefix: main\n",
                         "stat_prefix: main\n          access_log: " + logger(words, **options) + "\n").replace(
        "routes:\n", "routes:\n              - {match: {path: /here}, name: here, "
                     "direct_response: {status: 201}}\n")


def service(words, singleton):
    return PROXY + f"""
bootstrap_extensions:
- name: envoy.bootstrap.wasm
  typed_config: {{"@type": {EXTENSIONS}wasm.v3.WasmService, config: {config(words)},
                 singleton: {str(singleton).lower()}}}
"""


def lines(running):
    """What the guest has said."""
    return [line.split("wasm log one root vm: ")[1] for line in running.stderr.text.splitlines()
            if "wasm log" in line]


@pytest.fixture
def proxy(nuncio, origin):
    def start(text, *arguments):
        return nuncio(text, *(arguments or ("--concurrency", "1")), origin=origin().port)
    return start


# --- The access logger -----------------------------------------------------------------------------


def test_a_stream_is_told_to_the_root_for_the_log(proxy):
    running = proxy(logged())
    assert running.get("main", "/here").status == 201
    running.stderr.wait("reply 0")
    assert lines(running) == [
        "create root 1", "configure ", "create root 1", "configure ",  # tried out, then on the worker
        "log 1", "path /here", "status 201", "trailer ", "missing 1", "request trailers 1", "add 2",
        "size 0", "body 0", "request.method GET", "request.path /here",
        "response.code_details direct_response", "xds.route_name here", "plugin_name one",
        "wasm state -", "set 1", "continue 0", "reply 0"]


def test_each_stream_is_told(proxy):
    running = proxy(logged(), "--concurrency", "4")
    for _ in range(20):
        assert running.get("main", "/").status == 200
    assert eventually(lambda: lines(running).count("path /") == 20)
    assert lines(running).count("response.code_details via_upstream") == 20


def test_a_request_that_is_none_is_told(proxy):
    running = proxy(logged())
    client = running.connect()
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n")
    client.wait_end()
    running.stderr.wait("reply 0")
    assert "status 400" in lines(running)


def test_a_loggers_filter_decides_what_is_told(proxy):
    running = proxy(logged(extra="filter: {status_code_filter: {comparison: {op: EQ, value: "
                                 "{default_value: 201, runtime_key: x}}}},"))
    running.get("main", "/")
    running.get("main", "/here")
    running.stderr.wait("reply 0")
    assert "path /here" in lines(running) and "path /" not in lines(running)


def test_a_trap_in_the_log_harms_no_request(proxy):
    running = proxy(logged("trap", more=NO_NEW_VM.replace("\n", ",") + ","))
    for _ in range(3):
        assert running.get("main", "/").status == 200
    running.stderr.wait("Function: proxy_on_log failed")
    assert not running.finish()
    assert lines(running).count("path /") == 1


def test_after_a_trap_in_the_log_there_is_a_new_vm(proxy):
    running = proxy(logged("trap"))
    # A second later there is a new VM, whatever the policy.
    assert eventually(lambda: running.get("main", "/").status == 200 and
                      lines(running).count("path /") > 1)


def test_the_root_ends_with_its_thread(proxy):
    running = proxy(logged("wait"))
    assert running.get("main", "/").status == 200
    assert not running.finish()
    assert lines(running)[-2:] == ["done 1", "delete 1"]  # Envoy waits for proxy_done in vain


def test_a_connection_is_told(nuncio, origin):
    running = nuncio(PROXY.split("    - filters:")[0] + f"""    - filters:
      - name: tcp
        typed_config: {{"@type": {TCP_PROXY}, stat_prefix: tcp, cluster: origin, access_log: {logger()}}}
  clusters:
""" + PROXY.split("  clusters:\n")[1], "--concurrency", "1", origin=origin().port)
    assert running.get("main", "/").status == 200
    running.stderr.wait("reply 0")
    told = lines(running)
    assert "missing 1" in told and "request.path -" in told and "path " in told


def test_requests_to_admin_are_told(nuncio, origin):
    running = nuncio(PROXY.replace(ADMIN, ADMIN.rstrip() + "\n  access_log: " + logger() + "\n"),
                     origin=origin().port)
    running.admin("/ready")
    running.stderr.wait("path /ready")


def test_a_logger_that_does_not_start_is_refused(nuncio):
    running = nuncio(logged("refuse"), ready=None, expect_exit=1, origin=1)
    running.wait_exit()
    assert "access_log[0].typed_config.config.vm_config.code: the plug-in does not start: " \
        "proxy_on_configure returned false" in running.stderr.text


# --- The service -----------------------------------------------------------------------------------


def test_a_singleton_runs_once_and_calls(proxy):
    running = proxy(service("tick call", True), "--concurrency", "3")
    running.stderr.wait("answer of 2")
    told = lines(running)
    assert told.count("configure tick call") == 2  # tried out, then on the main thread
    assert told.count("tick 1") == 1 and told.count("call 0") == 1
    assert running.get("main", "/").status == 200
    assert not running.finish()
    assert lines(running)[-2:] == ["done 1", "delete 1"]


def test_another_runs_on_each_worker(proxy):
    """In Envoy on the main thread as well."""
    running = proxy(service("tick call", False), "--concurrency", "3")
    assert eventually(lambda: lines(running).count("answer of 2") == 3)
    assert lines(running).count("configure tick call") == 4


def test_a_service_that_failed_is_made_anew(proxy):
    running = proxy(service("tick fall", True))
    assert eventually(lambda: lines(running).count("tick 1") == 2)
    assert running.get("main", "/").status == 200


def test_a_service_that_does_not_start_is_refused(nuncio):
    running = nuncio(service("refuse", True), ready=None, expect_exit=1, origin=1)
    running.wait_exit()
    assert "bootstrap_extensions[0].typed_config.config.vm_config.code: the plug-in does not start" \
        in running.stderr.text


def test_a_service_is_tried_by_validation(nuncio):
    running = nuncio(service("tick", True), "--mode", "validate", ready=None, origin=1)
    running.wait_exit()
    assert "OK" in running.stdout.text + running.stderr.text
    assert lines(running) == ["create root 1", "configure tick"]


def test_limits_go_for_services_whatever_their_order(nuncio):
    text = service("tick", True) + """- name: limits
  typed_config: {"@type": type.googleapis.com/nuncio.wasm.v1.Limits, every_vm: {memory_bytes: 65536}}
"""
    running = nuncio(text, ready=None, expect_exit=1, origin=1)
    running.wait_exit()
    assert "bootstrap_extensions[0].typed_config.config.vm_config.code" in running.stderr.text
    assert "bytes of memory from the start; the limit is 65536" in running.stderr.text


def test_other_extensions_are_refused_by_name(nuncio):
    text = PROXY + "bootstrap_extensions: [{name: a, typed_config: {\"@type\": " + EXTENSIONS + \
        "bootstrap.internal_listener.v3.InternalListener}}]\n"
    running = nuncio(text, ready=None, expect_exit=1, origin=1)
    running.wait_exit()
    assert "(envoy.bootstrap.internal_listener): known to Envoy, not implemented by nuncio" in \
        running.stderr.text
