#!/bin/sh
# Builds nuncio as its packages have it, in the folder that is named: once to see which of its code
# requests run through, and once more with what was seen. The requests are the benchmark's own, from
# a client to nuncio to a server, on the loopback.
#
#     packaging/release.sh build-release && build-release/nuncio --version
#
# BENCH_PORT is the first of the two ports that it takes, 21080 by default.
set -eu
CDPATH= cd -- "$(dirname -- "$0")/.."
build=$(realpath -m "${1:?names the folder to build in}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make() { # which of the two builds
    cmake -S . -B "$build" -G Ninja -DNU_TESTS=OFF -DNU_PROFILE="$1" >"$work/configure.log" 2>&1 || {
        cat "$work/configure.log"
        exit 1
    }
    cmake --build "$build"
}

find "$build" -name '*.gcda' -delete 2>/dev/null || true
make MAKE
NUNCIO=$build/nuncio BENCH_WORK=$work /usr/bin/python3 bench/bench.py train -o "$work/training"
if grep '"error"' "$work/training"; then
    echo "release.sh: the training failed" >&2
    exit 1
fi
make USE
