#!/bin/sh
# Makes nuncio_VERSION_ARCH.deb and nuncio-wasm_VERSION_ARCH.deb in build-deb/, for the release of Debian or Ubuntu that it runs on.
#
#     packaging/deb.sh && sudo apt install ./build-deb/nuncio_*.deb
set -eu
CDPATH= cd -- "$(dirname -- "$0")/.."
sh packaging/setup.sh build deb
packaging/release.sh build-deb
CDPATH= cd -- build-deb
cpack -G DEB
