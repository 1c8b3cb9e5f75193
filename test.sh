#!/bin/sh
# Builds nuncio and passes all its tests. Needs nothing but a Debian or Ubuntu: what is missing comes
# from apt. tests/README.md says what runs and how to run one test.
#
#     ./test.sh                all of it: release, address and undefined behaviour sanitizers, thread
#                              sanitizer, fuzz targets
#     ./test.sh release        some of: release asan tsan fuzz
#
# NUNCIO_CONFIGS names a folder of real configurations to walk (without it ../shared/configs, if there).
# NU_WERROR=ON makes warnings errors. Each kind of build has its folder: build/, build-asan/, ...
set -u
CDPATH= cd -- "$(dirname -- "$0")" || exit 1
jobs=$(nproc)
# Most tests wait more than they compute; a search computes only.
test_jobs=$((2 * jobs))
folders= fuzz_skipped=
if [ -z "${NUNCIO_CONFIGS:-}" ] && [ -d ../shared/configs ]; then
    NUNCIO_CONFIGS=$PWD/../shared/configs
    export NUNCIO_CONFIGS
fi

# What fails here is seen at the end: every stage runs, so that one run shows all that is wrong.
build() { # folder target cmake-options...
    folder=$1 target=$2
    shift 2
    echo "== building $target in $folder/"
    new=
    [ -e "$folder/CMakeCache.txt" ] || new="-G Ninja"
    # shellcheck disable=SC2086 # a list of options
    mkdir -p "$folder"
    log=$folder/build.log
    cmake -S . -B "$folder" $new -DNU_WERROR="${NU_WERROR:-OFF}" "$@" >"$log" 2>&1 &&
        cmake --build "$folder" --parallel "$jobs" --target "$target" >>"$log" 2>&1 && return
    grep -E -A8 'error|FAILED' "$log" || cat "$log"
    echo "== could not build $folder/"
    return 1
}

run() { # folder ctest-options...
    folder=$1
    shift
    echo "== testing in $folder/"
    rm -rf "$folder/junit"
    ctest --test-dir "$folder" --parallel "$test_jobs" --timeout 600 --output-on-failure --no-tests=error \
        --test-output-size-passed 1000000 --test-output-size-failed 1000000 \
        --output-junit ctest.xml "$@" | grep -vE '^ +Start |^ *[0-9]+/[0-9]+ .* Passed '
}

release() {
    build build all -DNU_TESTS=ON || return
    run build -LE long
}

asan() {
    build build-asan all -DCMAKE_BUILD_TYPE=Debug -DNU_SANITIZE=address,undefined || return
    # GCC 12's leak check dies of the thread-local memory of V8's library, if it follows it.
    ASAN_OPTIONS=intercept_tls_get_addr=0 UBSAN_OPTIONS=print_stacktrace=1 run build-asan -LE 'long|lint'
}

tsan() {
    build build-tsan thread_tests -DCMAKE_BUILD_TYPE=Debug -DNU_SANITIZE=thread || return
    run build-tsan -L threads
}

fuzz() {
    build build-fuzz fuzzers -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DNU_TESTS=OFF \
        -DCMAKE_BUILD_TYPE=Debug -DNU_SANITIZE=address,undefined -DNU_FUZZ=ON || return
    test_jobs=$jobs run build-fuzz -R fuzz/search
}

# clang, with the libraries that Debian has in a package of their own.
has_libfuzzer() {
    echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char *, unsigned long) { return 0; }' |
        clang++ -x c++ -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null
}

folder_of() { # kind
    case $1 in
        release) echo build ;;
        asan | tsan | fuzz) echo "build-$1" ;;
    esac
}

# Before the first build, which takes a while: a run that has begun ends with a summary.
check() { # kinds
    for kind in "$@"; do
        folder=$(folder_of "$kind")
        [ "$folder" ] || { echo "test.sh: no tests named $kind: release, asan, tsan, fuzz"; exit 1; }
        for path in "$folder" "$folder/CMakeCache.txt"; do
            [ -e "$path" ] && [ ! -w "$path" ] || continue
            echo "test.sh: $folder/ belongs to another user: remove it"
            exit 1
        done
    done
}

[ $# -gt 0 ] || set -- release asan tsan fuzz
check "$@"
sh packaging/setup.sh build test || exit 1
for kind in "$@"; do
    folder=$(folder_of "$kind")
    if [ "$kind" = fuzz ] && ! has_libfuzzer; then
        fuzz_skipped="--skipped fuzz/search no-libFuzzer-here"
        continue
    fi
    folders="$folders $folder"
    rm -f "$folder/ctest.xml"
    $kind
done
echo
# shellcheck disable=SC2086 # lists of words
/usr/bin/python3 tests/tools/summary.py tests/allowed_skips.txt $fuzz_skipped $folders
