#!/usr/bin/env bash
# Installs unmodified Buildbot masters, slaves, workers and clients from PyPI, for the end-to-end
# tests.
#
#   tests/peers.sh [NAME …]        all of them by default
#
# The peers go to $BUILDMASTER_PEERS, by default `.peers` in the project: NAME/bin/buildbot and so
# on. A peer that was installed by the current recipe is kept, so a second run is instant. Prints
# one line for each peer: `NAME ok`, or `NAME skipped: REASON` if the machine lacks its Python. Both
# exit with 0. With REQUIRE_PEERS=1 a missing Python is an error, unless it is one that is no longer
# maintained: 2.7 or 3.7. Any other failure is always an error.
#
#   bb0814   Buildbot 0.8.14: master, slave, clients       Python 2.7
#   bb0712   Buildbot 0.7.12: master, slave, clients       Python 2.7
#   bb0915   Buildbot 0.9.15: reads configurations         Python 3.7 or 3.8
#   bb210    Buildbot 2.10.5: reads configurations         Python 3.9 to 3.11
#   bb43     Buildbot 4.3.0: master, worker, clients       Python 3.9 or later
#   bw3119   worker 3.11.9                                 Python 3.9 to 3.12
#   bw0915   worker 0.9.15                                 Python 2.7
#
# A virtual environment cannot be moved. So each environment is built in a separate directory named
# after the peer and its recipe, and a symbolic link is created when the environment is complete. A
# lock makes concurrent runs wait for each other.

set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
peers=${BUILDMASTER_PEERS:-$project/.peers}
known=(bb0814 bb0712 bb0915 bb210 bb43 bw3119 bw0915)

# What Twisted 20.3, the last for Python 2.7, needs in versions that still run there.
twisted27="Twisted==20.3.0 attrs==21.4.0 Automat==0.8.0 constantly==15.1.0 hyperlink==21.0.0 idna==2.10
    incremental==17.5.0 PyHamcrest==1.10.1 six==1.17.0 typing==3.10.0.0 zope.interface==5.5.2"

# recipe NAME: the Python series that will do, best first, then one line for each call of pip.
recipe() {
    case $1 in
    bb0814)
        echo 2.7
        echo $twisted27 Jinja2==2.11.3 MarkupSafe==1.1.1 SQLAlchemy==0.7.10 Tempita==0.5.2 \
            decorator==4.4.2 python-dateutil==1.5
        # Their own requirements would bring in releases that no longer run on Python 2.7.
        echo --no-deps sqlalchemy-migrate==0.7.2 buildbot==0.8.14 buildbot-slave==0.8.14
        ;;
    bb0712)
        echo 2.7
        echo zope.interface==4.7.2 Twisted==10.2.0
        echo --no-deps buildbot==0.7.12
        ;;
    bb0915)
        echo 3.7 3.8
        echo Twisted==20.3.0 zope.interface==5.5.2 SQLAlchemy==1.3.24 sqlalchemy-migrate==0.13.0 \
            Jinja2==2.11.3 MarkupSafe==2.0.1 PyJWT==1.7.1 PyYAML==6.0.1 autobahn==19.11.2 \
            txaio==18.8.1 future==0.18.3 python-dateutil==2.8.2
        echo --no-deps buildbot==0.9.15.post1
        ;;
    bb210)
        echo 3.11 3.10 3.9
        echo setuptools==75.8.0 Twisted==22.10.0 zope.interface==6.0 SQLAlchemy==1.3.24 \
            sqlalchemy-migrate==0.13.0 Jinja2==3.0.3 PyJWT==2.8.0 PyYAML==6.0.1 msgpack==1.0.8 \
            autobahn==19.11.2 txaio==18.8.1 python-dateutil==2.8.2
        echo --no-deps buildbot==2.10.5
        ;;
    bb43)
        echo 3.12 3.11 3.13 3.10 3.14 3.9
        echo "Twisted>=24.7,<27" "SQLAlchemy>=2,<3" setuptools buildbot==4.3.0 buildbot-worker==4.3.0
        ;;
    bw3119)
        echo 3.11 3.10 3.12 3.9
        echo Twisted==23.10.0 setuptools buildbot-worker==3.11.9
        ;;
    bw0915)
        echo 2.7
        echo $twisted27 future==0.18.3
        echo --no-deps buildbot-worker==0.9.15.post1
        ;;
    *)
        echo "unknown peer $1; known are: ${known[*]}" >&2
        exit 2
        ;;
    esac
}

# Prints the path of a working interpreter of one of the given series, from PATH or pyenv. Every
# candidate is tried out, because a name on PATH may be a placeholder, and Debian has Pythons
# without `venv`.
find_python() {
    local series candidate
    for series in "$@"; do
        for candidate in "$(type -P "python$series" || true)" \
            "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$series".*/bin/"python$series"; do
            [ -x "$candidate" ] || continue
            probe "$candidate" "$series" && return 0
        done
    done
    return 1
}

probe() {
    local modules="sqlite3, ssl, zlib"
    [ "$2" = 2.7 ] || modules="$modules, venv, ensurepip"
    "$1" -c "import sys, $modules; print(sys.executable)" 2>/dev/null
}

# pip ENVIRONMENT ARGUMENT …: tries twice, since registries have bad moments.
pip() {
    local environment=$1
    shift
    "$environment/bin/python" -m pip install --quiet --no-input "$@" && return
    echo "pip failed, trying once more"
    "$environment/bin/python" -m pip install --quiet --no-input "$@"
}

# make_environment PYTHON SERIES DIRECTORY
make_environment() {
    if [ "$2" != 2.7 ]; then
        "$1" -m venv "$3"
        return
    fi
    # The last virtualenv that supports Python 2.7, run by any Python 3. The machine's Python 2.7
    # needs no pip, and is not modified.
    local tool=$3.virtualenv python3
    python3=$(find_python 3.11 3.10 3.9 3.12 3.13) || {
        echo "virtualenv for Python 2.7 needs a Python 3"
        return 1
    }
    rm -rf "$tool"
    "$python3" -m venv "$tool" &&
        pip "$tool" setuptools virtualenv==20.21.1 &&
        "$tool/bin/virtualenv" --quiet --python "$1" "$3" &&
        rm -rf "$tool"
}

# SQLite 3.26 and later also rewrites references to a renamed table, which breaks the migrations of
# Buildbot 0.8. This restores the old behaviour for every connection in the environment, without a
# change to Buildbot.
keep_old_renames() {
    local site
    site=$(echo "$1"/lib/python2.7/site-packages)
    cat >"$site/old_renames.py" <<'PYTHON'
import sqlite3
from sqlite3 import dbapi2


def connect(*args, **kwargs):
    connection = original(*args, **kwargs)
    connection.execute("PRAGMA legacy_alter_table = ON")
    return connection


original = dbapi2.connect
sqlite3.connect = dbapi2.connect = connect
PYTHON
    echo "import old_renames" >"$site/old_renames.pth"
}

# build NAME PYTHON SERIES DIRECTORY. (Bash ignores `set -e` inside conditions, hence every
# `|| return`.)
build() {
    local line
    make_environment "$2" "$3" "$4" || return
    while read -r line; do
        # shellcheck disable=SC2086  # a line is a list of words
        pip "$4" $line </dev/null || return
    done < <(recipe "$1" | tail -n +2)
    [ "$1" != bb0814 ] || keep_old_renames "$4"
}

# install NAME: prints what became of it.
install() {
    local name=$1 text stamp directory python series
    text=$(recipe "$name")
    # This file is part of the stamp: what it does to an environment is.
    stamp=$(cat "${BASH_SOURCE[0]}" <(echo "$text") | cksum | cut -d ' ' -f 1)
    directory=$peers/.built/$name-$stamp
    if [ "$(readlink "$peers/$name" || true)" = ".built/$name-$stamp" ] && [ -x "$directory/bin/python" ]; then
        echo "$name ok"
        return 0
    fi
    # shellcheck disable=SC2046  # a list of words
    python=$(find_python $(head -n 1 <<<"$text")) || {
        echo "$name skipped: no usable Python $(head -n 1 <<<"$text" | sed 's/ / or /g') on PATH or in pyenv"
        [ "${REQUIRE_PEERS:-0}" != 1 ] || [[ $text == 2.7* || $text == 3.7* ]]
        return
    }
    series=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    rm -rf "$peers/.built/$name-"*
    if ! build "$name" "$python" "$series" "$directory" >"$peers/$name.log" 2>&1; then
        tail -n 20 "$peers/$name.log" >&2
        echo "$name failed, see $peers/$name.log"
        return 1
    fi
    ln -sfn ".built/$name-$stamp" "$peers/$name.new"
    mv -fT "$peers/$name.new" "$peers/$name"
    echo "$name ok"
}

main() {
    local name failed=0
    [ $# -gt 0 ] || set -- "${known[@]}"
    for name in "$@"; do
        recipe "$name" >/dev/null
    done
    # Environment variables of the caller's own Python would reach into those made here.
    unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONWARNINGS=ignore
    mkdir -p "$peers/.built"
    exec 9>"$peers/.lock"
    flock 9
    for name in "$@"; do
        install "$name" || failed=1
    done
    exit "$failed"
}

main "$@"
