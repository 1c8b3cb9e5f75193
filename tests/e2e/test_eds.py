# SPDX-License-Identifier: Apache-2.0
"""EDS from a file: hosts come and go under traffic, bad files change nothing."""
import os
import threading

from configs import PROXY
from fleet import ADDRESSES, Load
from lib.wire import head_bytes
from process import eventually

TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
EDS = "node: {id: one, cluster: tests}\n" + PROXY[:PROXY.index("    type: STATIC\n")] + """\
    type: EDS
    eds_cluster_config:
      eds_config: {path_config_source: {path: @path@}}
"""


class Assignment:
    """The file of the cluster's hosts."""

    def __init__(self, folder, port):
        self.path, self._port, self._version = folder / "eds.yaml", port, 0

    def text(self, addresses, extra=""):
        self._version += 1
        hosts = "".join(
            f"    - endpoint: {{address: {{socket_address: {{address: {address}, "
            f"port_value: {self._port}}}}}}}\n{extra}" for address in addresses)
        return (f"version_info: v{self._version}\nresources:\n- \"@type\": {TYPE}\n"
                f"  cluster_name: origin\n  endpoints:\n  - lb_endpoints:\n{hosts}")

    def put(self, addresses, extra=""):
        self.put_text(self.text(addresses, extra))

    def put_text(self, text):
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.rename(self.path)


def stat(proxy, name):
    return proxy.stats()[f"cluster.origin.{name}"]


def start(nuncio, tmp_path, fleet, addresses, config=EDS, *arguments):
    assignment = Assignment(tmp_path, fleet.port)
    assignment.put(addresses)
    return assignment, nuncio(config, *arguments, path=assignment.path)


def test_no_request_fails_while_hosts_come_and_go(nuncio, tmp_path, fleet):
    assignment, proxy = start(nuncio, tmp_path, fleet, ADDRESSES[:1])
    load = Load(proxy.port("main"))
    changes = 12
    for n in range(changes):
        addresses = [ADDRESSES[(n + 1) % 3]] if n % 2 else [ADDRESSES[n % 3],
                                                          ADDRESSES[(n + 1) % 3]]
        if n % 4 == 3:
            assignment.put_text("resources: [ nothing")  # does no harm
            assert eventually(lambda: stat(proxy, "update_failure") > n // 4)
        before = stat(proxy, "update_success")
        assignment.put(addresses, f"      load_balancing_weight: {n + 1}\n")
        assert eventually(lambda: stat(proxy, "update_success") > before)
        assert eventually(lambda: set(load.latest()) <= set(addresses))
    responses = load.finish()
    assert len(responses) > changes
    assert [one for one in responses if not one.startswith(b"HTTP/1.1 200 OK\r\n")] == []
    assert {one.rpartition(b"\r\n\r\n")[2].decode() for one in responses} == set(ADDRESSES)
    assert proxy.stats()["cluster.origin.upstream_rq_200"] == len(responses)
    assert stat(proxy, "version") != 0


def test_a_request_in_flight_outlives_its_host(nuncio, tmp_path, origin):
    asked, go_on = threading.Event(), threading.Event()

    def script(peer):
        peer.wait_message(is_response=False)
        asked.set()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
        assert go_on.wait(30)
        peer.send(b"half")

    upstream = origin(script)
    assignment = Assignment(tmp_path, upstream.port)
    assignment.put(ADDRESSES[:1])
    proxy = nuncio(EDS, path=assignment.path)
    client = proxy.connect()
    client.send(head_bytes("GET / HTTP/1.1\nhost: a"))
    assert asked.wait(30)
    assignment.put([])
    assert eventually(lambda: stat(proxy, "membership_total") == 0)
    assert proxy.get("main").status == 503
    go_on.set()
    client.wait_message(is_response=True)
    assert client.received.endswith(b"halfhalf")


def test_a_folder_of_versions_is_followed_like_kubernetes_makes_it(nuncio, tmp_path, fleet):
    assignment = Assignment(tmp_path, fleet.port)
    for name, addresses in (("one", ADDRESSES[:1]), ("two", ADDRESSES[1:2])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "eds.yaml").write_text(assignment.text(addresses))
    os.symlink("one", tmp_path / "data")
    proxy = nuncio(EDS, path=tmp_path / "data" / "eds.yaml")
    assert proxy.get("main").text == ADDRESSES[0]
    os.symlink("two", tmp_path / "new")
    os.rename(tmp_path / "new", tmp_path / "data")
    assert eventually(lambda: proxy.get("main").text == ADDRESSES[1])


def test_a_rejected_update_is_told_with_its_place(nuncio, tmp_path, fleet):
    assignment, proxy = start(nuncio, tmp_path, fleet, ADDRESSES[:1])
    assignment.put(["example.com"])
    proxy.stderr.wait("eds.yaml:7:")
    assert stat(proxy, "update_rejected") == 1
    assert proxy.get("main").text == ADDRESSES[0]
    assignment.put(ADDRESSES[2:])
    assert eventually(lambda: proxy.get("main").text == ADDRESSES[2])


def test_a_host_that_passes_its_checks_stays_until_it_fails(nuncio, tmp_path, fleet):
    config = EDS + """\
    health_checks:
    - {timeout: 30s, interval: 0.05s, no_traffic_interval: 0.05s, unhealthy_threshold: 1,
       healthy_threshold: 1, tcp_health_check: {}}
"""
    assignment, proxy = start(nuncio, tmp_path, fleet, ADDRESSES[:1], config)
    assert eventually(lambda: stat(proxy, "membership_healthy") == 1)
    assignment.put([])
    assert eventually(lambda: stat(proxy, "update_success") == 2)
    assert "/pending_dynamic_removal" in proxy.admin("/clusters").text
    assert proxy.get("main").text == ADDRESSES[0]
    fleet.finish()
    assert eventually(lambda: stat(proxy, "membership_total") == 0)


def test_health_does_not_hold_a_host_where_it_is_ignored(nuncio, tmp_path, fleet):
    config = EDS + """\
    ignore_health_on_host_removal: true
    health_checks:
    - {timeout: 30s, interval: 0.05s, no_traffic_interval: 0.05s, unhealthy_threshold: 1,
       healthy_threshold: 1, tcp_health_check: {}}
"""
    assignment, proxy = start(nuncio, tmp_path, fleet, ADDRESSES[:1], config)
    assert eventually(lambda: stat(proxy, "membership_healthy") == 1)
    assignment.put([])
    assert eventually(lambda: stat(proxy, "membership_total") == 0)
