#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to choose a host: instructions for a choice, by balancer and number of hosts.

balancers.py [LB_BENCH]     prints a table; the program is build-bench/bench/lb_bench by default

Two runs under callgrind, one with more choices than the other, differ by those choices alone.
"""

import re
import subprocess
import sys

HOSTS = (1, 100, 10000)
FEW, MANY = 200, 1200


def instructions(program, kind, hosts, choices):
    """Of the loop that chooses, and all that it calls."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         "--toggle-collect=choose_all", program, kind, str(hosts), str(choices)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def cost(program, kind, hosts):
    many, few = (instructions(program, kind, hosts, choices) for choices in (MANY, FEW))
    return round((many - few) / (MANY - FEW))


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "build-bench/bench/lb_bench"
    kinds = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
    print("| balancer | " + " | ".join(f"{hosts:,} hosts" if hosts > 1 else "1 host"
                                       for hosts in HOSTS) + " |")
    print("|---" * (len(HOSTS) + 1) + "|")
    for kind in kinds.splitlines():
        print(f"| {kind} | " + " | ".join(f"{cost(program, kind, hosts):,}" for hosts in HOSTS)
              + " |", flush=True)


if __name__ == "__main__":
    main()
