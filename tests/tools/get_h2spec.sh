#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds h2spec, the conformance suite of HTTP/2 servers, from its Go module into a folder outside of
# the project, and prints where it is. tests/e2e/test_h2spec.py looks there.
#
# usage: get_h2spec.sh [FOLDER]
set -eu
folder=${1:-${NU_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/nuncio-tools}}
if [ ! -x "$folder/h2spec" ]; then
    command -v go >/dev/null || { echo "get_h2spec.sh: needs go" >&2; exit 1; }
    mkdir -p "$folder"
    GOBIN=$folder GOFLAGS=-mod=mod go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
fi
echo "$folder/h2spec"
