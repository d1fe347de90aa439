#!/usr/bin/env bash
# Installs programs and libraries from PyPI for the end-to-end tests:
#
#   tests/from_pypi.sh oidc      an OpenID Connect provider, oidc-provider-mock, which stands on
#                                Authlib and logs everybody in
#   tests/from_pypi.sh mail      a mail server, aiosmtpd
#   tests/from_pypi.sh readers   what tests/web_readers.py reads a master with
#
# Prints the directory of the programs: `oidc/bin` and so on beside the peers (see
# tests/peers.sh). If it is there already, nothing is done. Without a usable Python 3 it prints
# nothing; with REQUIRE_PEERS=1 that is an error.

set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
peers=${BUILDMASTER_PEERS:-$project/.peers}
name=${1:?mail, oidc or readers}
# What is installed without what it says that it needs.
bare=
case $name in
    mail) recipe="aiosmtpd==1.4.6" ;;
    oidc) recipe="oidc-provider-mock==0.3.4 Authlib==1.9.10" ;;
    readers)
        recipe="feedparser==6.0.14 prometheus-client==0.26.0 openapi-spec-validator==0.9.0"
        recipe+=" defusedxml==0.7.1"
        # The rest of it is windows.
        bare="BuildNotify==3.0.0"
        ;;
    *)
        echo "there is no $name: mail, oidc or readers" >&2
        exit 2
        ;;
esac
directory=$peers/.built/$name-$(cksum <<<"$recipe${bare:+ $bare}" | cut -d ' ' -f 1)

find_python() {
    local candidate
    for candidate in python3.12 python3.11 python3.13 python3.10 python3; do
        "$candidate" -c 'import sys, ssl, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' \
            2>/dev/null && type -P "$candidate" && return
    done
    echo "$name needs Python 3.10 or later with venv" >&2
    return 1
}

mkdir -p "$peers/.built"
exec 9>"$peers/.lock-$name"
flock 9
if [ "$(readlink "$peers/$name" || true)" != "$directory" ]; then
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
    if [ "$bare" ]; then
        "$directory/bin/python" -m pip install --quiet --no-input --no-deps "$bare" >&2
    fi
    ln -sfn "$directory" "$peers/$name"
fi
echo "$peers/$name/bin"
