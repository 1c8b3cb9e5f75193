#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares nuncio with other proxies on this machine; README.md says how."""
import argparse
import fnmatch
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import report
import runner
from peers import MAX_CONNECTIONS, PEERS, WORK, Variant
from scenarios import SCENARIOS

COUNTED = "*keepalive-*,headers-20,gate-*,map-*,newconn,*load-10k,*load-1m,*h2-*"
INSTRUCTED = ("keepalive-16,headers-20,gate-*,map-*,newconn,*load-10k,hosts-1,hosts-100,paths-100,"
              "h2-*")
TRAINED = ("keepalive-1,keepalive-16,keepalive-128,headers-20,gate-*,newconn,*-10k,*-1m,hosts-100,"
           "paths-100,log,tls-*,h2-10")
QUICK = "keepalive-16,keepalive-128,gate-*,newconn,download-1m"
QUICK_PEERS = "floor,nuncio,nginx,haproxy,envoy"


def chosen_peers(names):
    unknown = [name for name in (names or "").split(",") if name and name not in PEERS]
    if unknown:
        sys.exit(f"bench.py: no peer is called {', '.join(unknown)}; there are {', '.join(PEERS)}")
    peers = [PEERS[name] for name in (names.split(",") if names else PEERS)]
    missing = [peer.name for peer in peers if not peer.path]
    if missing:
        print("not found, skipped:", " ".join(missing), file=sys.stderr)
    return [peer for peer in peers if peer.path]


def chosen_scenarios(patterns):
    chosen = [scenario for scenario in SCENARIOS
              if any(fnmatch.fnmatch(scenario.name, pattern)
                     for pattern in (patterns or "*").split(","))]
    if not chosen:
        sys.exit(f"bench.py: no scenario is called {patterns}; bench.py list shows them")
    return chosen


def is_able(peer, scenario):
    return not any(scenario.name.startswith(beginning) for beginning in peer.cannot)


class Recorder:
    """Writes results to a file and tells of each."""

    def __init__(self, path):
        self.path = path

    def record(self, peer, name, measure):
        row = {"peer": peer.name, "scenario": name, "time": time.strftime("%FT%T")}
        try:
            row.update(measure())
        except (runner.BenchError, OSError, subprocess.SubprocessError, ValueError) as error:
            row["error"] = str(error)[-400:] or type(error).__name__
        with open(self.path, "a") as f:
            f.write(json.dumps(row) + "\n")
        brief = {key: round(value, 2) if isinstance(value, float) else value
                 for key, value in row.items()
                 if key in ("cpu_us", "rps", "p50", "p99", "rss_kib", "error", "syscalls",
                            "instructions", "ready_ms", "bytes_per_connection")}
        print(f"{name:16} {peer.name:9} {brief}", file=sys.stderr, flush=True)


def pairs(args, patterns=None, peers=None):
    """Every scenario with every peer, the peers interleaved in each repetition."""
    proxies = chosen_peers(args.peers or peers)
    for scenario in chosen_scenarios(args.scenarios or patterns):
        for _ in range(args.repetitions):
            for peer in proxies:
                if is_able(peer, scenario):
                    yield peer, scenario


def run(args, recorder, patterns=None, peers=None):
    for peer, scenario in pairs(args, patterns, peers):
        variant = replace(scenario.variant, workers=args.workers)

        def measure():
            with runner.Running(peer, variant) as running:
                return runner.drive(running, scenario, scenario.longer * args.seconds)
        recorder.record(peer, scenario.name, measure)


def syscalls(args, recorder, patterns=COUNTED, peers=None):
    for peer, scenario in pairs(args, patterns, peers):
        variant = replace(scenario.variant, workers=args.workers)

        def measure():
            with runner.Running(peer, variant) as running:
                return runner.count_syscalls(running, scenario, scenario.longer * args.seconds)
        recorder.record(peer, scenario.name, measure)


def instructions(args, recorder, patterns=INSTRUCTED, peers=None):
    for peer, scenario in pairs(args, patterns, peers):
        if peer.counts_instructions:
            variant = replace(scenario.variant, one_process=True)
            recorder.record(peer, scenario.name,
                            lambda p=peer, s=scenario, v=variant:
                            runner.count_instructions(p, s, v, requests=2000))


def train(args, recorder):
    """Requests of each kind, for a build that learns from them what is worth its while."""
    for peer, scenario in pairs(args, TRAINED, "nuncio"):
        def serve():
            with runner.Running(peer, replace(scenario.variant, workers=2)) as running:
                return runner.serve(running, scenario, 500 if "1m" in scenario.name else 10000)
        recorder.record(peer, scenario.name, serve)


def measure_startup(peer, args):
    with runner.Running(peer, Variant(workers=args.workers)) as running:
        time.sleep(0.3)
        return {"ready_ms": running.ready_ms, "rss_kib": runner.rss_kib(running.pid),
                "executable_kib": os.path.getsize(os.path.realpath(peer.path)) // 1024}


def measure_idle(peer, args):
    """Memory of connections that did one request each. What the first 1000 take is left out: they
    also pay for what every run needs once."""
    variant = Variant(workers=args.workers)
    some, all_of_them = 1000, min(10000, MAX_CONNECTIONS - 50)
    with runner.Running(peer, variant) as running:
        used = []
        for connections in (some, all_of_them):
            with runner.Load(peer, variant, f"-i -c {connections}"):
                time.sleep(0.5)
                used.append(runner.rss_kib(running.pid))
            time.sleep(0.3)
    return {"bytes_per_connection": (used[1] - used[0]) * 1024 / (all_of_them - some),
            "rss_kib": used[1]}


def footprint(args, recorder, peers=None):
    for _ in range(args.repetitions):
        for peer in chosen_peers(args.peers or peers):
            recorder.record(peer, "startup", lambda p=peer: measure_startup(p, args))
            recorder.record(peer, "idle", lambda p=peer: measure_idle(p, args))


def everything(args, recorder):
    """All of it, in about 20 minutes, or with --quick a selection in about 5."""
    peers = QUICK_PEERS if args.quick else None
    once = argparse.Namespace(**{**vars(args), "repetitions": 1})
    run(args, recorder, QUICK if args.quick else None, peers)
    syscalls(once, recorder, QUICK if args.quick else COUNTED, peers)
    instructions(once, recorder, QUICK if args.quick else INSTRUCTED, peers)
    footprint(once, recorder, peers)


def page(args):
    """Measures everything and prints the page; --counts leaves out what needs a quiet machine."""
    results = args.out
    if os.path.exists(results):
        os.unlink(results)
    recorder = Recorder(results)
    if args.counts:
        syscalls(args, recorder)
        instructions(args, recorder)
    else:
        everything(args, recorder)
    command = "bench/bench.py page" + (" --quick" if args.quick else "")
    command += " --counts" if args.counts else ""
    print("\n".join(report.page(report.load_results([results]), command)))


def write_configs(args):
    for peer in chosen_peers(args.peers):
        for scenario in chosen_scenarios(args.scenarios):
            folder = f"{WORK}/config/{peer.name}/{scenario.name}"
            os.makedirs(folder, exist_ok=True)
            print(" ".join(peer.argv(folder, scenario.variant)))


def list_scenarios():
    for scenario in SCENARIOS:
        print(f"{scenario.name:16} {scenario.what:45} load {scenario.load[:60]}")


MEASURING = {"run": run, "syscalls": syscalls, "instructions": instructions,
             "footprint": footprint, "train": train}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in (*MEASURING, "page", "config", "list"):
        command = commands.add_parser(name)
        command.add_argument("-p", "--peers", help="names, separated by commas")
        command.add_argument("-s", "--scenarios", help="names or patterns, separated by commas")
        command.add_argument("-r", "--repetitions", type=int, default=1)
        command.add_argument("-t", "--seconds", type=float, default=1.0)
        command.add_argument("-w", "--workers", type=int, default=1)
        command.add_argument("-o", "--out", default=f"{WORK}/results.jsonl")
        if name == "page":
            command.add_argument("--quick", action="store_true", help="a selection")
            command.add_argument("--counts", action="store_true",
                                 help="only what does not need a quiet machine")
    commands.add_parser("tables").add_argument("files", nargs="+")
    return parser.parse_args()


def main():
    args = parse_arguments()
    if args.command == "tables":
        results = report.load_results(args.files)
        print("\n".join([*report.tables(results), *report.failures(results)]))
        return
    if args.command == "list":
        list_scenarios()
        return
    runner.build_tools()
    if args.command == "config":
        write_configs(args)
        return
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))     # what was started is stopped
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    origin = runner.start_origin(args.workers)
    try:
        time.sleep(0.2)
        if args.command == "page":
            page(args)
        else:
            MEASURING[args.command](args, Recorder(args.out))
    finally:
        origin.terminate()
        origin.wait()


if __name__ == "__main__":
    main()
