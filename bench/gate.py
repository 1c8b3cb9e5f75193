#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the gate for prime tokens costs: as nuncio's own filter, as proxy-wasm modules in nuncio, and as
the same modules in a real Envoy, if ENVOY names one.

    bench/gate.py                             CPU time per request, and the ratios that matter
    bench/gate.py --instructions              user instructions, of nuncio, under callgrind
    bench/gate.py -m rust=FILE.wasm           one more module, or another one of that name

One worker, 128 kept-alive connections. What a gate adds is the difference to the same proxy without
one, whose requests go the same way; a denied request has no such other, and is shown as it is. Runs
are interleaved, figures are medians: difference of two numbers, they want a quiet machine and -r 7."""
import argparse
import os
import signal
import statistics
import subprocess
import sys
import time

import runner
from peers import PEERS, PROJECT, WORK, Variant
from scenarios import Scenario

ALLOWED, DENIED = "-c 128 -H 'token: 1000003'", "-c 128 -H 'token: 1000000'"
RUST = f"{PROJECT}/examples/wasm/rust/target/wasm32-wasip1/release/prime_authorizer.wasm"
WASM_LIMIT, NATIVE_LIMIT = 1.0, 0.1     # of what wasm adds in Envoy


def build_c():
    """The example in C, as its README builds it; None without clang or its linker."""
    folder, module = f"{PROJECT}/examples/wasm", f"{WORK}/prime_authorizer.wasm"
    done = subprocess.run(["clang", "--target=wasm32", "-O2", "-nostdlib", "-ffreestanding",
                           "-fno-builtin", "-Wl,--no-entry", "c/prime_authorizer.c", "-o", module],
                          cwd=folder, check=False, capture_output=True)
    return module if done.returncode == 0 else None


def find_modules(more):
    modules = {"c": build_c(), "rust": RUST if os.path.exists(RUST) else None}
    modules.update(pair.split("=", 1) for pair in more)
    for name, path in modules.items():
        if not path or not os.path.exists(path):
            print(f"no module {name}: left out (examples/wasm/README.md builds it)",
                  file=sys.stderr)
    return {name: os.path.realpath(path) for name, path in modules.items()
            if path and os.path.exists(path)}


def gates(peer, modules):
    """The names of a proxy's gates, and what they ask of its configuration."""
    yield "none", Variant()
    if peer.name == "nuncio":
        yield "native", Variant(auth="gate")
    for name, path in modules.items():
        yield f"wasm {name}", Variant(wasm=path)


def scenarios(gate, variant):
    yield Scenario("allowed", "", ALLOWED, variant)
    if gate != "none":
        yield Scenario("denied", "", DENIED, variant, denied=True)


def rows(peers, modules):
    for peer in peers:
        for gate, variant in gates(peer, modules):
            for scenario in scenarios(gate, variant):
                yield peer, gate, scenario


def measure(args, peer, scenario):
    if args.instructions:
        variant = Variant(auth=scenario.variant.auth, wasm=scenario.variant.wasm, one_process=True)
        return runner.count_instructions(peer, scenario, variant, 2000)["instructions"]
    with runner.Running(peer, scenario.variant) as running:
        return runner.drive(running, scenario, args.seconds)["cpu_us"]


def measure_all(args, peers, modules):
    """The figures by proxy, gate and scenario."""
    seen = {}
    for _ in range(args.repetitions):
        for peer, gate, scenario in rows(peers, modules):
            try:
                value = measure(args, peer, scenario)
            except (runner.BenchError, OSError, subprocess.SubprocessError) as error:
                print(f"{peer.name}, {gate}, {scenario.name}: {error}", file=sys.stderr)
                continue
            print(f"{peer.name:7} {gate:12} {scenario.name:8} {value:10.2f}", file=sys.stderr)
            seen.setdefault((peer.name, gate, scenario.name), []).append(value)
    return {key: statistics.median(values) for key, values in seen.items()}


def added(figures, peer, gate):
    """What the gate adds to a request that it lets pass; None if that was not measured."""
    with_it, without = (figures.get((peer, name, "allowed")) for name in (gate, "none"))
    return None if with_it is None or without is None else with_it - without


def text(value, form="{:,.1f}"):
    return "" if value is None else form.format(value)


def print_table(figures, unit):
    print(f"| proxy | gate | allowed, {unit} | the gate's part | denied, {unit} |")
    print("|---|---|---|---|---|")
    for peer, gate in dict.fromkeys(key[:2] for key in figures):
        part = added(figures, peer, gate) if gate != "none" else None
        print(f"| {peer} | {gate} | {text(figures.get((peer, gate, 'allowed')))} | {text(part)} | "
              f"{text(figures.get((peer, gate, 'denied')))} |")


def print_ratios(figures, modules):
    """Each ratio beside its limit."""
    native = added(figures, "nuncio", "native")
    for name in modules:
        ours, theirs = (added(figures, peer, f"wasm {name}") for peer in ("nuncio", "envoy"))
        if ours is not None and native is not None and ours > 0:
            print(f"native / wasm {name} in nuncio: {native / ours:.3f}")
        if theirs is None or theirs <= 0:
            continue
        for what, value, limit in ((f"wasm {name} in nuncio", ours, WASM_LIMIT),
                                   ("native", native, NATIVE_LIMIT)):
            if value is not None:
                verdict = "ok" if value < limit * theirs else "TOO MUCH"
                print(f"{what} / wasm {name} in Envoy: {value / theirs:.3f} "
                      f"of {limit} {verdict}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--module", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("-p", "--peers", default="nuncio,envoy")
    parser.add_argument("-r", "--repetitions", type=int, default=3)
    parser.add_argument("-t", "--seconds", type=float, default=1.0)
    parser.add_argument("--instructions", action="store_true")
    args = parser.parse_args()
    os.makedirs(WORK, exist_ok=True)
    peers = [PEERS[name] for name in args.peers.split(",") if PEERS[name].path]
    if args.instructions:
        args.repetitions = 1
        peers = [peer for peer in peers if peer.counts_instructions]
    modules = find_modules(args.module)
    runner.build_tools()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))     # what was started is stopped
    origin = runner.start_origin(1)
    try:
        time.sleep(0.2)
        figures = measure_all(args, peers, modules)
    finally:
        origin.terminate()
        origin.wait()
    print_table(figures, "instructions" if args.instructions else "µs of CPU")
    print_ratios(figures, modules)


if __name__ == "__main__":
    main()
