#!/usr/bin/env bash
# Fetches the hook scripts of Buildbot 0.8.14 from PyPI, unmodified, for the end-to-end tests: those
# of its contrib directory, with a Mercurial and a Bazaar of their time for those that run inside of
# them.
#
#   tests/hook_scripts.sh
#
# They go beside the peers (see tests/peers.sh), whose `bb0814` runs them: hooks0814/contrib, and
# the libraries in hooks0814/lib. Prints `hooks0814 ok`, or `hooks0814 skipped: REASON`, and exits
# with 0 then. A second run is instant.

set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
peers=${BUILDMASTER_PEERS:-$project/.peers}
python=$peers/bb0814/bin/python

fetch() {
    "$python" -m pip install --quiet --no-input --no-deps --target "$1/lib" \
        mercurial==3.9.2 bzr==2.7.0 || return
    "$python" -m pip download --quiet --no-input --no-deps --no-binary :all: --dest "$1" \
        buildbot==0.8.14 || return
    tar -xzf "$1/buildbot-0.8.14.tar.gz" -C "$1" --strip-components=1 buildbot-0.8.14/contrib
}

main() {
    local directory
    if [ ! -x "$python" ]; then
        echo "hooks0814 skipped: the peer bb0814 is not installed"
        return
    fi
    unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONWARNINGS=ignore
    exec 9>"$peers/.hooks.lock"
    flock 9
    directory=$peers/.built/hooks0814-$(cksum <"${BASH_SOURCE[0]}" | cut -d ' ' -f 1)
    if [ ! -e "$directory/complete" ]; then
        rm -rf "$directory"
        mkdir -p "$directory"
        if ! fetch "$directory" >"$peers/hooks0814.log" 2>&1; then
            tail -n 20 "$peers/hooks0814.log" >&2
            echo "hooks0814 skipped: it cannot be fetched, see $peers/hooks0814.log"
            return
        fi
        touch "$directory/complete"
    fi
    ln -sfn "${directory#"$peers/"}" "$peers/hooks0814"
    echo "hooks0814 ok"
}

main
