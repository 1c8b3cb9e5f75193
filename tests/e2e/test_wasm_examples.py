# SPDX-License-Identifier: Apache-2.0
"""examples/wasm as its README builds it. The article's job, in C, in Rust and in AssemblyScript, behind
its own configuration and behind the article's; a network filter and an access logger."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from peers import connect
from process import eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/wasm"
BUILD = pathlib.Path(os.environ.get("NU_BUILD", "build")).resolve()

# The article's configuration, but for its ports, the upstream's address and the path of the module, and
# what these are in the article.
ARTICLE = """static_resources:
  listeners:
  - name: main
    address:
      socket_address:
        address: 0.0.0.0
        port_value: @main@
    filter_chains:
      - filters:
          - name: envoy.filters.network.http_connection_manager
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
              stat_prefix: ingress_http
              route_config:
                name: local_route
                virtual_hosts:
                  - name: local_service
                    domains:
                      - "*"
                    routes:
                      - match:
                          prefix: "/"
                        route:
                          cluster: web_service
              http_filters:
                - name: envoy.filters.http.wasm
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                    config:
                      name: prime_auth
                      root_id: prime_auth
                      vm_config:
                        vm_id: vm.sentinel.prime_auth
                        runtime: envoy.wasm.runtime.v8
                        code:
                          local:
                            filename: @module@
                        allow_precompiled: true
                - name: envoy.filters.http.router
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
    - name: web_service
      connect_timeout: 0.25s
      type: STRICT_DNS
      lb_policy: round_robin
      load_assignment:
        cluster_name: web_service
        endpoints:
        - lb_endpoints:
          - endpoint:
              address:
                socket_address:
                  address: @address@
                  port_value: @origin@

admin:
  access_log_path: "/dev/null"
  address:
    socket_address:
      address: 0.0.0.0
      port_value: @admin@
"""


UNTOUCHED = {"main": 80, "origin": 5678, "address": "web_service", "admin": 8001,
             "module": "/etc/myenvoyfilter.wasm"}


TLS_HELLO = b"\x16\x03\x01 and what follows"


def lacks(language):
    if not (BUILD / "nuncio-wasm-v8.so").exists():
        return "libnode-dev"
    if language == "c":
        tools = shutil.which("clang") and shutil.which("wasm-ld")
        return None if tools else "clang and lld"
    if language == "assemblyscript":
        return None if shutil.which("npm") else "npm"
    if not shutil.which("cargo"):
        return "cargo"
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True,
                             check=False).stdout.strip()
    target = pathlib.Path(sysroot) / "lib/rustlib/wasm32-wasip1"
    return None if target.exists() else "Rust's target wasm32-wasip1"


# How it looks where a package manager has no way to its packages.
NO_WAY = {"rust": ("registry", "a way to the registry of crates"),
          "assemblyscript": ("npm err", "a way to the packages of npm")}


def make(language, folder):
    """Makes the module by the commands of the README."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "target"))
    (block,) = re.findall(rf"```sh {language}\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.S)
    commands = re.sub("rustup target add.*\n", "", block)
    done = subprocess.run(["sh", "-ec", commands], cwd=folder, capture_output=True, text=True,
                          check=False, env={**os.environ, "npm_config_fetch_retries": "0"})
    sign, need = NO_WAY.get(language, (None, None))
    if done.returncode and sign and sign in done.stderr.lower():
        pytest.skip(f"needs {need}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session", name="made")
def make_once(tmp_path_factory):
    """Gives the module of a language, made at its first use."""
    modules = {}

    def give(language):
        missing = lacks(language)
        if missing:
            pytest.skip(f"needs {missing}")
        if language not in modules:
            folder = tmp_path_factory.mktemp("wasm") / "wasm"
            make(language, folder)
            modules[language] = folder / "prime_authorizer.wasm"
        return modules[language]
    return give


@pytest.fixture(params=["c", "rust"])
def module(request, made):
    return made(request.param)


@pytest.fixture(params=["c", "rust", "assemblyscript"])
def any_module(request, made):
    """AssemblyScript's finds its plug-in by the root_id of our configuration."""
    return made(request.param)


def curl(token, port):
    header = ["-H", f'token:{token}'] if token is not None else []
    done = subprocess.run(["curl", "-s", "-i", *header, f"0.0.0.0:{port}"], capture_output=True,
                          text=True, check=True)
    head, _, body = done.stdout.partition("\n\n")
    return head + "\n", body


def check_gate(port, passed):
    for token in ("323232", "", "x", "-7", "18446744073709551616", None):
        head, body = curl(token, port)
        assert head.startswith("HTTP/1.1 403 ") and "\npowered-by: proxy-wasm\n" in head
        assert body == "Access forbidden.\n"
    for token in ("32323", "2", "4294967291"):
        head, body = curl(token, port)
        assert head.startswith("HTTP/1.1 200 ") and body == passed


def test_the_articles_two_lines(nuncio, origin, module):
    running = nuncio(ARTICLE, module=module, origin=origin().port, address="127.0.0.1")
    check_gate(running.port("main"), "ok")


def untouched(folder):
    """The article's file; that of the article itself where it is at hand, which is the same."""
    copy = folder / "envoy.yaml"
    copy.write_text(re.sub(r"@(\w+)@", lambda name: str(UNTOUCHED[name[1]]), ARTICLE))
    configs = os.environ.get("NUNCIO_CONFIGS", ROOT.parent / "shared/configs")
    original = pathlib.Path(configs) / "article/envoy.yaml"
    if not original.exists():
        return copy
    assert yaml.safe_load(original.read_text()) == yaml.safe_load(copy.read_text())
    return original


def test_the_articles_file_passes_as_it_is(nuncio_binary, module, tmp_path):
    """With the module at the article's path: /etc is a folder of the test's own for that process."""
    own_etc = ["unshare", "-r", "-m", "sh", "-c", 'mount --bind "$1" /etc && shift && exec "$@"', "sh",
               tmp_path]
    if subprocess.run([*own_etc, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs leave to make a mount namespace")
    shutil.copyfile(module, tmp_path / "myenvoyfilter.wasm")
    file = untouched(tmp_path)
    done = subprocess.run([*own_etc, nuncio_binary, "--mode", "validate", "-c", file],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"configuration '{file}' OK\n"), done.stderr
    (tmp_path / "myenvoyfilter.wasm").unlink()
    done = subprocess.run([*own_etc, nuncio_binary, "--mode", "validate", "-c", file],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "/etc/myenvoyfilter.wasm" in done.stderr


def test_the_example_with_its_configuration(nuncio, any_module):
    text = (EXAMPLE / "prime_authorizer.yaml").read_text().replace("18090", "@main@").replace(
        "18091", "@welcome@").replace("filename: prime_authorizer.wasm", f"filename: {any_module}")
    check_gate(nuncio(text).port("main"), "Welcome\n")


@pytest.fixture(name="plugins")
def start_plugins(nuncio, origin, made):
    """plugins.yaml with all its ports replaced; its upstream is `running.origin`."""
    folder = made("c").parent
    text = re.sub(r"port_value: (9901|18092|18093)", r"port_value: @port_\1@",
                  (EXAMPLE / "plugins.yaml").read_text())
    text = re.sub(r"filename: (\w+\.wasm)", rf"filename: {folder}/\1", text)
    upstream = origin(lambda peer: peer.wait_end())
    running = nuncio(text.replace("port_value: 8443", "port_value: @origin@"), origin=upstream.port)
    running.origin = upstream
    return running


def test_the_access_logger_tells_of_failures(plugins):
    assert plugins.get("port_18092", "/").status == 200
    assert plugins.get("port_18092", "/broken").status == 500
    plugins.stderr.wait("wasm log failures: failed: /broken\n")
    assert "failed: /\n" not in plugins.stderr.text
    assert "wasmcustom.failures: 1\n" in plugins.get("port_9901", "/stats").text
    assert "::plugins::failures\n" in plugins.get("port_9901", "/wasm").text


def test_the_network_filter_lets_tls_pass(plugins):
    client = connect(plugins.port("port_18093"))
    client.send(TLS_HELLO[:1])
    client.send(TLS_HELLO[1:])
    assert eventually(lambda: plugins.origin.received == [TLS_HELLO])
    client.send(b"more")
    assert eventually(lambda: plugins.origin.received == [TLS_HELLO + b"more"])
    for other in (b"GET / HTTP/1.1\r\n\r\n", b"\x16"):
        client = connect(plugins.port("port_18093"))
        client.send(other)
        client.shut()
        client.wait_end()
        assert client.received == b""
    told = "wasm log tls_only: a client does not speak TLS\n"
    plugins.stderr.wait(told, plugins.stderr.wait(told))
    assert plugins.stderr.text.count(told) == 2
    assert b"".join(plugins.origin.received) == TLS_HELLO + b"more"
