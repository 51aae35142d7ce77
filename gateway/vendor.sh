#!/bin/sh
# Fetches the published Socket.IO client into www/vendor, so that the page needs neither the internet nor a build step.
#   gateway/vendor.sh            fetch the pinned version; fails unless it has the recorded checksums
#   gateway/vendor.sh --record   record the checksums of what was fetched, after `version` below was changed
# Needs npm. The files are part of the repository; this is only for checking or replacing them.
set -eu
version=4.8.3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
archive=$(cd "$work" && npm pack --silent "socket.io-client@$version")
tar -xzf "$work/$archive" -C "$work"

cd "$(dirname "$0")/www/vendor"
cp "$work/package/dist/socket.io.esm.min.js" socket.io.esm.min.js
cp "$work/package/LICENSE" socket.io.LICENSE
[ "${1:-}" != --record ] || sha256sum socket.io.esm.min.js socket.io.LICENSE >SHA256SUMS
sha256sum --check --strict SHA256SUMS
