#!/usr/bin/env bash
# Installs the clients of Buildbot 0.7.12, unmodified from PyPI, for the end-to-end tests. They run
# in the environment of the peer bb0814, whose Twisted they can use (see tests/peers.sh).
#
#   tests/client_0712.sh
#
# Prints the directory that has to be on PYTHONPATH: `bb0712` beside the other peers. If it is there
# already, nothing is done.

set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
peers=${BUILDMASTER_PEERS:-$project/.peers}
directory=$peers/bb0712

exec 9>"$peers/.lock-bb0712"
flock 9
if [ ! -d "$directory" ]; then
    unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONWARNINGS=ignore
    rm -rf "$directory.new"
    "$peers/bb0814/bin/python" -m pip install --quiet --no-input --no-deps \
        --target "$directory.new" buildbot==0.7.12 >&2
    mv -T "$directory.new" "$directory"
fi
echo "$directory"
