# SPDX-License-Identifier: Apache-2.0
"""What the admin port shows of wasm VMs: /wasm, /memory, /stats and the home page. Envoy has none of it
but the numbers of VMs."""
import json
import re

import pytest

from configs import PROXY
from process import eventually
from test_wasm import BUILD, plugin, tools  # noqa: F401  pylint: disable=unused-import
from test_wasm_metrics import GUEST, ask, guest, proxy, stats  # noqa: F401  pylint: disable=unused-import

PAGE = 65536
FIGURES = ["memory_bytes", "memory_limit_bytes", "contexts", "calls", "failures", "age_s"]


def vms(running):
    return json.loads(running.admin("/wasm?format=json").text)["vms"]


def workers(running, count):
    """The VMs of the workers, when all of them have theirs and nothing runs."""
    def ready():
        rows = vms(running)
        return len(rows) == count and all(row["contexts"] == 1 for row in rows) and rows
    return eventually(ready)


def test_each_worker_has_a_row_for_each_vm(proxy):
    running = proxy(guest("x,"), guest("y,", vm_id="a vm"), workers=2)
    rows = workers(running, 4)
    assert [(row["vm_id"], row["worker"]) for row in rows] == [
        ("a vm", "worker_0"), ("a vm", "worker_1"), ("vm", "worker_0"), ("vm", "worker_1")]
    for row in rows:
        assert list(row) == ["vm_id", "key", "worker", "plugins", "state"] + FIGURES
        assert re.fullmatch("[0-9a-f]{8}", row["key"]) and row["plugins"] == ["one"]
        assert row["state"] == "live" and row["failures"] == 0 and row["age_s"] < 60
        assert row["memory_bytes"] >= PAGE and row["memory_bytes"] % PAGE == 0
        assert row["memory_limit_bytes"] == 2 ** 30
    assert rows[0]["key"] == rows[1]["key"] != rows[2]["key"] == rows[3]["key"]


def test_as_text(proxy):
    running = proxy(guest("x,"))
    row, = workers(running, 1)
    lines = [line.split("::") for line in running.admin("/wasm").text.splitlines()]
    assert {line[0] for line in lines} == {f"vm/{row['key']}"}
    assert {line[1] for line in lines} == {"worker_0"}
    assert [line[2] for line in lines] == ["plugins", "state"] + FIGURES
    assert lines[0][3] == "one" and lines[1][3] == "live" and int(lines[2][3]) >= PAGE


def test_plugins_that_share_a_vm_share_a_row(proxy):
    running = proxy(guest("x,"), guest("y,"))
    row = eventually(lambda: [row for row in vms(running) if row["contexts"] == 2])[0]
    assert row["plugins"] == ["one", "one"]
    assert "::plugins::one, one\n" in running.admin("/wasm").text


def another(code=GUEST, environment="", **options):
    return plugin("y,", code, **options).replace(
        "vm_id:", f"environment_variables: {{key_values: {{{environment}}}}}\n                  vm_id:")


@pytest.mark.parametrize("options,count", [
    ({}, 1), ({"extra": "fail_open: true"}, 1), ({"vm_id": "other"}, 2),
    ({"vm_configuration": "other"}, 2), ({"code": BUILD / "tests/guests/http.wasm"}, 2),
    ({"environment": "A: b"}, 2), ({"environment": "A: c"}, 2)])
def test_what_makes_a_vm_another_one(proxy, options, count):
    running = proxy(guest("x,"), another(**options))
    # A VM that serves both has a root for each.
    rows = eventually(lambda: [row for row in vms(running) if row["contexts"] == 3 - count])
    assert len(rows) == count and len({row["key"] for row in rows}) == count


def test_calls_are_counted(proxy):
    running = proxy()
    before = workers(running, 1)[0]["calls"]
    for _ in range(5):
        ask(running, "/define/0/x")
    after = workers(running, 1)[0]["calls"]
    assert after - before == 5  # of callbacks it exports on_request_headers alone


def test_memory_that_grows_is_seen(proxy):
    running = proxy()
    before = workers(running, 1)[0]["memory_bytes"]
    assert stats(running, "filter=memory_bytes&type=Gauges").splitlines() == [
        f"wasm.envoy.wasm.runtime.v8.memory_bytes: {before}", f"wasm.one.vm_memory_bytes: {before}"]
    assert ask(running, "/grow/100")[0] == 0
    after = before + 100 * PAGE
    assert workers(running, 1)[0]["memory_bytes"] == after
    assert stats(running, "filter=memory_bytes&type=Gauges").splitlines() == [
        f"wasm.envoy.wasm.runtime.v8.memory_bytes: {after}", f"wasm.one.vm_memory_bytes: {after}"]
    assert json.loads(running.admin("/memory").text)["wasm_guest_bytes"] == str(after)


def test_memory_is_given_back_when_a_vm_is_gone(proxy):
    running = proxy()
    before = workers(running, 1)[0]["memory_bytes"]
    assert ask(running, "/grow/100")[0] == 0
    assert running.get("main", "/trap").status == 503
    assert eventually(lambda: running.get("main", "/get/4").status == 200)
    row, = workers(running, 1)
    assert row["memory_bytes"] == before and row["failures"] == 1
    assert f"one.vm_memory_bytes: {before}\n" in stats(running, "filter=memory_bytes")


def test_a_failed_vm_is_shown_until_it_is_replaced(proxy):
    running = proxy()
    assert running.get("main", "/trap").status == 503
    rows = vms(running)
    assert not rows or (rows[0]["state"], rows[0]["failures"]) in (("failed", 1), ("live", 1))
    assert eventually(lambda: running.get("main", "/get/4").status == 200)
    assert [row["state"] for row in workers(running, 1)] == ["live"]


def test_without_wasm_there_is_nothing(nuncio, origin):
    running = nuncio(PROXY, origin=origin().port)
    assert running.admin("/wasm").text == "no VMs\n" and vms(running) == []
    assert "wasm_guest_bytes" not in running.admin("/memory").text
    assert "Wasm VMs" not in running.admin("/").text
    assert "  /wasm: wasm VMs by worker" in running.admin("/help").text


def test_the_home_page_lists_them(proxy):
    running = proxy(guest("x,", vm_id="a<b"))
    row, = workers(running, 1)
    text = running.admin("/").text
    assert "<h2>Wasm VMs</h2>" in text and f"<td>a&lt;b/{row['key']}</td><td>one</td>" in text
