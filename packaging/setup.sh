#!/bin/sh
# Installs what is missing of the packages that the named groups of packages.txt list.
#
#     sh packaging/setup.sh build test
#
# Works as root or through sudo. Where nothing is missing it needs neither of them, and no network.
set -eu
list=$(dirname "$0")/packages.txt

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
        echo "setup: neither root nor sudo; as root, run: $*" >&2
        exit 1
    fi
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

if ! command -v apt-get >/dev/null; then
    echo "setup: no apt-get here: see $list for what nuncio needs" >&2
    exit 0
fi
missing=$(missing_lines "$@")
[ "$missing" ] || exit 0
echo "setup: installing" $missing
as_root apt-get update -qq
# shellcheck disable=SC2046,SC2086 # names of packages have no blanks
as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $(choose $missing) >/dev/null
