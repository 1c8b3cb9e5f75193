#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a real Envoy which host of a ring or a Maglev table each of some hundred keys belongs to.

usage: ENVOY=path/to/envoy record_hash_choices.py > tests/unit/upstream/hash_choices.txt

Nothing listens at the hosts: Envoy chooses one, is refused, and its access log names it. The file
has a paragraph for each list: how the table is made, its hosts with their weights, the gauges that
Envoy shows, and the number of the host that was chosen for key-0, key-1 and so on.
"""
import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KEYS = 300
RING, MAGLEV = "ring", "maglev"


def host(address, weight=1, hostname="", key="", zone=""):
    return {"address": address, "weight": weight, "hostname": hostname, "key": key, "zone": zone}


def numbered(count, weights=(1,)):
    return [host(f"127.1.{i // 200}.{i % 200 + 1}:1", weights[i % len(weights)])
            for i in range(count)]


def zoned(*groups):
    return [host(f"127.2.{z}.{i + 1}:1", weight, zone=f"{z}/{zone_weight}")
            for z, (zone_weight, weights) in enumerate(groups) for i, weight in enumerate(weights)]


LISTS = [
    (RING, {}, numbered(1)),
    (RING, {}, numbered(3)),
    (RING, {"hash_function": "MURMUR_HASH_2"}, numbered(3)),
    (RING, {}, numbered(50)),
    (RING, {"minimum_ring_size": 128}, numbered(3, (1, 2, 5))),
    (RING, {"hash_function": "MURMUR_HASH_2", "minimum_ring_size": 333}, numbered(5, (7, 3, 2))),
    (RING, {"minimum_ring_size": 10, "maximum_ring_size": 100}, numbered(7, (100, 37, 11, 1))),
    (RING, {"minimum_ring_size": 2, "maximum_ring_size": 5}, numbered(8)),
    (RING, {}, [host("[::1]:1"), host("127.0.0.1:1"), host("/nowhere.sock"), host("[fe80::1]:1")]),
    (RING, {}, [host("127.1.1.1:1", 1, "a.test"), host("127.1.1.2:1", 1, "b.test", "blue"),
                host("127.1.1.3:1", 2, "", "green key")]),
    (RING, {"use_hostname": True}, [host("127.1.1.1:1", 1, "a.test"), host("127.1.1.2:1", 3, "b"),
                                    host("127.1.1.3:1", 1, "c.test", "green")]),
    (RING, {"zones": True}, zoned((1, (1, 1)), (3, (1, 2, 3)), (2, (4,)))),
    (MAGLEV, {}, numbered(1)),
    (MAGLEV, {}, numbered(3)),
    (MAGLEV, {}, numbered(3, (1, 2, 5))),
    (MAGLEV, {"table_size": 101}, numbered(7, (100, 37, 11, 1))),
    (MAGLEV, {"table_size": 2}, numbered(3)),
    (MAGLEV, {"table_size": 10007}, numbered(300, (1, 3))),
    (MAGLEV, {"table_size": 331}, [host("127.1.1.1:1", 1, "a.test"), host("127.1.1.2:1", 1, "b"),
                                   host("127.1.1.3:1", 2, "", "a key")]),
    (MAGLEV, {"use_hostname": True}, [host("127.1.1.1:1", 1, "a.test"), host("127.1.1.2:1", 3, "b"),
                                      host("127.1.1.3:1", 1, "c.test", "green")]),
    (MAGLEV, {"zones": True}, zoned((1, (1, 1)), (3, (1, 2, 3)), (2, (4,)))),
]


def address_of(text):
    if text.startswith("/"):
        return {"pipe": {"path": text}}
    ip, port = text.rsplit(":", 1)
    return {"socket_address": {"address": ip.strip("[]"), "port_value": int(port)}}


def endpoint_of(one):
    endpoint = {"endpoint": {"address": address_of(one["address"]), "hostname": one["hostname"]},
                "load_balancing_weight": one["weight"]}
    if one["key"]:
        endpoint["metadata"] = {"filter_metadata": {"envoy.lb": {"hash_key": one["key"]}}}
    return endpoint


def groups_of(hosts):
    groups = {}
    for one in hosts:
        groups.setdefault(one["zone"], []).append(endpoint_of(one))
    found = []
    for zone, endpoints in groups.items():
        group = {"lb_endpoints": endpoints}
        if zone:
            name, weight = zone.split("/")
            group |= {"locality": {"zone": name}, "load_balancing_weight": int(weight)}
        found.append(group)
    return found


def cluster_of(name, kind, options, hosts):
    sizes = {key: value for key, value in options.items() if key not in ("use_hostname", "zones")}
    common = {}
    cluster = {"name": name, "lb_policy": "RING_HASH" if kind == RING else "MAGLEV",
               "load_assignment": {"cluster_name": name, "endpoints": groups_of(hosts)},
               "connect_timeout": "0.2s", "common_lb_config": common,
               "ring_hash_lb_config" if kind == RING else "maglev_lb_config": sizes}
    if options.get("use_hostname"):
        cluster["type"] = "STRICT_DNS"  # Envoy allows it nowhere else
        common["consistent_hashing_lb_config"] = {"use_hostname_for_hashing": True}
    if options.get("zones"):
        common["locality_weighted_lb_config"] = {}
    return cluster


def bootstrap(log):
    log_format = {"text_format_source": {"inline_string": "%UPSTREAM_HOST%\n"}}
    routes = [{"match": {"prefix": f"/{i}/"},
               "route": {"cluster": f"c{i}", "hash_policy": [{"header": {"header_name": "x-key"}}]}}
              for i in range(len(LISTS))]
    types = "type.googleapis.com/envoy.extensions."
    hcm = {"@type": types + "filters.network.http_connection_manager.v3.HttpConnectionManager",
           "stat_prefix": "in",
           "access_log": [{"name": "file", "typed_config": {
               "@type": types + "access_loggers.file.v3.FileAccessLog", "path": log,
               "log_format": log_format}}],
           "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes}]},
           "http_filters": [{"name": "router", "typed_config": {
               "@type": types + "filters.http.router.v3.Router"}}]}
    any_port = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    return {"admin": {"address": any_port},
            "static_resources": {
                "listeners": [{"name": "l", "address": any_port,
                               "filter_chains": [{"filters": [{"name": "hcm",
                                                               "typed_config": hcm}]}]}],
                "clusters": [cluster_of(f"c{i}", *what) for i, what in enumerate(LISTS)]}}


def get(port, path, headers=()):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers=dict(headers))
    return connection.getresponse().read().decode()


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    for number in range(len(LISTS)):
        for key in range(KEYS):
            connection.request("GET", f"/{number}/", headers={"x-key": f"key-{key}"})
            connection.getresponse().read()


def wait_for(path):
    while not path.exists() or not path.read_text():
        time.sleep(0.05)
    return path.read_text()


def describe(number, kind, options, hosts, gauges, chosen):
    scope = f"cluster.c{number}.{'ring_hash' if kind == RING else 'maglev'}_lb."
    print(f"\ntable {kind}")
    for key, value in options.items():
        print(f"option {key} {value}")
    for one in hosts:
        name = one["key"] or (one["hostname"] if options.get("use_hostname") else one["address"])
        print(f"host {one['weight']} {one['zone'].partition('/')[2] or '-'} {name}")
    for name, value in sorted(gauges.items()):
        if name.startswith(scope):
            print(f"gauge {name.removeprefix(scope)} {value}")
    order = {one["address"]: i for i, one in enumerate(hosts)}
    for at in range(0, KEYS, 25):
        print("chosen", *[order[address] for address in chosen[at:at + 25]])


def main():
    envoy = os.environ["ENVOY"]
    with tempfile.TemporaryDirectory() as folder:
        log, config = Path(folder, "log"), Path(folder, "envoy.json")
        admin = Path(folder, "admin")
        config.write_text(json.dumps(bootstrap(str(log))))
        version = subprocess.run([envoy, "--version"], capture_output=True, text=True, check=True)
        process = subprocess.Popen([envoy, "-c", config, "--concurrency", "1", "-l", "error",
                                    "--use-dynamic-base-id", "--admin-address-path", admin])
        try:
            admin_port = int(wait_for(admin).rsplit(":", 1)[1])
            while get(admin_port, "/ready").strip() != "LIVE":
                time.sleep(0.05)
            listeners = json.loads(get(admin_port, "/listeners?format=json"))
            address = listeners["listener_statuses"][0]["local_address"]["socket_address"]
            ask(address["port_value"])
            while len(log.read_text().splitlines() if log.exists() else ()) < KEYS * len(LISTS):
                time.sleep(0.1)
            stats = json.loads(get(admin_port, "/stats?format=json&filter=_lb\\."))["stats"]
            gauges = {stat["name"]: stat["value"] for stat in stats if "name" in stat}
        finally:
            process.terminate()
            process.wait()
        lines = log.read_text().splitlines()
    digest = hashlib.sha256(Path(envoy).read_bytes()).hexdigest()
    print("# Written by tests/tools/record_hash_choices.py, from", version.stdout.split()[-1])
    print("# The binary's SHA-256:", digest)
    for number, (kind, options, hosts) in enumerate(LISTS):
        describe(number, kind, options, hosts, gauges, lines[number * KEYS:(number + 1) * KEYS])


if __name__ == "__main__":
    sys.exit(main())
