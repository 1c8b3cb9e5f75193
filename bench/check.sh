#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails when a request costs more user instructions than the bounds below, or a cluster more than
# 10 KiB: bench/check.sh [NUNCIO]
# Needs valgrind, h2load, and a release build with link-time optimisation; the bounds are those of one
# without a profile (packaging/release.sh), which takes a sixth less. The count of one build differs by
# less than one in a hundred from run to run; a change that needs more than its bound says why.
set -e
here=$(dirname "$(realpath "$0")")
NUNCIO=$(realpath "${1:-$here/../build/nuncio}")
export NUNCIO
cd "$here"
results=$(mktemp)
trap 'rm -f "$results"' EXIT

bounds='
keepalive-16 9150
headers-20 16650
gate-allowed 11100
gate-denied 7150
newconn 12800
hosts-100 9350
hosts-10000 9400
h2-10 19050
'
for format in yaml json; do
    ./clusters.py --format $format --most 10
done
names=$(echo "$bounds" | awk 'NF { printf "%s%s", sep, $1; sep = "," }')
./bench.py instructions -p nuncio -s "$names" -o "$results"
echo "$bounds" | /usr/bin/python3 -c '
import json, sys
bounds = {name: int(most) for name, most in (line.split() for line in sys.stdin if line.strip())}
counted = {row["scenario"]: row for row in map(json.loads, open(sys.argv[1]))}
failed = 0
for name, most in bounds.items():
    count = counted.get(name, {}).get("instructions")
    right = count is not None and count <= most
    failed += not right
    verdict = "ok" if right else "TOO MANY" if count else "NOT COUNTED"
    print(f"{name:16} {count or 0:10.0f} of {most:6} {verdict}")
sys.exit(failed > 0)' "$results"
