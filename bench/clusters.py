#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to load many clusters with one host each, two workers and no traffic yet.

usage: clusters.py [--format yaml|json] [--most KIB] [COUNT]     10,000 unless given otherwise

Prints for nuncio (NUNCIO, or build/nuncio) and, where ENVOY names one, for Envoy: the CPU time until
it is ready, the memory then, and what each cluster takes of it: the memory with so many of them, less
that with one, by their number. With --most it fails when that is more for nuncio.
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import yaml

PATIENCE_S = 120
BUILT = pathlib.Path(__file__).resolve().parent.parent / "build" / "nuncio"


def cluster(number):
    address = f"127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    endpoint = {"address": {"socket_address": {"address": address, "port_value": 8080}}}
    return {"name": f"cluster_{number}", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": f"cluster_{number}",
                                "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]}}


def write_config(folder, count, kind):
    admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    config = {"admin": admin, "static_resources": {"clusters": [cluster(i) for i in range(count)]}}
    text = json.dumps(config) if kind == "json" else \
        yaml.dump(config, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))
    path = folder / f"{count}.{kind}"
    path.write_text(text)
    return path


def is_live(address):
    try:
        url = f"http://{address.read_text()}/ready"
        return urllib.request.urlopen(url, timeout=5).read() == b"LIVE\n"
    except (OSError, ValueError, urllib.error.URLError):
        return False


def cost(process):
    """CPU seconds so far, and resident KiB of its own."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    own = next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(own)


def measure(command, config, folder):
    address = folder / "address"
    address.unlink(missing_ok=True)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([*command, "-c", config, "--concurrency", "2",
                                    "--admin-address-path", address], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not is_live(address):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{command[0]} is not ready:\n{(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
        return cost(process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml")
    parser.add_argument("--most", type=float, metavar="KIB")
    parser.add_argument("count", nargs="?", type=int, default=10000)
    chosen = parser.parse_args()
    servers = {"nuncio": [os.environ.get("NUNCIO", str(BUILT))]}
    if "ENVOY" in os.environ:
        servers["Envoy"] = [os.environ["ENVOY"], "--disable-hot-restart"]
    print(f"| {chosen.count} clusters, {chosen.format} | CPU s | MiB | KiB a cluster |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        one, many = (write_config(folder, count, chosen.format) for count in (1, chosen.count))
        for server, command in servers.items():
            base = measure(command, one, folder)[1]
            seconds, memory = measure(command, many, folder)
            each = (memory - base) / chosen.count
            print(f"| {server} | {seconds:.2f} | {memory / 1024:.0f} | {each:.2f} |")
            if server == "nuncio" and chosen.most and each > chosen.most:
                sys.exit(f"more than {chosen.most:g} KiB a cluster")


main()
