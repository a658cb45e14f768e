#!/usr/bin/env bash
# Install the Debian packages of the local stack and its tests: requirements of workers and builds,
# Python's venv, Node.js and Chromium.
# Usage: infra/local/install.sh [--tests | --all-tests]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

"$here/../../workers/install.sh" --builds

missing=()
command -v python3 >/dev/null && python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
missing+=(r-cran-gbm r-cran-mlbench) # for training examples/breast-cancer
if [ "${1:-}" = --all-tests ]; then
    command -v buildah >/dev/null || missing+=(buildah) # builds the image without a daemon
fi
if [ "${1:-}" = --tests ] || [ "${1:-}" = --all-tests ]; then
    command -v chromium >/dev/null || missing+=(chromium)
    command -v debootstrap >/dev/null || missing+=(debootstrap) # a clean root for the image
    missing+=(r-cran-dt) # for an app with server-side tables
    missing+=(r-cran-rsconnect) # for publishing from R
fi
if [ ${#missing[@]} -gt 0 ]; then
    "$here/../../workers/install.sh" "${missing[@]}"
fi
