# SPDX-License-Identifier: Apache-2.0
"""Metrics of proxy-wasm guests and the statistics of wasm itself: tests/guests/metrics.c does what the
path of a request says. The answers and names are those of Envoy 1.36.4 to the same guest, but where a
comment says otherwise."""
import json

import pytest

from process import eventually
from test_wasm import BUILD, behind, plugin, tools  # noqa: F401

GUEST = BUILD / "tests/guests/metrics.wasm"
FLUSH = "stats_flush_interval: 0.05s\n"


@pytest.fixture
def proxy(nuncio, origin):
    def start(*plugins, workers=1, extra=""):
        plugins = plugins or (guest(),)
        process = nuncio(extra + behind(*plugins), "--concurrency", str(workers),
                         origin=origin().port)
        return process
    return start


def guest(names="", **options):
    return plugin(configuration=names, code=GUEST, **options)


def ask(running, path, header=None):
    """What the guest got: a status, and a number."""
    response = running.get("main", path, header or {})
    assert response.status == 200, path
    status, number = response.text.split()
    return int(status), int(number)


def stats(running, query):
    return running.admin("/stats?" + query).text


def custom(running, query=""):
    return stats(running, "filter=^wasmcustom" + query)


# --- Host functions --------------------------------------------------------------------------------


def test_ids_hold_the_type_and_a_redefinition_gets_a_new_one(proxy):
    running = proxy()
    assert [ask(running, f"/define/{what}") for what in
            ("0/a", "1/a", "2/a", "0/a", "0/b", "1/b", "3/x")] == [
        (0, 4), (0, 5), (0, 6), (0, 8), (0, 12), (0, 9), (2, 0)]
    ask(running, "/increment/4/3")
    assert ask(running, "/get/8") == (0, 3) and ask(running, "/get/12") == (0, 0)


STATUSES = [
    ("/get/4", (0, 0)), ("/get/5", (0, 0)), ("/get/6", (2, 0)), ("/get/7", (2, 0)),
    ("/get/0", (1, 0)), ("/get/8", (1, 0)), ("/get/4294967292", (1, 0)),
    ("/increment/4/3", (0, 0)), ("/increment/4/0", (2, 0)), ("/increment/4/-1", (2, 0)),
    ("/increment/8/0", (1, 0)), ("/increment/5/-2", (0, 0)), ("/increment/9/1", (1, 0)),
    ("/increment/6/1", (2, 0)), ("/increment/402/1", (2, 0)), ("/increment/7/1", (2, 0)),
    ("/get/4", (0, 3)), ("/get/5", (0, 2 ** 64 - 2)),
    ("/record/4/9", (0, 0)), ("/record/5/9", (0, 0)), ("/record/6/9", (0, 0)),
    ("/record/8/9", (1, 0)), ("/record/7/9", (1, 0)), ("/record/10/9", (1, 0)),
    ("/badget/4", (6, 0)), ("/badget/8", (1, 0)), ("/bad/0", (6, 6)), ("/bad/5", (2, 6)),
    ("/get/4", (0, 12)), ("/get/5", (0, 9))]


def test_statuses(proxy):
    running = proxy()
    for kind in range(3):
        assert ask(running, f"/define/{kind}/x") == (0, 4 + kind)
    for path, answer in STATUSES:
        assert (path, ask(running, path)) == (path, answer)


def test_values(proxy):
    running = proxy()
    for kind in range(2):
        ask(running, f"/define/{kind}/x{kind}")
    for path in ("increment/4/3", "record/4/10", "increment/5/1", "increment/5/-5"):
        assert ask(running, "/" + path)[0] == 0
    assert ask(running, "/get/4") == (0, 13)
    assert ask(running, "/get/5") == (0, 2 ** 64 - 4)
    ask(running, "/record/5/7")
    ask(running, "/increment/5/-2")
    assert ask(running, "/get/5") == (0, 5)
    assert custom(running) == "wasmcustom.x0: 13\nwasmcustom.x1: 5\n"


# --- Where they are seen ---------------------------------------------------------------------------


NAMES = ("0/one", "0/", "0/dot.", "0/.lead", "0/a..b", "0/9nine", "0/a_who=me", "0/a_who=you_rq_200",
         "0/cluster.a.upstream_rq_2xx", "0/wasmcustom.twice", "0/a_reporter=x;.;b=y;..",
         "0/sp%20ace", "1/gauge", "1/unused", "2/histogram")
TAGS = r"""stats_config: {stats_tags: [{tag_name: who, regex: "(_who=([a-z]+))"}]}
"""


def test_names_in_text_and_json_and_prometheus(proxy):
    running = proxy(extra=FLUSH + TAGS)
    for name in NAMES:
        assert ask(running, "/define/" + name)[0] == 0
    for path in ("increment/4/3", "increment/28/2", "record/5/7", "record/6/0", "record/6/700"):
        assert ask(running, "/" + path)[0] == 0
    assert eventually(lambda: "\nhistogram_count{} 2\n" in custom(running, "&format=prometheus"))
    text = custom(running)
    assert text.splitlines()[:-1] == [
        "wasmcustom: 0", "wasmcustom..lead: 0", "wasmcustom.9nine: 0", "wasmcustom.a..b: 0",
        "wasmcustom.a_reporter=x;.;b=y;: 0", "wasmcustom.a_who=me: 2",
        "wasmcustom.a_who=you_rq_200: 0", "wasmcustom.cluster.a.upstream_rq_2xx: 0",
        "wasmcustom.dot: 0", "wasmcustom.gauge: 7", "wasmcustom.one: 3", "wasmcustom.sp%20ace: 0",
        "wasmcustom.unused: 0", "wasmcustom.wasmcustom.twice: 0"]
    assert text.splitlines()[-1].startswith("wasmcustom.histogram: P0(")
    # 9nine is no name for Prometheus
    lines = custom(running, "&format=prometheus").splitlines()
    values = [line for line in lines if not line.startswith(("# TYPE", "histogram_bucket"))]
    assert values[:14] == [
        "envoy_wasmcustom{} 0", "_lead{} 0", 'a{who="me"} 2', "a__b{} 0", "a_reporter_x___b_y_{} 0",
        'a_rq{envoy_response_code="200",who="you"} 0',
        'cluster_a_upstream_rq_xx{envoy_response_code_class="2"} 0', "dot{} 0", "one{} 3",
        "sp_20ace{} 0", "wasmcustom_twice{} 0", "gauge{} 7", "unused{} 0", "histogram_sum{} 705"]
    assert "# TYPE gauge gauge" in lines and "# TYPE histogram histogram" in lines
    assert 'histogram_bucket{le="1000"} 2' in lines
    document = json.loads(custom(running, "&format=json"))["stats"]
    assert {"name": "wasmcustom.one", "value": 3} in document
    assert document[-1]["histograms"]["computed_quantiles"][0]["name"] == "wasmcustom.histogram"


def test_usedonly_types_and_reset(proxy):
    running = proxy()
    for name in ("0/a", "0/b", "1/g"):
        ask(running, "/define/" + name)
    assert custom(running, "&usedonly") == ""
    ask(running, "/increment/4/3")
    ask(running, "/record/5/0")
    assert custom(running, "&usedonly") == "wasmcustom.a: 3\nwasmcustom.g: 0\n"
    assert custom(running, "&type=Gauges") == "wasmcustom.g: 0\n"
    running.admin("/reset_counters", method="POST")
    assert ask(running, "/get/4") == (0, 0)
    ask(running, "/increment/4/2")
    assert ask(running, "/get/4") == (0, 2)
    assert custom(running, "&type=Counters") == "wasmcustom.a: 2\nwasmcustom.b: 0\n"


def test_control_characters_are_not_shown(proxy):
    """Envoy prints them: a guest could write lines of its own into the text."""
    running = proxy()
    for name in ("610062", "410a7761736d3a2031"):
        assert ask(running, "/hex/0/" + name)[0] == 0
    assert custom(running) == "wasmcustom.A_wasm: 1: 0\nwasmcustom.a_b: 0\n"
    json.loads(custom(running, "&format=json"))


def test_a_name_may_have_any_bytes(proxy):
    running = proxy()
    assert ask(running, "/hex/0/c3a9ff")[0] == 0
    assert "wasmcustom." in json.loads(custom(running, "&format=json"))["stats"][0]["name"]
    assert "# TYPE ___ counter\n___{} 0\n" in custom(running, "&format=prometheus")


def test_a_counter_and_a_gauge_of_one_name(proxy):
    """Envoy's text shows the gauge alone."""
    running = proxy()
    ask(running, "/define/0/x")
    ask(running, "/define/1/x")
    ask(running, "/increment/4/3")
    assert custom(running) == "wasmcustom.x: 3\nwasmcustom.x: 0\n"
    assert custom(running, "&format=prometheus") == (
        "# TYPE x counter\nx{} 3\n# TYPE x gauge\nx{} 0\n")


# --- Workers, VMs, life ----------------------------------------------------------------------------


def test_workers_and_plugins_count_into_one(proxy):
    running = proxy(guest("x,"), guest("x,", vm_id="other"), workers=3)
    assert custom(running) == "wasmcustom.x: 0\n"
    for _ in range(30):
        assert ask(running, "/increment/4/1") == (0, 0)
    assert custom(running) == "wasmcustom.x: 30\n"
    assert ask(running, "/get/4") == (0, 30)


def test_a_gauge_has_one_value_for_all_workers(proxy):
    running = proxy(workers=3)
    for n in range(1, 20):
        assert ask(running, "/define/1/g")[0] == 0
        assert ask(running, f"/record/5/{n}")[0] in (0, 1)  # not every VM has defined it yet
        ask(running, "/define/1/g")
    seen = int(custom(running).split()[1])
    assert seen in range(1, 20)
    answers = {ask(running, "/get/5") for _ in range(20)}
    assert (0, seen) in answers and answers <= {(0, seen), (1, 0)}


def test_values_outlive_a_vm(proxy):
    running = proxy(guest("x,"), extra=FLUSH)
    assert ask(running, "/increment/4/5") == (0, 0)
    assert running.get("main", "/trap").status == 503
    assert custom(running) == "wasmcustom.x: 5\n"
    assert eventually(lambda: running.get("main", "/get/4").status == 200)
    assert ask(running, "/get/4") == (0, 5)
    ask(running, "/increment/4/1")
    assert custom(running) == "wasmcustom.x: 6\n"


def test_there_is_a_bound(proxy):
    """Envoy has none. A metric that is there already is always found."""
    running = proxy(guest("x,"))
    status, made = ask(running, "/many/16383/" + "n" * 300)
    assert (status, made) == (10, made) and 10000 < made < 16383
    assert ask(running, "/define/0/more")[0] in (0, 10)
    assert ask(running, "/many/2/" + "n" * 300) == (0, 2)
    assert ask(running, "/define/0/x")[0] == 0
    assert ask(running, "/define/0/" + "n" * 8000)[0] == 10
    running.stderr.wait("a metric was refused")
    assert running.stderr.text.count("a metric was refused") == 1
    assert stats(running, "filter=wasmcustom&format=prometheus").count("# TYPE") > 10000


# --- The statistics of wasm ------------------------------------------------------------------------


REST = """wasm.remote_load_cache_entries: 0
wasm.remote_load_cache_hits: 0
wasm.remote_load_cache_misses: 0
wasm.remote_load_cache_negative_hits: 0
wasm.remote_load_fetch_failures: 0
wasm.remote_load_fetch_successes: 0
"""


def test_statistics_there_are_from_the_start(proxy):
    running = proxy()
    assert running.get("main", "/").status == 200
    reloads = [f"wasm.one.vm_reload{what}: 0\n"
               for what in ("", "_backoff", "_failure", "_success")]
    assert stats(running, r"filter=^wasm\.(o.*reload|rem)") == "".join(reloads) + REST
    assert stats(running, "filter=^wasm&type=Gauges").splitlines() == [
        "wasm.envoy.wasm.runtime.v8.active: 1",
        "wasm.envoy.wasm.runtime.v8.memory_bytes: 1179648",  # of ours, as the next
        "wasm.one.vm_memory_bytes: 1179648", REST.splitlines()[0]]


def test_vms_are_counted(proxy):
    running = proxy()
    before = int(stats(running, "filter=v8.created").split()[1])
    assert ask(running, "/define/0/x")[0] == 0
    assert stats(running, "filter=v8.active") == "wasm.envoy.wasm.runtime.v8.active: 1\n"
    assert running.get("main", "/trap").status == 503
    assert eventually(lambda: running.get("main", "/define/0/x").status == 200)
    assert int(stats(running, "filter=v8.created").split()[1]) > before
    assert stats(running, "filter=v8.active") == "wasm.envoy.wasm.runtime.v8.active: 1\n"


def test_no_wasm_no_statistics(nuncio, origin):
    running = nuncio(behind(""), origin=origin().port)
    assert stats(running, "filter=wasm") == ""
