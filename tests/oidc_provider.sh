#!/usr/bin/env bash
# Installs an OpenID Connect provider from PyPI for the end-to-end tests: oidc-provider-mock, which
# stands on Authlib and logs everybody in.
#
#   tests/oidc_provider.sh
#
# Prints the path of the program: `oidc/bin/oidc-provider-mock` beside the peers (see
# tests/peers.sh). If it is there already, nothing is done. Without a usable Python 3 it prints
# nothing; with REQUIRE_PEERS=1 that is an error.

set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
peers=${BUILDMASTER_PEERS:-$project/.peers}
recipe="oidc-provider-mock==0.3.4 Authlib==1.9.10"
directory=$peers/.built/oidc-$(cksum <<<"$recipe" | cut -d ' ' -f 1)

find_python() {
    local candidate
    for candidate in python3.12 python3.11 python3.13 python3.10 python3; do
        "$candidate" -c 'import sys, ssl, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' \
            2>/dev/null && type -P "$candidate" && return
    done
    echo "the login provider needs Python 3.10 or later with venv" >&2
    return 1
}

mkdir -p "$peers/.built"
exec 9>"$peers/.lock-oidc"
flock 9
if [ "$(readlink "$peers/oidc" || true)" != "$directory" ]; then
    python=$(find_python) || {
        [ "${REQUIRE_PEERS:-0}" != 1 ]
        exit
    }
    unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONWARNINGS=ignore
    rm -rf "$directory"
    "$python" -m venv "$directory"
    # shellcheck disable=SC2086  # a list of words
    "$directory/bin/python" -m pip install --quiet --no-input $recipe >&2
    ln -sfn "$directory" "$peers/oidc"
fi
echo "$peers/oidc/bin/oidc-provider-mock"
