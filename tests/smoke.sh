#!/bin/sh
# Starts the first command of README.md as a user would, runs the two curl lines that it prints, and
# ends it by its process id. Needs no network and no root: where the packages are there, run.sh must not
# ask for either (stand-ins for apt-get and sudo say so if it does).
#
# The ports are held by sockets that are bound and do not listen: nobody else is given them meanwhile,
# and nuncio, which sets SO_REUSEADDR as they do, can listen there.
set -eu
CDPATH= cd -- "$(dirname -- "$0")/.."
work=$(mktemp -d)
pid= holder=

finish() {
    status=$?
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
    [ -z "$holder" ] || kill "$holder" 2>/dev/null || true
    [ $status = 0 ] || { echo "--- output of run.sh:"; cat "$work/out"; }
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "smoke: $*"
    exit 1
}

for name in apt-get sudo; do
    printf '#!/bin/sh\necho "smoke: %s was called"\nexit 1\n' $name >"$work/$name"
    chmod +x "$work/$name"
done

mkfifo "$work/port" "$work/pipe"
/usr/bin/python3 - "$work/port" <<'PYTHON' &
import signal, socket, sys
def hold(port):
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("", port))
    return held
while True:
    sockets = [hold(0)]
    port = sockets[0].getsockname()[1]
    try:
        sockets += [hold(port + 1), hold(port + 2)]
        break
    except (OSError, OverflowError):
        pass
with open(sys.argv[1], "w") as file:
    print(port, file=file)
signal.pause()
PYTHON
holder=$!
read -r port <"$work/port"

PATH="$work:$PATH" PORT=$port ./run.sh >"$work/pipe" 2>&1 </dev/null &
pid=$!
exec 3<"$work/pipe"
: >"$work/out"
ready=
while [ -z "$ready" ] && read -r line <&3; do
    printf '%s\n' "$line" >>"$work/out"
    case $line in *"starting main dispatch loop"*) ready=yes ;; esac
done
[ "$ready" ] || fail "run.sh ended before nuncio was ready"

# With the program comes the wasm engine that it looks for beside itself, where libnode is there.
build=${NU_BUILD:-build}
if [ -e "$build/build.ninja" ] && grep -q engine.cc "$build/build.ninja"; then
    ninja -C "$build" -t commands nuncio | grep -q engine.cc || fail "run.sh builds no wasm engine"
fi

# The lines to try, as printed.
grep '^curl ' "$work/out" >"$work/lines" || fail "no curl lines were printed"
[ "$(wc -l <"$work/lines")" = 2 ] || fail "not two curl lines"
denied=$(sed -n 1p "$work/lines" | sed 's/^curl/curl -sS/' | sh)
passed=$(sed -n 2p "$work/lines" | sed 's/^curl/curl -sS/' | sh)
[ "$denied" = "Access forbidden." ] || fail "323232 got: $denied"
[ "$passed" = "Welcome to nuncio" ] || fail "32323 got: $passed"

kill -TERM "$pid"
wait "$pid" && status=0 || status=$?
pid=
[ $status = 0 ] || fail "nuncio ended with $status"
echo "smoke: both lines answered, ended with 0"
