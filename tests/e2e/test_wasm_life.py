# SPDX-License-Identifier: Apache-2.0
"""How long VMs of wasm plug-ins and their root contexts live, with the guest tests/guests/life.c. The
order of callbacks is that of Envoy 1.36.4, but where a comment says otherwise."""
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading

import pytest

from configs import PROXY
from conftest import start_in
from process import eventually, has_sanitizer
from test_wasm import BUILD, behind, plugin, proxy, tools  # pylint: disable=unused-import

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUEST = BUILD / "tests/guests/life.wasm"
ONE = ("--concurrency", "1")
# Changes of code in a row: a step of 20 shows what is left behind.
CHANGES = int(os.environ.get("NUNCIO_WASM_CHANGES", "40"))


@pytest.fixture
def life(proxy):  # pylint: disable=redefined-outer-name
    """A proxy with plug-ins of these configurations."""
    def start(*configurations, arguments=ONE, **options):
        plugins = [plugin(each, code=GUEST, **options) for each in configurations or ("plain",)]
        return proxy(*plugins, arguments=arguments)
    return start


def told(running, after=""):
    """What guests said after this text, each line without its prefix."""
    text = running.stderr.text
    return [re.sub(r".*wasm log [^:]*: ", "", line) for line in text[text.index(after):].splitlines()
            if "wasm log " in line]


def end(running, number=signal.SIGTERM):
    """Ends it; what guests said after that."""
    running.signal(number)
    assert running.wait_exit() == 0
    return told(running, f"caught {signal.Signals(number).name}")


# --- With the threads -----------------------------------------------------------------------------


def test_a_root_is_there_before_there_are_requests(life):
    running = life("tick")
    running.stderr.wait("one root vm: ticks")
    assert told(running)[:4] == ["configure tick", "root of VERSION-0001"] * 2  # tried out; worker
    assert "request" not in running.stderr.text


def test_each_worker_has_a_root(life):
    running = life(arguments=("--concurrency", "3"))
    assert sorted(end(running)) == ["root delete, VERSION-0001"] * 3 + [
        "root done, VERSION-0001"] * 3
    assert told(running).count("configure plain") == 1 + 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_roots_end_after_the_streams(life, number):
    running = life()
    client = running.connect()
    client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n")
    running.stderr.wait("request /hold")
    if number == signal.SIGTERM:
        running.signal(number)
        client.close()
    lines = end(running, number) if number == signal.SIGINT else None
    running.wait_exit()
    lines = lines or told(running)[-4:]
    assert lines == ["stream done, VERSION-0001", "stream delete, VERSION-0001",
                     "root done, VERSION-0001", "root delete, VERSION-0001"]


def test_a_root_may_take_its_time_to_end(life):
    running = life("tick, later")
    running.stderr.wait("one root vm: ticks")
    assert end(running) == ["root done, VERSION-0001", "root is done",
                            "root delete, VERSION-0001"]
    assert "done without an end" not in running.stderr.text
    assert "cannot be done" not in running.stderr.text


def test_a_root_that_ends_may_call_others(life):
    running = life("calls")
    assert end(running) == ["root done, VERSION-0001", "answered", "root delete, VERSION-0001"]
    assert running.upstream.received[-1].startswith(b"GET /last HTTP/1.1\r\n")


def test_a_root_that_never_ends_is_ended_with_the_drain(life):
    running = life("tick, never", arguments=ONE + ("--sigterm-drain-ms", "200"))
    running.stderr.wait("one root vm: ticks")
    assert end(running) == ["root done, VERSION-0001", "root delete, VERSION-0001"]
    running.stderr.wait("the drain is over after 200 ms, before all that runs on threads has ended")


def test_a_guest_that_fails_while_it_ends_is_over(life):
    running = life("tick, ending-trap")
    running.stderr.wait("one root vm: ticks")
    assert end(running) == ["root done, VERSION-0001"]
    running.stderr.wait("Function: proxy_on_tick failed: RuntimeError: unreachable")
    running.stderr.wait("drained")


def test_a_second_signal_ends_the_waiting(life):
    running = life("tick, never", arguments=ONE + ("--sigterm-drain-ms", "3600000"))
    running.stderr.wait("one root vm: ticks")
    running.signal(signal.SIGTERM)
    running.stderr.wait("root done, VERSION-0001")
    assert end(running, signal.SIGINT)[-1] == "root delete, VERSION-0001"


def test_no_one_waits_for_a_root_at_an_abrupt_end(life):
    running = life("later")
    assert end(running, signal.SIGINT) == ["root done, VERSION-0001", "root delete, VERSION-0001"]


# --- What plug-ins share --------------------------------------------------------------------------


def test_plugins_that_are_the_same_share_a_root(life):
    running = life("plain", "plain")
    assert running.get("main", "/").headers.get_all("version") == ["VERSION-0001"] * 2
    assert end(running)[-2:] == ["root done, VERSION-0001", "root delete, VERSION-0001"]
    assert told(running).count("configure plain") == 2 + 1  # each is tried out
    assert told(running).count("root done, VERSION-0001") == 1


def test_plugins_of_one_vm_end_one_by_one(life):
    running = life("plain", "other")
    assert running.get("main", "/").status == 200
    assert end(running)[-4:] == ["root done, VERSION-0001", "root delete, VERSION-0001"] * 2


# --- Failure --------------------------------------------------------------------------------------


def policy(name, base_interval=None):
    backoff = f"\n                reload_config: {{backoff: {{base_interval: {base_interval}}}}}"
    return {"extra": f"failure_policy: {name}" + (backoff if base_interval else "")}


def reloads(running):
    stats = running.stats()
    return {name: stats[f"wasm.one.vm_reload{name}"] for name in
            ("", "_backoff", "_success", "_failure")}


def test_a_new_vm_may_come_when_the_old_one_was_made_long_ago(life):
    running = life(**policy("FAIL_RELOAD", "0.001s"))
    for count in range(1, 4):  # each is older than that by the time of its second request
        assert running.get("main", "/").status == 200
        assert running.get("main", "/trap").status == 503
        assert running.get("main", "/").headers["version"] == "VERSION-0001"
        assert reloads(running) == {"": 0, "_backoff": 0, "_success": count, "_failure": 0}


def test_no_new_vm_comes_before_its_time(life):
    running = life(**policy("FAIL_RELOAD", "3600s"))
    assert running.get("main", "/trap").status == 503
    for count in range(1, 4):
        assert running.get("main", "/").status == 503
        assert reloads(running) == {"": 0, "_backoff": count, "_success": 0, "_failure": 0}


# Envoy makes none under the other policies.
@pytest.mark.parametrize("name,meanwhile", [("FAIL_RELOAD", 503), ("FAIL_CLOSED", 503),
                                            ("FAIL_OPEN", 200)])
def test_a_new_vm_comes_after_a_second(life, name, meanwhile):
    running = life(**policy(name))
    assert running.get("main", "/trap").status == meanwhile
    answers = []
    assert eventually(lambda: answers.append(running.get("main", "/"))
                      or "version" in answers[-1].headers)
    assert {answer.status for answer in answers[:-1]} <= {meanwhile}
    assert reloads(running) == {"": 0, "_backoff": len(answers) - 1, "_success": 1, "_failure": 0}


@pytest.mark.parametrize("name,status", [("FAIL_RELOAD", 503), ("FAIL_CLOSED", 503),
                                         ("FAIL_OPEN", 200)])
def test_requests_in_the_guest_end_with_it_by_policy(life, name, status):
    running = life(**policy(name))
    clients = [running.connect() for _ in range(3)]
    for count, client in enumerate(clients):
        client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n")
        assert eventually(lambda count=count: told(running).count("request /hold") == count + 1)
    assert running.get("main", "/trap").status == status
    for client in clients:
        client.wait_message(is_response=True)
        assert client.received.startswith(b"HTTP/1.1 %d " % status)
        assert b"version" not in client.received
    assert "stream done" not in running.stderr.text  # nothing is asked of a guest that failed


# Envoy lets requests pass where a worker's VM did not start, whatever the policy.
def test_a_vm_that_does_not_start_is_not_tried_all_the_time(proxy):  # pylint: disable=redefined-outer-name
    running = proxy(plugin("once", code=BUILD / "tests/guests/hostile.wasm",
                           **policy("FAIL_RELOAD", "3600s")))
    for _ in range(3):
        assert running.get("main", "/").status == 503
    assert reloads(running) == {"": 0, "_backoff": 3, "_success": 0, "_failure": 0}


def test_a_vm_that_does_not_start_again_counts(proxy):  # pylint: disable=redefined-outer-name
    running = proxy(plugin("once", code=BUILD / "tests/guests/hostile.wasm",
                           **policy("FAIL_RELOAD", "0.001s")))
    requests = 0
    while requests < 20 or not reloads(running)["_failure"]:
        assert running.get("main", "/").status == 503
        requests += 1
    assert sum(reloads(running).values()) == requests
    assert reloads(running)["_success"] == 0


@pytest.mark.parametrize("word,why", [("tick-trap", "failed: RuntimeError: unreachable"),
                                      ("tick-spin", "took longer than 1000 ms of CPU time")])
def test_a_tick_that_fails_ends_the_vm(life, word, why):
    running = life("tick, " + word, **policy("FAIL_RELOAD", "3600s"))
    running.stderr.wait("Function: proxy_on_tick " + why)
    assert running.get("main", "/").status == 503
    running.stderr.wait("ticks")


# --- Changed code (Envoy reads code once) ------------------------------------------------------------


class Code:
    """A file with the guest, in which the text VERSION-0001 is another one."""

    def __init__(self, folder):
        self.path = folder / "guest.wasm"
        self.folder = folder
        self.write("VERSION-0001")

    def write(self, version):
        assert len(version) == len("VERSION-0001")
        self.put(GUEST.read_bytes().replace(b"VERSION-0001", version.encode()))

    def put(self, module):
        """In one go."""
        new = self.folder / "new"
        new.write_bytes(module)
        new.rename(self.path)


@pytest.fixture
def code(tmp_path):
    return Code(tmp_path)


def updates(running):
    stats = running.stats()
    return stats["wasm.one.code_update_success"], stats["wasm.one.code_update_rejected"]


def vms(running):
    return running.stats()["wasm.envoy.wasm.runtime.v8.active"]


def version_of(running):
    return running.get("main", "/").headers["version"]


def start(proxy, code, configuration="plain", arguments=ONE):
    return proxy(plugin(configuration, code=code.path), arguments=arguments)


def test_changed_code_is_taken(proxy, code):  # pylint: disable=redefined-outer-name
    running = start(proxy, code)
    assert version_of(running) == "VERSION-0001"
    code.write("VERSION-0002")
    running.stderr.wait("wasm plug-in one: its code has changed")
    assert eventually(lambda: version_of(running) == "VERSION-0002")
    running.stderr.wait("root delete, VERSION-0001")
    assert updates(running) == (1, 0)
    running.stderr.wait("stream delete, VERSION-0002")  # a moment behind its answer
    assert end(running) == ["root done, VERSION-0002", "root delete, VERSION-0002"]


def test_a_file_that_is_written_in_place_is_taken(proxy, code):  # pylint: disable=redefined-outer-name
    running = start(proxy, code)
    module = GUEST.read_bytes().replace(b"VERSION-0001", b"VERSION-0002")
    with open(code.path, "wb") as file:
        for at in range(0, len(module), 1000):
            file.write(module[at:at + 1000])
            file.flush()
    assert eventually(lambda: version_of(running) == "VERSION-0002")
    assert updates(running)[0] == 1


def test_code_behind_links_is_taken(proxy, code, tmp_path):  # pylint: disable=redefined-outer-name
    (tmp_path / "1").mkdir()
    code.path.rename(tmp_path / "1/guest.wasm")
    (tmp_path / "data").symlink_to("1")
    code.path.symlink_to("data/guest.wasm")
    running = start(proxy, code)
    (tmp_path / "2").mkdir()
    (tmp_path / "2/guest.wasm").write_bytes(
        GUEST.read_bytes().replace(b"VERSION-0001", b"VERSION-0002"))
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").rename(tmp_path / "data")
    assert eventually(lambda: version_of(running) == "VERSION-0002")


def test_a_watched_directory_stands_for_the_file(proxy, code, tmp_path):  # pylint: disable=redefined-outer-name
    """As where the file comes from elsewhere, and a directory is touched when that is done."""
    (tmp_path / "signs").mkdir()
    source = f"{code.path}, watched_directory: {{path: {tmp_path}/signs}}"
    running = proxy(plugin(code=source), arguments=ONE)
    with open(code.path, "r+b") as file:  # kept open: nobody is told that it was written
        file.write(GUEST.read_bytes().replace(b"VERSION-0001", b"VERSION-0002"))
        file.flush()
        assert version_of(running) == "VERSION-0001"
        (tmp_path / "signs/done").touch()
        assert eventually(lambda: version_of(running) == "VERSION-0002")


def test_old_requests_end_in_the_old_vm(proxy, code):  # pylint: disable=redefined-outer-name
    running = start(proxy, code, "tick")
    client = running.connect()
    client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n")
    running.stderr.wait("request /hold")
    code.write("VERSION-0002")
    assert eventually(lambda: version_of(running) == "VERSION-0002")
    assert "root done" not in running.stderr.text
    assert running.get("main", "/go").headers["version"] == "VERSION-0002"
    client.wait_message(is_response=True)
    assert b"\r\nversion: VERSION-0001\r\n" in client.received
    running.stderr.wait("root delete, VERSION-0001")
    assert [line for line in told(running) if line.endswith("e, VERSION-0001")][-4:] == [
        "stream done, VERSION-0001", "stream delete, VERSION-0001", "root done, VERSION-0001",
        "root delete, VERSION-0001"]


@pytest.mark.parametrize("module,why", [
    (b"", "it is no WebAssembly module"),
    (b"\0asm\1\0\0\0", "missing export: proxy_abi_version_0_2_1"),
    (None, "proxy_on_configure returned false"),
])
def test_bad_code_is_not_taken(proxy, code, module, why):  # pylint: disable=redefined-outer-name
    running = start(proxy, code)
    if module is None:
        code.write("REFUSED-0002")
    else:
        code.put(module)
    at = running.stderr.wait("wasm plug-in one: its changed code is not used, what it has goes on: ")
    running.stderr.wait(why, at)
    assert version_of(running) == "VERSION-0001"
    assert updates(running) == (0, 1)
    code.write("VERSION-0003")
    assert eventually(lambda: version_of(running) == "VERSION-0003")
    assert updates(running) == (1, 1)


def test_code_that_is_gone_or_only_touched_changes_nothing(proxy, code):  # pylint: disable=redefined-outer-name
    running = start(proxy, code)
    code.path.unlink()
    running.stderr.wait("what it has goes on: ")
    assert version_of(running) == "VERSION-0001"
    code.write("VERSION-0001")
    code.path.touch()
    code.write("VERSION-0002")
    assert eventually(lambda: version_of(running) == "VERSION-0002")
    assert updates(running) == (1, 1)


def test_code_that_starts_once_leaves_the_old_one(proxy, code):  # pylint: disable=redefined-outer-name
    running = start(proxy, code)
    code.write("ONCE-0000002")
    running.stderr.wait("wasm plug-in one: proxy_on_configure returned false")
    assert version_of(running) == "VERSION-0001"
    code.write("VERSION-0003")
    assert eventually(lambda: version_of(running) == "VERSION-0003")


def test_new_code_takes_the_place_of_a_vm_that_failed(proxy, code):  # pylint: disable=redefined-outer-name
    running = proxy(plugin(code=code.path, **policy("FAIL_RELOAD", "3600s")))
    assert running.get("main", "/trap").status == 503
    assert running.get("main", "/").status == 503
    code.write("VERSION-0002")
    assert eventually(lambda: running.get("main", "/").status == 200)
    assert version_of(running) == "VERSION-0002"


def test_plugins_with_one_file_change_together(proxy, code):  # pylint: disable=redefined-outer-name
    running = proxy(plugin("plain", code=code.path), plugin("other", code=code.path))
    code.write("VERSION-0002")
    assert eventually(lambda: set(running.get("main", "/").headers.get_all("version")) ==
                      {"VERSION-0002"})
    assert eventually(lambda: vms(running) == 1)


@pytest.mark.parametrize("singleton", ["true", "false"])
def test_code_of_a_service_changes(nuncio, origin, code, singleton):
    text = PROXY + f"""
bootstrap_extensions:
- name: envoy.bootstrap.wasm
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.wasm.v3.WasmService
    singleton: {singleton}
    config:
      name: one
      vm_config: {{vm_id: vm, code: {{local: {{filename: {code.path}}}}}}}
"""
    running = nuncio(text, *ONE, origin=origin().port)
    code.write("VERSION-0002")
    running.stderr.wait("root done, VERSION-0001")
    running.stderr.wait("root delete, VERSION-0001")
    assert end(running) == ["root done, VERSION-0002", "root delete, VERSION-0002"]


class Load:
    """Threads that send requests until they are told to stop; what they were answered."""

    def __init__(self, running, threads=4):
        self.running, self.answers, self.is_over = running, [], threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port("main"), timeout=30)
        while not self.is_over.is_set():
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                self.answers.append((answer.status, answer.headers["version"]))
            except OSError as problem:
                self.answers.append((problem, None))
        connection.close()

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        return self.answers


def test_no_request_is_lost_while_code_changes(proxy, code):  # pylint: disable=redefined-outer-name
    running = start(proxy, code, arguments=("--concurrency", "2"))
    load = Load(running)
    versions = [f"VERSION-{number:04}" for number in range(2, 12)]
    for count, version in enumerate(versions):
        code.write(version)
        assert eventually(lambda count=count: updates(running)[0] == count + 1)
        assert eventually(lambda version=version: load.answers and load.answers[-1][1] == version)
    answers = load.end()
    assert {status for status, _ in answers} == {200}
    assert {version for _, version in answers} == {"VERSION-0001", *versions}
    assert eventually(lambda: vms(running) == 2)


def resident(running):
    status = pathlib.Path(f"/proc/{running.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))


def test_a_hundred_failures_leave_nothing_behind(life):
    running = life(**policy("FAIL_RELOAD", "0.001s"))
    sizes = []
    for number in range(120):
        assert running.get("main", "/trap").status == 503
        assert eventually(lambda: running.get("main", "/").status == 200)
        if number % 20 == 19:
            sizes.append(resident(running))
    assert eventually(lambda: vms(running) == 1)
    if not has_sanitizer(running.binary):
        assert sizes[-1] - sizes[0] < 3 * 1024, sizes


def test_many_changes_leave_nothing_behind(proxy, code):  # pylint: disable=redefined-outer-name
    running = start(proxy, code)
    sizes = []
    for number in range(CHANGES):
        code.write(f"VERSION-{number + 2:04}")
        assert eventually(lambda number=number: updates(running)[0] == number + 1)
        if number % 20 == 19:
            running.stderr.wait(f"root delete, VERSION-{number + 1:04}")
            sizes.append(resident(running))
    assert eventually(lambda: vms(running) == 1)
    if not has_sanitizer(running.binary):  # which keeps what was freed
        assert sizes[-1] - sizes[0] < 3 * 1024, sizes


# --- Code that is compiled for ever -----------------------------------------------------------------


@pytest.fixture
def slow(nuncio_binary, tools, tmp_path):  # pylint: disable=redefined-outer-name,unused-argument
    """A nuncio with an engine that never gets ready with some code."""
    program = tmp_path / "program"
    program.mkdir()
    shutil.copy(nuncio_binary, program / "nuncio")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "src",
                    f'-DREAL="{BUILD / "nuncio-wasm-v8.so"}"', ROOT / "tests/e2e/engines/slow.c",
                    "-o", program / "nuncio-wasm-v8.so"], check=True)
    yield from start_in(tmp_path, str(program / "nuncio"))


@pytest.mark.parametrize("drain_ms, numbers", [
    (100, [signal.SIGTERM]), (600000, [signal.SIGTERM, signal.SIGTERM]), (600000, [signal.SIGINT]),
], ids=["drain", "second signal", "at once"])
def test_code_that_is_compiled_for_ever_does_not_hold_up_the_end(
        slow, origin, code, drain_ms, numbers):  # pylint: disable=redefined-outer-name
    running = slow(behind(plugin(code=code.path)), *ONE, "--sigterm-drain-ms", drain_ms,
                   origin=origin().port)
    code.write("NEVER-READY!")
    running.stderr.wait("compiling for ever")
    assert version_of(running) == "VERSION-0001"
    at = 0
    for number in numbers:  # two of a kind that come at once are one
        running.signal(number)
        at = running.stderr.wait(f"caught {number.name}", at)
    assert running.wait_exit() == 0
    assert "it is still being compiled: the process ends without it\n" in running.stderr.text
