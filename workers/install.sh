#!/usr/bin/env bash
# Installs what a worker needs from Debian 12 or later, for the image and for the local stack alike.
# Usage: workers/install.sh [--builds] [--repository URL] [PACKAGE…]
#   --builds          also what R CMD INSTALL compiles with, for the task that builds versions
#   --repository URL  R's packages from a CRAN-like repository, not from Debian; what they are compiled with does not stay
#   PACKAGE…          more packages to install along with the worker's
# Does nothing, and asks for no rights, when all of it is there.
set -euo pipefail

# What R's own Makeconf names, and what odbc is built on, no more: r-base-dev brings twice as much. What an app's packages link with beyond that
# (libxml2-dev…), and the library itself for the workers, an operator adds to both lists.
compilers=(g++ gfortran make libblas-dev liblapack-dev zlib1g-dev libbz2-dev liblzma-dev libpcre2-dev libicu-dev unixodbc-dev)
builds=()
repository=
while true; do
    case "${1:-}" in
        --builds)
            builds=("${compilers[@]}")
            shift
            ;;
        --repository)
            repository=$2
            shift 2
            ;;
        *) break ;;
    esac
done
if [ -z "$repository" ]; then
    r_packages=(
        r-cran-shiny
        r-cran-cairo # plots that look the same everywhere (FACTS R8)
        r-cran-rmarkdown
        r-cran-dbi
        r-cran-rodbc # Debian has no odbc
        libjs-twitter-bootstrap-datepicker # dateInput's calendar, which r-cran-shiny only links to (FACTS R8)
    )
else
    r_packages=(libcairo2 libxt6) # what Cairo is linked with
fi
packages=(
    r-base-core # R itself
    "${r_packages[@]}"
    pandoc # what rmarkdown renders with
    unixodbc
    odbc-postgresql
    libsqliteodbc
    tdsodbc           # FreeTDS, for SQL Server and Sybase
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
if [ ${#missing[@]} -eq 0 ] && [ -z "$repository" ]; then
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

printf 'Debian packages: %s\n' "${missing[*]:-none missing}"
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@"
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
try() { # WHAT COMMAND…: says what came out of it only when it fails
    local what=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "$what; what it said is above"
    fi
}
try "apt-get could not update its lists" apt update
if [ ${#missing[@]} -gt 0 ]; then
    try "apt-get could not install ${missing[*]}" apt install --no-install-recommends "${missing[@]}"
fi
if [ -n "$repository" ]; then
    here=$(cd "$(dirname "$0")" && pwd)
    # Compilers that were not there before go again, with all that came with them.
    mapfile -t before < <(dpkg-query --show --showformat '${binary:Package}\n')
    try "apt-get could not install ${compilers[*]}" apt install --no-install-recommends "${compilers[@]}" libcairo2-dev libxt-dev
    try "R packages could not be installed from $repository" "${as_root[@]}" Rscript --vanilla "$here/r/packages.R" "$repository"
    mapfile -t added < <(dpkg-query --show --showformat '${binary:Package}\n' | grep -Fxv -f <(printf '%s\n' "${before[@]}"))
    if [ ${#builds[@]} -eq 0 ] && [ ${#added[@]} -gt 0 ]; then
        try "apt-get could not remove ${added[*]}" apt purge "${added[@]}"
    fi
fi
