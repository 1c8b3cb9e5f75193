# SPDX-License-Identifier: Apache-2.0
"""What is measured: each scenario is a load and what it asks of the proxies' configuration."""
from dataclasses import dataclass, field

from peers import Variant

HEADERS_16 = " ".join(f"-H 'x-header-{i}: some-typical-value-{i:032d}'" for i in range(16))


@dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    load: str               # arguments of ./load
    variant: Variant = field(default_factory=Variant)
    denied: bool = False    # every answer must be 403, else 2xx
    longer: float = 1       # times the usual seconds


def keep_alive(connections):
    return Scenario(f"keepalive-{connections}", f"kept-alive connections: {connections}",
                    f"-c {connections}")


def many(kind, option, count):
    what = {"hosts": "virtual hosts", "paths": "prefix routes"}[kind]
    return Scenario(f"{kind}-{count}", f"{what}, all of them asked for: {count}",
                    f"-c 128 -{option} {count}", Variant(**{kind: count}))


def body(name, size, connections, **kwargs):
    return [Scenario(f"download-{name}", f"answers of {name}", f"-c {connections} -p /b/{size}",
                     **kwargs),
            Scenario(f"upload-{name}", f"requests of {name}", f"-c {connections} -b {size}",
                     **kwargs)]


SCENARIOS = [
    *(keep_alive(connections) for connections in (1, 16, 128, 1024)),
    Scenario("headers-20", "20 request headers, 128 connections", f"-c 128 {HEADERS_16}"),
    Scenario("gate-allowed", "the gate lets a prime token through",
             "-c 128 -H 'token: 1000003'", Variant(auth="gate")),
    Scenario("gate-denied", "the gate answers 403", "-c 128 -H 'token: 1000000'",
             Variant(auth="gate"), denied=True),
    Scenario("map-allowed", "a map or ACL lets one token through", "-c 128 -H 'token: allowed'",
             Variant(auth="map")),
    Scenario("map-denied", "a map or ACL answers 403", "-c 128 -H 'token: no'",
             Variant(auth="map"), denied=True),
    Scenario("newconn", "a new connection for each request", "-c 16 -x"),
    *body("10k", 10240, 64),
    *body("1m", 1048576, 8),
    *body("100m", 104857600, 2, longer=2),
    *(many("hosts", "g", count) for count in (1, 100, 10000)),
    *(many("paths", "G", count) for count in (1, 100, 10000)),
    Scenario("log", "with an access log", "-c 128", Variant(log=True)),
]
