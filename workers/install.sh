#!/usr/bin/env bash
# Installs what a worker needs from Debian 12 or later, for the image and for the local stack alike.
# Usage: workers/install.sh [--builds] [PACKAGE…]
#   --builds    also what R CMD INSTALL compiles with, for the task that builds versions
#   PACKAGE…    more packages to install along with the worker's
# Does nothing, and asks for no rights, when all of it is there.
set -euo pipefail

builds=()
if [ "${1:-}" = --builds ]; then
    shift
    # What R's own Makeconf names, no more: r-base-dev brings twice as much. What an app's packages link with beyond that (libxml2-dev…), and the
    # library itself for the workers, an operator adds to both lists.
    builds=(g++ gfortran make libblas-dev liblapack-dev zlib1g-dev libbz2-dev liblzma-dev libpcre2-dev libicu-dev)
fi
packages=(
    r-base-core       # R itself
    r-cran-shiny
    r-cran-cairo      # plots that look the same everywhere (FACTS R8)
    r-cran-rmarkdown
    pandoc            # what rmarkdown renders with
    libjs-twitter-bootstrap-datepicker # dateInput's calendar, which r-cran-shiny only links to (FACTS R8)
    fonts-dejavu-core # text in plots
    util-linux        # setpriv, which starts R as the app's user
    python3           # the agent
    python3-venv
    ca-certificates
    tzdata
    "${builds[@]}"
    "$@"
)

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query --show --showformat '${db:Status-Abbrev}' "$package" 2>/dev/null) || state=
    [ "${state# }" = "ii " ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

if ! command -v apt-get >/dev/null; then
    fail "this machine has no apt-get: Sheen's workers need Debian 12 or later, or these packages by other means: ${missing[*]}"
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null && ! { [ -t 0 ] && sudo -v; }; then
        fail "no right to install: run \"apt-get install ${missing[*]}\" as root, or let this user use sudo"
    fi
    as_root=(sudo)
fi

printf 'Debian packages: %s\n' "${missing[*]}"
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@"
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt update && apt install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail "apt-get could not install ${missing[*]}; what it said is above"
fi
