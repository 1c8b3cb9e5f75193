#!/bin/sh
# Makes a small authority and two certificates signed by it in this folder, for 30 days: localhost's, and
# one for the proxy as a client. For trying things out; the keys are as safe as the folder is.
set -eu
CDPATH= cd -- "$(dirname -- "$0")"

request() { # name options...: a key and a certificate
    name=$1
    shift
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$name" \
        -keyout "$name.key" -out "$name.crt" "$@" 2>openssl.log || { cat openssl.log >&2; exit 1; }
    rm openssl.log
}

umask 077
request ca -addext keyUsage=critical,keyCertSign,cRLSign
request server -CA ca.crt -CAkey ca.key -addext basicConstraints=critical,CA:FALSE \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1
request client -CA ca.crt -CAkey ca.key -addext basicConstraints=critical,CA:FALSE \
    -addext subjectAltName=URI:spiffe://example/proxy
echo "made in $PWD: ca.crt, server.crt, client.crt and their keys"
