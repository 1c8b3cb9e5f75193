# SPDX-License-Identifier: Apache-2.0
"""The command `nuncio health`."""
import socket
import subprocess

import pytest

from configs import PROXY


@pytest.fixture
def health(nuncio_binary):
    def ask(*arguments):
        done = subprocess.run([nuncio_binary, "health", *map(str, arguments)], timeout=30,
                              capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    return ask


def test_the_address_is_found_in_the_configuration(nuncio, origin, health, tmp_path):
    path = tmp_path / "admin.sock"
    config = PROXY.replace("socket_address: {address: 127.0.0.1, port_value: @admin@}",
                           "pipe: {path: @path@}")
    proxy = nuncio(config, origin=origin().port, path=path)
    assert health("-c", proxy.folder / "nuncio.yaml") == (
        0, f"nuncio health: /ready of {path}: 200 LIVE")


def test_a_port_of_the_systems_choice_is_found_in_a_file(nuncio, origin, health):
    proxy = nuncio(PROXY, origin=origin().port)
    code, text = health("-c", proxy.folder / "nuncio.yaml")
    assert code == 1 and "use --admin-address-path FILE" in text
    code, text = health("--admin-address-path", proxy.folder / "admin-address")
    assert (code, text) == (0, f"nuncio health: http://127.0.0.1:{proxy.admin_port}/ready: "
                               "200 LIVE")


def test_a_url_names_what_to_ask(nuncio, origin, health):
    proxy = nuncio(PROXY, origin=origin().port)
    assert health("--url", f"http://localhost:{proxy.admin_port}")[0] == 0
    code, text = health(f"--url=http://localhost:{proxy.admin_port}/nosuch")
    assert code == 1 and text.endswith("/nosuch: 404")


def test_a_draining_nuncio_is_not_ready(nuncio, origin, health):
    proxy = nuncio(PROXY, origin=origin().port)
    proxy.admin("/healthcheck/fail", "POST")
    code, text = health("--url", f"http://127.0.0.1:{proxy.admin_port}")
    assert code == 1 and text.endswith(": 503 DRAINING")


def test_nobody_there_is_not_ready(health):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        code, text = health("--url", f"http://127.0.0.1:{held.getsockname()[1]}")
    assert code == 1 and text.endswith("/ready: cannot connect: Connection refused")


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nLIVE\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nLIVE\n\r\n0\r\n\r\n",
], ids=["length", "chunked"])
def test_the_end_of_the_connection_is_not_waited_for(health, origin, answer):
    def script(peer):
        peer.wait_message(is_response=False)
        peer.send(answer)
        peer.wait_end()

    assert health("--timeout-ms", 20000, "--url", f"http://127.0.0.1:{origin(script).port}")[0] == 0


def test_silence_is_not_ready(health):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, text = health("--timeout-ms", 100, "--url",
                            f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert code == 1 and "no answer: Connection timed out" in text


@pytest.mark.parametrize("arguments, message", [
    ((), "whom to ask?"),
    (("--nosuch",), "unknown option '--nosuch'"),
    (("-c",), "-c needs a value"),
    (("--url", "ftp://x"), "'ftp://x' is no URL of the form http://host:port/path"),
    (("-c", "/nosuch.yaml"), "/nosuch.yaml"),
    (("--url", "http://x", "--timeout-ms", "soon"), "'soon' is not a number of milliseconds"),
])
def test_mistakes_are_explained(health, arguments, message):
    code, text = health(*arguments)
    assert code == 1 and message in text


def test_a_configuration_without_admin_is_explained(health, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("static_resources: {}\n")
    code, text = health("-c", path)
    assert code == 1 and "has no admin address to ask" in text
