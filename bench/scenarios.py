# SPDX-License-Identifier: Apache-2.0
"""What is measured: each scenario is a load and what it asks of the proxies' configuration."""
from dataclasses import dataclass, field

from peers import Variant

HEADERS_16 = " ".join(f"-H 'x-header-{i}: some-typical-value-{i:032d}'" for i in range(16))


@dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    load: str               # arguments of ./load, or of h2load for HTTP/2
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


def handshakes(kind, option, key):
    return Scenario(f"tls-{kind}-{key}", f"{kind} handshakes, {key.upper()} key; a 403 on each",
                    f"-c 16 -X -{option} -H 'token: no'", Variant(auth="map", tls=key),
                    denied=True)


def streams(count):
    return Scenario(f"h2-{count}", f"4 connections of HTTP/2, streams at once on each: {count}",
                    f"-c 4 -m {count}", Variant(h2=True))


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
    Scenario("tls-keepalive-128", "kept-alive connections over TLS: 128", "-c 128 -T",
             Variant(tls="ecdsa")),
    Scenario("tls-download-1m", "answers of 1m over TLS", "-c 8 -T -p /b/1048576",
             Variant(tls="ecdsa")),
    *(handshakes(kind, option, key) for kind, option in (("full", "T"), ("resumed", "R"))
      for key in ("ecdsa", "rsa")),
    *(streams(count) for count in (1, 10, 100)),
    Scenario("tls-h2-10", "the same over TLS: 10", "-c 4 -m 10", Variant(tls="ecdsa", h2=True)),
]
