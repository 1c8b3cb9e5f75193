#!/bin/sh
# Installs what is missing of the packages that the named groups of packages.txt list.
#
#     sh packaging/setup.sh build test
#
# Works as root or through sudo. Where nothing is missing it needs neither of them, and no network.
set -eu
list=$(dirname -- "$0")/packages.txt
groups=$*

# What CMake, linkers, pytest and YAML keep for themselves. CMakeLists.txt refuses the same.
check_path() {
    root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
    if [ "$(printf %s "$root" | tr -d '[]{}<>"`$;#,:*?|'"'"'\\[:cntrl:]')" != "$root" ]; then
        printf 'setup: no build in %s: a path may not have any of []{}<>"`$;#,:*?|%s\\ in it\n' "$root" "'" >&2
        exit 1
    fi
}

is_installed() { # name
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

is_known() { # name
    apt-cache show "$1" 2>/dev/null | grep -q '^Package:'
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        false
    fi
}

need_root() { # what for
    as_root true && return
    echo "setup: $1 needs root, or sudo; as root, run: sh $0 $groups" >&2
    exit 1
}

# The lines of the groups that name no installed package.
missing_lines() {
    for group in "$@"; do
        sed -n "s/^$group //p" "$list"
    done | while read -r line; do
        found=
        for name in $(echo "$line" | tr '|' ' '); do
            if is_installed "$name"; then found=yes; fi
        done
        [ "$found" ] || echo "$line"
    done
}

# Of each line the first package that apt knows, else the first: apt then says what is wrong.
choose() {
    for line in "$@"; do
        chosen=
        for name in $(echo "$line" | tr '|' ' '); do
            if [ -z "$chosen" ] && is_known "$name"; then chosen=$name; fi
        done
        echo "${chosen:-${line%%|*}}"
    done
}

# V8, for the wasm engine. A Node.js of another vendor shuts Debian's package out: it stays, and the
# package is unpacked into build-libnode/, where CMake looks as well.
get_libnode() {
    folder=$(dirname -- "$0")/../build-libnode
    if is_installed libnode-dev || [ -e "$folder/usr" ]; then return; fi
    is_known libnode-dev || { need_root "a list of packages" && update_lists; }
    echo "setup: installing libnode-dev"
    plan=$(apt-get -s install --no-install-recommends libnode-dev 2>/dev/null) || plan=Remv
    case $plan in
        *Remv*) unpack_libnode "$folder" ;;
        *) install_packages libnode-dev ;;
    esac
}

needs_of() { # package pattern
    apt-cache depends "$1" | sed -n "s/^ *Depends: \\($2\\)\$/\\1/p"
}

# What the library needs, but Node.js's own parts, comes from apt; the rest needs no root.
unpack_libnode() { # folder
    library=$(needs_of libnode-dev 'libnode[0-9]*')
    missing=
    for name in $(needs_of "$library" 'lib[^<]*'); do
        is_installed "$name" || missing="$missing $name"
    done
    # shellcheck disable=SC2086 # names of packages have no blanks
    { [ -z "$missing" ] || install_packages $missing; } &&
        rm -rf "$1" && mkdir -p "$1/packages" &&
        (CDPATH= cd -- "$1/packages" && apt-get download -qq libnode-dev "$library" >/dev/null 2>&1) || return
    for package in "$1"/packages/*.deb; do
        dpkg-deb -x "$package" "$1/new" || return
    done
    rm -rf "$1/packages"
    mv "$1/new/usr" "$1/usr"
    rmdir "$1/new"
}

is_held() { # what apt says
    case $1 in
        *"Could not get lock"*) ;;
        *) false ;;
    esac
}

# A machine that has just begun may be at an installation of its own: that is waited for. apt does so
# itself where packages are installed (DPkg::Lock::Timeout), but not for its lists.
#
# What is known already may do, where the lists stay held or a source of some other package does not
# answer.
update_lists() {
    tries=25
    until errors=$(as_root env LC_ALL=C apt-get update -qq 2>&1); do
        is_held "$errors" || tries=1
        tries=$((tries - 1))
        [ $tries != 0 ] || break
        [ $tries != 24 ] || echo "setup: waiting for another apt to be done" >&2
        sleep 5
    done
    [ -z "$errors" ] || printf '%s\n' "$errors" >&2
    [ $tries != 0 ] || echo "setup: going on with the lists of packages that are here" >&2
}

install_packages() { # names
    need_root "installing $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 \
        -o DPkg::Lock::Timeout=600 --no-install-recommends "$@" >/dev/null
}

check_path
if ! command -v apt-get >/dev/null; then
    echo "setup: no apt-get here: see $list for what nuncio needs" >&2
    exit 0
fi
missing=$(missing_lines "$@")
if [ "$missing" ]; then
    # shellcheck disable=SC2086 # blanks in place of line ends
    need_root "installing $(echo $missing)"
    echo "setup: installing" $missing
    update_lists
    # shellcheck disable=SC2046,SC2086 # names of packages have no blanks
    install_packages $(choose $missing)
fi
case " $* " in
    *" build "*) (get_libnode) || echo "setup: no libnode-dev: nuncio will have no wasm engine" >&2 ;;
esac
