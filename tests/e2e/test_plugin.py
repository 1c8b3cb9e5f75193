# SPDX-License-Identifier: Apache-2.0
"""Plug-ins: the sample of examples/plugin as its README builds it, one that uses the services of
the contract, and every way in which one cannot be loaded."""
import pathlib
import re
import runpy
import signal
import subprocess
import time

import pytest

from configs import HCM, PROXY

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "examples" / "plugin"
SERVICES = ROOT / "tests" / "e2e" / "plugins" / "services.c"
# What a sanitizer adds, and the copies of libraries' variables (name@VERSION) that the linker makes
# of position-independent code optimised at link time.
FOREIGN = re.compile("__(a|t|ub)san_|.*@")
PLUGIN = "type.googleapis.com/nuncio.filters.http.plugin.v1.Plugin"


def compile_plugin(source, output, *flags):
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", *flags,
                    "-I", str(ROOT / "include"), str(source), "-o", str(output)], check=True)
    return output


@pytest.fixture(scope="session")
def plugins(tmp_path_factory):
    """A folder with the plug-ins of these tests, compiled."""
    folder = tmp_path_factory.mktemp("plugins")
    compile_plugin(SAMPLE / "token_gate.c", folder / "token_gate.so")
    compile_plugin(SERVICES, folder / "services.so", "-pthread")
    return folder


def with_plugin(settings):
    """The plain proxy behind a plug-in."""
    return PROXY.replace("          http_filters:\n", f"""          http_filters:
          - name: plugin
            typed_config: {{"@type": {PLUGIN}, {settings}}}
""")


def until(condition):
    """Waits for what another process does."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline


# --- The program --------------------------------------------------------------------------------


def test_the_program_exports_the_contract_and_nothing_else(nuncio_binary):
    listed = subprocess.run(["nm", "-D", "--defined-only", nuncio_binary], check=True,
                            capture_output=True, text=True).stdout
    generator = ROOT / "src" / "server" / "gen_exports.py"
    headers = sorted((ROOT / "include/nuncio").glob("*.h"))
    names = runpy.run_path(str(generator))["exported"](headers)
    assert "nu_filter_reply" in names
    found = sorted(line.split()[-1] for line in listed.splitlines())
    assert [name for name in found if not FOREIGN.match(name)] == names


# --- The sample ---------------------------------------------------------------------------------


def test_the_readme_builds_the_sample(tmp_path):
    """Each command of the README's `build` block, in a copy of the tree's parts that it needs."""
    (tmp_path / "examples").mkdir()
    subprocess.run(["cp", "-r", str(ROOT / "include"), str(tmp_path)], check=True)
    subprocess.run(["cp", "-r", str(SAMPLE), str(tmp_path / "examples")], check=True)
    blocks = re.findall(r"```sh build\n(.*?)```", (SAMPLE / "README.md").read_text(), re.S)
    assert len(blocks) == 2
    for block in blocks:
        subprocess.run(["bash", "-ec", block], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "examples/plugin/token_gate.so").exists()
    assert (tmp_path / "examples/plugin/build/token_gate.so").exists()


def test_the_sample_configuration_gates_its_routes(nuncio, plugins):
    text = (SAMPLE / "token_gate.yaml").read_text().replace("18080", "@main@")
    proxy = nuncio(text, "--plugin-dir", plugins)
    denied = proxy.get("main", "/")
    assert (denied.status, denied.text) == (403, "forbidden\n")
    assert proxy.get("main", "/", {"x-token": "secret"}).text == "welcome\n"
    assert proxy.get("main", "/open").text == "open to all\n"
    assert proxy.get("main", "/admin", {"x-token": "secret"}).status == 403
    assert proxy.get("main", "/admin", {"x-token": "admin-secret"}).text == "hello, admin\n"


def test_the_readme_shows_the_place_of_a_mistake(nuncio_binary, plugins, tmp_path):
    wanted = re.search(r"token_gate\.yaml:(\d+:\d+): ", (SAMPLE / "README.md").read_text()).group(1)
    text = (SAMPLE / "token_gate.yaml").read_text().replace("token: secret", "token: [secret]", 1)
    (tmp_path / "token_gate.yaml").write_text(text)
    done = subprocess.run([nuncio_binary, "--mode", "validate", "-c", "token_gate.yaml", "--plugin-dir",
                           plugins], cwd=tmp_path, capture_output=True, text=True)
    assert f"token_gate.yaml:{wanted}: " in done.stdout + done.stderr


def test_the_sample_is_about_fifteen_lines(plugins):
    """The contract's own standard: the filter without comments and configuration."""
    text = (SAMPLE / "token_gate.c").read_text()
    callback = re.search(r"static enum nu_headers_status decode.*?\n}\n", text, re.S).group()
    cls = re.search(r"static const struct nu_filter_class.*?\n};\n", text, re.S).group()
    assert len((callback + cls).splitlines()) <= 18


def test_one_plugin_serves_several_filters_with_their_own_settings(nuncio, origin, plugins):
    text = with_plugin(f"path: {plugins}/token_gate.so, config: {{token: one}}")
    text = text.replace("          - name: envoy.filters.http.router", f"""\
          - name: second
            typed_config:
              "@type": {PLUGIN}
              path: token_gate.so
              name: token_gate
              config: {{header: x-second, token: two}}
          - name: envoy.filters.http.router""")
    proxy = nuncio(text, "--plugin-dir", plugins, origin=origin().port)
    assert proxy.get("main", "/", {"x-token": "one", "x-second": "two"}).status == 200
    assert proxy.get("main", "/", {"x-token": "one", "x-second": "one"}).status == 403
    assert proxy.get("main", "/", {"x-token": "two", "x-second": "two"}).status == 403


# --- What cannot be loaded ----------------------------------------------------------------------


def refusal(nuncio, settings, *arguments):
    proxy = nuncio(with_plugin(settings), *arguments, "--mode", "validate", origin=1, ready=None,
                   expect_exit=1)
    assert proxy.wait_exit() == 1
    return proxy.stderr.text


@pytest.mark.parametrize("settings, member, words", [
    ("path: /does/not/exist.so", "path", "cannot open '/does/not/exist.so': No such file"),
    ("path: /etc/hostname", "path", "'/etc/hostname' is no shared object for this machine"),
    ("path: ./token_gate.so", "path", "neither an absolute path nor the name of a file in "
                                      "--plugin-dir"),
    ("path: ''", "path", "value length must be at least 1 characters"),
    ("path: token_gate.so, name: other", "name", "has no filter 'other'; it has 'token_gate'"),
    ("path: token_gate.so", "config", "a token is required"),
    ("path: token_gate.so, config: {header: x}", "config.token", "a token is required"),
    ("path: token_gate.so, config: {token: 3}", "config.token", "expected a string"),
    ("path: services.so", "path", "has several filters; name one of 'services', 'bare'"),
    ("path: services.so, name: bare, config: {a: 1}", "config", "filter 'bare' takes no "
                                                                "configuration"),
    ("path: services.so, name: services, config: {fail: silently}", "config",
     "the plug-in refused it without a reason"),
])
def test_what_is_wrong_is_said_at_its_place(nuncio, plugins, settings, member, words):
    text = refusal(nuncio, settings, "--plugin-dir", plugins)
    assert re.search(r"nuncio\.yaml:\d+:\d+: \S*http_filters\[0\]\.typed_config\."
                     + re.escape(member) + ": .*" + re.escape(words), text), text


def test_a_filter_with_a_mistake_is_not_said_to_be_absent(nuncio):
    """The sample's routes have settings for its gate, which cannot be found here."""
    sample = (SAMPLE / "token_gate.yaml").read_text()
    proxy = nuncio(sample, "--mode", "validate", ready=None, expect_exit=1)
    assert proxy.wait_exit() == 1
    assert "there is no --plugin-dir" in proxy.stderr.text
    assert "no HTTP filter" not in proxy.stderr.text


def test_a_bare_name_needs_a_folder(nuncio):
    assert "there is no --plugin-dir to look in" in refusal(nuncio, "path: token_gate.so")


def make_bad(folder, name, text):
    source = folder / (name + ".c")
    source.write_text("#include <nuncio/plugin.h>\n" + text)
    return compile_plugin(source, folder / (name + ".so"), "-Wno-missing-field-initializers")


CLASS = """static const struct nu_filter_class cls = {.abi = NUNCIO_FILTER_ABI, .name = "x",
    .instance_size = SIZE};
"""
LOUD = """#include <stdlib.h>
__attribute__((constructor)) static void run(void) { exit(42); }
"""


@pytest.mark.parametrize("text, words", [
    # Its constructor must not run, and what it lacks must not be looked for.
    (LOUD + """#undef NUNCIO_FILTER_ABI
#define NUNCIO_FILTER_ABI 999u
extern int gone_since(void);
int use(void); int use(void) { return gone_since(); }
""" + CLASS.replace("SIZE", "sizeof(struct nu_filter)") + "NUNCIO_PLUGIN(&cls)",
     "was built for plug-in interface 999, and this nuncio has 2: build it again"),
    (LOUD, "is no nuncio plug-in: it has no ABI note"),
    ("""extern int gone_since(void);
int use(void); int use(void) { return gone_since(); }
""" + CLASS.replace("SIZE", "sizeof(struct nu_filter)") + "NUNCIO_PLUGIN(&cls)",
     "undefined symbol: gone_since"),
    (CLASS.replace("SIZE", "8") + "NUNCIO_PLUGIN(&cls)", "filter 0 of"),
    (CLASS.replace("SIZE", "sizeof(struct nu_filter), .zeroed_size = 8") + "NUNCIO_PLUGIN(&cls)",
     "of which zeroed_size is a part"),
    (CLASS.replace("SIZE", "64, .zeroed_size = 65") + "NUNCIO_PLUGIN(&cls)",
     "of which zeroed_size is a part"),
    ("NUNCIO_PLUGIN(NULL)", "names no filter"),
    ("""__attribute__((section(".note.nuncio"), used, aligned(4))) static const struct
nuncio_plugin_note note = {7, 4, NUNCIO_PLUGIN_NOTE_TYPE, "nuncio", NUNCIO_FILTER_ABI};
""", "has no symbol nuncio_plugin"),
])
def test_a_bad_library_is_refused_in_plain_words(nuncio, tmp_path, text, words):
    library = make_bad(tmp_path, "bad", text)
    assert words in refusal(nuncio, f"path: {library}")


def test_a_cut_library_is_refused(nuncio, plugins, tmp_path):
    whole = (plugins / "token_gate.so").read_bytes()
    for size in (0, 3, 40, 63, 64, 100, 400):
        cut = tmp_path / f"cut{size}.so"
        cut.write_bytes(whole[:size])
        assert "is no shared object for this machine" in refusal(nuncio, f"path: {cut}")


# --- The services of the contract ---------------------------------------------------------------


def services(nuncio, origin_port, plugins, config="{}", more="", replace=(), arguments=()):
    text = with_plugin(f"path: services.so, name: services, config: {config}") + more
    for old, new in replace:
        assert old in text
        text = text.replace(old, new)
    return nuncio(text, "--plugin-dir", plugins, *arguments, origin=origin_port)


def ask(proxy, what, path="/", body=None, headers=None):
    method = "POST" if body else "GET"
    return proxy.request(method, "main", path, body, {"x-do": what, **(headers or {})})


def test_a_request_that_was_sent_keeps_its_route(nuncio, origin, plugins):
    proxy = services(nuncio, origin().port, plugins,
                     replace=[('domains: ["*"]', 'domains: ["a.test"]')])
    got = proxy.request("POST", "main", "/", "body", {"host": "a.test", "x-do": "reroute-late"})
    assert (got.status, got.text) == (200, "ok")


def test_the_configuration_reaches_the_plugin_as_json_and_by_member(nuncio, origin, plugins):
    proxy = services(nuncio, origin().port, plugins,
                     "{text: 'a\"b', nested: {number: 2.5, yes: true}, list: [1, null]}")
    got = ask(proxy, "config")
    assert got.headers["x-json"] == (
        '{"text":"a\\"b","nested":{"number":"2.5","yes":true},"list":[1,null]}')
    assert got.headers["x-members"] == 'a"b 2.5 1'


@pytest.mark.parametrize("size", [1, 5, 300000])
def test_a_buffered_body_can_be_rewritten(nuncio, origin, plugins, size):
    upstream, body = origin(), "x" * size
    proxy = services(nuncio, upstream.port, plugins)
    assert ask(proxy, "append", body=body).status == 200
    received = upstream.received[0]
    assert received.endswith((body + "!").encode())
    assert f"content-length: {len(body) + 1}".encode() in received


def test_a_body_over_the_limit_is_413(nuncio, origin, plugins):
    proxy = services(nuncio, origin().port, plugins)
    got = ask(proxy, "limit", body="x" * 2000)
    assert (got.status, got.text) == (413, "Payload Too Large")
    assert proxy.stats()["http.main.downstream_rq_too_large"] == 1


def test_a_timer_delays_and_a_reply_answers(nuncio, origin, plugins):
    upstream = origin()
    proxy = services(nuncio, upstream.port, plugins)
    assert ask(proxy, "delay").status == 200
    got = ask(proxy, "delayed-reply")
    assert (got.status, got.text) == (418, "late")
    assert len(upstream.received) == 1


def test_a_reset_closes_the_connection(nuncio, origin, plugins):
    proxy = services(nuncio, origin().port, plugins)
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\nx-do: reset\r\n\r\n")
    client.wait_end()
    assert client.received == b""


def test_a_timer_after_the_client_left_is_never_called(nuncio, origin, plugins):
    proxy = services(nuncio, origin().port, plugins)
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\nx-do: forever\r\n\r\n")
    proxy.stderr.wait("waiting forever")
    client.close()
    proxy.stderr.wait("closed while waiting")


def test_a_hold_that_a_filter_forgot_does_not_stall_the_next_request(nuncio, origin, plugins):
    proxy = services(nuncio, origin().port, plugins)
    client = proxy.connect()
    for _ in range(3):
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\nx-do: hold\r\n\r\n")
        client.wait_message(is_response=True)
    assert client.received.count(b"HTTP/1.1 200 OK") == 3


def test_a_changed_path_takes_another_route(nuncio, origin, plugins):
    route = """              routes:
              - match: {path: /other}
                direct_response: {status: 202, body: {inline_string: other}}
                typed_per_filter_config:
                  plugin: {"@type": %s, path: services.so, name: services, config: {text: routed}}
""" % PLUGIN
    proxy = services(nuncio, origin().port, plugins, replace=[("              routes:\n", route)])
    got = ask(proxy, "reroute")
    assert (got.status, got.text, got.headers["x-route-text"]) == (202, "other", "routed")


def test_a_request_starts_over_with_its_body(nuncio, origin, plugins):
    upstream = origin()
    proxy = services(nuncio, upstream.port, plugins)
    assert ask(proxy, "again", body="body").status == 200
    assert upstream.received[0].startswith(b"POST /again HTTP/1.1")
    assert upstream.received[0].endswith(b"body")
    assert ask(proxy, "again-always").status == 508


def test_the_override_host_is_chosen(nuncio, origin, plugins):
    first, second = origin(), origin()
    address = f"{{socket_address: {{address: 127.0.0.1, port_value: {second.port}}}}}"
    more = f"        - endpoint: {{address: {address}}}\n"
    proxy = services(nuncio, first.port, plugins, more=more, arguments=("--concurrency", "1"))
    for _ in range(6):
        assert ask(proxy, "host", headers={"x-host": f"127.0.0.1:{second.port}"}).status == 200
    assert not first.received
    assert second.received[0].count(b"GET ") == 6


def test_metadata_and_state_reach_the_log(nuncio, origin, plugins):
    log = f"""          access_log:
          - name: log
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format:
                text_format_source:
                  inline_string: "%DYNAMIC_METADATA(services:s)% %DYNAMIC_METADATA(services:n)%
                    %FILTER_STATE(services.state:PLAIN)%\\n"
          route_config:
"""
    proxy = services(nuncio, origin().port, plugins,
                     replace=[("          route_config:\n", log)])
    assert ask(proxy, "values").status == 200
    proxy.stdout.wait("text 2.5 kept\n")


def test_each_worker_has_a_state_that_is_closed_at_the_end(nuncio, origin, plugins):
    proxy = services(nuncio, origin().port, plugins, arguments=("--concurrency", "1"))
    assert [ask(proxy, "count").headers["x-count"] for _ in range(3)] == ["1", "2", "3"]
    proxy.signal(signal.SIGTERM)
    proxy.wait_exit()
    assert "worker closed after 3" in proxy.stderr.text
    assert "config destroyed" in proxy.stderr.text


def test_added_trailers_are_sent(nuncio, origin, plugins):
    upstream = origin()
    hcm = f"          \"@type\": {HCM}\n"
    trailers = hcm + "          http_protocol_options: {enable_trailers: true}\n"
    proxy = services(nuncio, upstream.port, plugins, replace=[(hcm, trailers)])
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nx-do: response-trailers\r\n\r\n")
    client.wait_message(is_response=True)
    assert b"\r\n0\r\nx-made: by a filter\r\n\r\n" in client.received


# --- Calls to clusters --------------------------------------------------------------------------


CALLED = """  - name: called
    type: STATIC
    load_assignment:
      cluster_name: called
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}
  - name: empty
    type: STATIC
    load_assignment: {cluster_name: empty}
"""


def caller(nuncio, origin, plugins, script=None):
    called = origin(script)
    return services(nuncio, origin().port, plugins, more=CALLED % called.port), called


def test_a_call_brings_the_whole_answer(nuncio, origin, plugins):
    proxy, called = caller(nuncio, origin, plugins)
    got = ask(proxy, "call", headers={"x-timeout": "60000"})
    assert got.headers["x-call"] == "1 200 ok "
    head = called.received[0]
    assert head.startswith(b"POST /path HTTP/1.1\r\nhost: called\r\nx-from: plugin\r\n")
    for line in (b"content-length: 4", b"x-envoy-internal: true",
                 b"x-envoy-expected-rq-timeout-ms: 60000"):
        assert b"\r\n" + line + b"\r\n" in head
    assert head.endswith(b"\r\n\r\nbody")
    assert re.search(rb"\r\nx-forwarded-for: 192\.0\.2\.9(,[0-9.]+)?\r\n", head)
    assert head.count(b"x-forwarded-for") == 1
    stats = proxy.stats()
    assert stats["cluster.called.upstream_rq_200"] == 1
    assert stats["cluster.called.internal.upstream_rq_200"] == 1


@pytest.mark.parametrize("cluster, outcome", [
    ("unknown", "none"),
    ("empty", "0 503  no_healthy_upstream"),
])
def test_a_call_without_a_host_fails_later_or_at_once(nuncio, origin, plugins, cluster, outcome):
    proxy, _ = caller(nuncio, origin, plugins)
    got = ask(proxy, "call", headers={"x-cluster": cluster})
    assert got.headers["x-call"] == outcome


def never(peer):
    peer.wait("the end", lambda: len(peer.received) if peer.end != "open" else None)


def cut(peer):
    peer.wait_message(is_response=False)


def large(peer):
    peer.wait_message(is_response=False)
    peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n" + b"x" * 2000000)


@pytest.mark.parametrize("script, outcome", [
    (never, "0 504  response_timeout"),
    (cut, "0 503  upstream_reset"),
    (large, "0 500  response_too_large"),
])
def test_a_call_that_fails_says_why(nuncio, origin, plugins, script, outcome):
    def harmless(peer):
        try:
            script(peer)
        except (OSError, AssertionError):
            pass

    proxy, _ = caller(nuncio, origin, plugins, harmless)
    got = ask(proxy, "call", headers={"x-timeout": "300" if script is never else "20000"})
    assert got.headers["x-call"] == outcome


def test_a_call_may_be_cancelled_from_inside_its_own_end(nuncio, origin, plugins):
    proxy, _ = caller(nuncio, origin, plugins)
    for _ in range(3):
        got = ask(proxy, "cancel")
        assert (got.status, got.text) == (200, "from the call")


def test_a_call_goes_with_the_client(nuncio, origin, plugins):
    proxy, called = caller(nuncio, origin, plugins, never)
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\nx-do: call\r\nx-timeout: 0\r\n\r\n")
    until(lambda: proxy.stats()["cluster.called.upstream_rq_active"] == 1)
    client.close()
    proxy.stderr.wait("closed while waiting")
    until(lambda: proxy.stats()["cluster.called.upstream_rq_active"] == 0)
    assert called.peers
