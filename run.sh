#!/bin/sh
# Builds nuncio and runs its main job in the foreground: a gate for prime tokens on port 18000, with
# conf/nuncio.yaml. Needs nothing but a Debian or Ubuntu: what is missing comes from apt.
#
#     ./run.sh                          then try the two lines that it prints
#     ./run.sh --concurrency 1          options go to nuncio
#     PORT=8080 ./run.sh                another port (and the two above it)
#
# NU_BUILD is the folder to build in, build/ by default.
set -eu
CDPATH= cd -- "$(dirname -- "$0")"
build=${NU_BUILD:-build}
port=${PORT:-18000}

fail() {
    echo "run.sh: $*" >&2
    exit 1
}

is_listening() { # port: whether somebody listens on it
    for table in /proc/net/tcp /proc/net/tcp6; do
        [ -r $table ] || continue
        awk -v at=":$(printf %04X "$1")" \
            '$4 == "0A" && substr($2, length($2) - 4) == at { found = 1 } END { exit !found }' \
            $table && return 0
    done
    return 1
}

sh packaging/setup.sh build
if [ -e "$build" ] && [ ! -w "$build" ]; then
    fail "$build/ belongs to another user: remove it, or set NU_BUILD to another folder"
fi
mkdir -p "$build"
[ -e "$build/CMakeCache.txt" ] || new="-G Ninja -DNU_TESTS=OFF"
# shellcheck disable=SC2086 # a list of options
cmake -S . -B "$build" ${new:-} >"$build/configure.log" 2>&1 || { cat "$build/configure.log"; exit 1; }
cmake --build "$build" --target nuncio

config=conf/nuncio.yaml
if [ "$port" != 18000 ]; then
    config=$build/nuncio-$port.yaml
    sed -e "s/18000/$port/; s/18001/$((port + 1))/; s/9901/$((port + 2))/" conf/nuncio.yaml >"$config"
fi
if is_listening "$port"; then
    fail "port $port is in use; try another: PORT=18100 ./run.sh"
fi
cat <<TEXT

nuncio is about to listen on port $port; its upstream is included. Try, in another terminal:

    curl -H "token":"323232" 0.0.0.0:$port      # not a prime: Access forbidden.
    curl -H "token":"32323" 0.0.0.0:$port       # a prime: Welcome to nuncio

Ctrl-C ends it.

TEXT
exec "$build/nuncio" -c "$config" "$@"
