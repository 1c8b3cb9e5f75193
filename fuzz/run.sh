#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target for a while: fuzz/run.sh SECONDS [TARGET...] shares the seconds among the targets
# (all of them if none is named), beginning with the seeds in fuzz/corpus. Needs clang; builds into
# build-fuzz with ASan and UBSan. What is found lies in build-fuzz/found; inputs that reach new code are
# kept in build-fuzz/corpus, never in the seeds.
set -eu
CDPATH= cd -- "$(dirname -- "$0")/.."
[ $# -ge 1 ] || { echo "usage: fuzz/run.sh SECONDS [TARGET...]" >&2; exit 2; }
total=$1
shift
mkdir -p build-fuzz
cmake -S . -B build-fuzz -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
      -DCMAKE_BUILD_TYPE=Debug -DNU_FUZZ=ON -DNU_SANITIZE=address,undefined >build-fuzz/cmake.log 2>&1 ||
    { cat build-fuzz/cmake.log; exit 1; }
all=$(sed -n 's/^nu_fuzz(\([a-z0-9_]*\) .*/\1/p' fuzz/CMakeLists.txt)
targets=${*:-$all}
# shellcheck disable=SC2086
cmake --build build-fuzz --parallel 2 --target $(printf 'fuzz_%s ' $targets) >build-fuzz/build.log 2>&1 ||
    { tail -30 build-fuzz/build.log; exit 1; }
count=$(echo "$targets" | wc -w)
seconds=$((total / count))
[ "$seconds" -ge 1 ] || seconds=1
failed=0
for target in $targets; do
    mkdir -p "build-fuzz/corpus/$target" build-fuzz/found
    log=build-fuzz/found/$target.log
    if "build-fuzz/fuzz/fuzz_$target" -max_total_time="$seconds" -print_final_stats=1 -max_len=8192 \
            -artifact_prefix="build-fuzz/found/$target-" "build-fuzz/corpus/$target" \
            "fuzz/corpus/$target" >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "fuzz $target: ok, $runs runs in $seconds s"
    else
        echo "fuzz $target: FAILED, see $log"
        tail -40 "$log"
        failed=$((failed + 1))
    fi
done
echo "$((count - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
