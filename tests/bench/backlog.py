#!/usr/bin/env python3
"""Has a master catch up with many commits after a down time, for each version control system.

    tests/bench/backlog.py PROGRAM [--commits 10000] [git hg svn bzr cvs]

PROGRAM is a `buildmaster` of a release build. For each system, a repository with one commit is
polled once, the master is stopped, the commits are made, and the master is started again. Each
commit must be one change, in the order of the commits. Prints the CPU time a change: of the master
itself, and of the programs of the system that it runs. Darcs and Monotone have no poller; theirs
are hooks. For bzr, this must be run by the Python that Breezy is installed for.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

from running import cpu, peak_mib, prepare, running, show


def sh(script, directory, text=None):
    env = dict(os.environ, HOME=directory, GIT_CONFIG_GLOBAL="/dev/null", HGPLAIN="1",
               BRZ_EMAIL="a <a@e>", BRZ_LOG="/dev/null", BZR=BZR)
    subprocess.run(["sh", "-ec", script], cwd=directory, env=env, input=text, check=True,
                   stdout=subprocess.DEVNULL)


def git(directory, count):
    if count == 0:
        sh("git init -q -b main repo; cd repo; git -c user.name=a -c user.email=a@e commit -q "
           "--allow-empty -m 0", directory)
        return f'type = "GitPoller"\nrepourl = "{directory}/repo"'
    stream = "".join(
        f"commit refs/heads/main\ncommitter a <a@e> {1_700_000_000 + n} +0000\ndata {len(str(n))}\n{n}\n"
        + ("from refs/heads/main^0\n" if n == 1 else "") + f"M 644 inline f{n % 500}\ndata 1\nx\n"
        for n in range(1, count + 1))
    sh("cd repo; git fast-import --quiet", directory, stream.encode())


def hg(directory, count):
    if count == 0:
        sh("hg init repo; cd repo; echo 0 >f; hg commit -qA -u a -m 0", directory)
        return f'type = "HgPoller"\nrepourl = "{directory}/repo"'
    patches = "".join(
        f"# HG changeset patch\n# User a <a@e>\n# Date {1_700_000_000 + n} 0\n{n}\n\n"
        f"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,1 +1,1 @@\n-{n - 1}\n+{n}\n"
        for n in range(1, count + 1))
    sh("cd repo; hg import -q --bypass -", directory, patches.encode())


def svn(directory, count):
    if count == 0:
        sh("svnadmin create repo; svn -q mkdir -m 0 file://$PWD/repo/trunk", directory)
        return (f'type = "SVNPoller"\nrepourl = "file://{directory}/repo"\n'
                'split_file = "branches"')
    dump = ["SVN-fs-dump-format-version: 2\n\n"]
    for n in range(2, count + 2):
        props = f"K 7\nsvn:log\nV {len(str(n - 1))}\n{n - 1}\nK 10\nsvn:author\nV 1\na\nPROPS-END\n"
        dump.append(f"Revision-number: {n}\nProp-content-length: {len(props)}\n"
                    f"Content-length: {len(props)}\n\n{props}\n")
        # A directory of many files is written anew with each revision.
        action = "add" if n < 102 else "change"
        text = str(n)
        dump.append(f"Node-path: trunk/f{n % 100}\nNode-kind: file\nNode-action: {action}\n"
                    f"Prop-content-length: 10\nText-content-length: {len(text)}\n"
                    f"Content-length: {10 + len(text)}\n\nPROPS-END\n{text}\n\n")
    sh("svnadmin load -q --no-flush-to-disk repo", directory, "".join(dump).encode())


def cvs(directory, count):
    if count == 0:
        sh("cvs -f -d $PWD/repo init; mkdir repo/project; touch repo/project/.keep", directory)
        return f'type = "CVSPoller"\ncvsroot = "{directory}/repo"\ncvsmodule = "project"'
    # One revision of each file, each a commit of its own.
    now = int(time.time())
    for n in range(1, count + 1):
        date = time.strftime("%Y.%m.%d.%H.%M.%S", time.gmtime(now - 30 + 20 * n // count))
        with open(f"{directory}/repo/project/f{n},v", "w") as file:
            file.write(f"head\t1.1;\naccess;\nsymbols;\nlocks; strict;\n\n1.1\ndate\t{date};\t"
                       f"author a;\tstate Exp;\nbranches;\nnext\t;\n\ndesc\n@@\n\n1.1\nlog\n"
                       f"@{n}\n@\ntext\n@x\n@\n")


BZR = """
import sys
import breezy.bzr
from breezy.branch import Branch
from breezy.commit import NullCommitReporter
from breezy.memorytree import MemoryTree
with breezy.initialize():
    tree = MemoryTree.create_on_branch(Branch.open("repo"))
    with tree.lock_write():
        for n in range(1, int(sys.argv[1]) + 1):
            tree.put_file_bytes_non_atomic("f", str(n).encode())
            tree.commit(str(n), committer="a <a@e>", timestamp=1700000000 + n, timezone=0,
                        reporter=NullCommitReporter())
"""


def bzr(directory, count):
    if count == 0:
        sh("bzr init -q repo; cd repo; echo 0 >f; bzr add -q; bzr commit -qm 0", directory)
        return f'type = "BzrPoller"\nrepourl = "{directory}/repo"'
    # Without a working tree, which would be most of the time.
    sh(f"{sys.executable} -c \"$BZR\" {count}", directory)


SYSTEMS = {"git": git, "hg": hg, "svn": svn, "bzr": bzr, "cvs": cvs}


def is_in_order(name, messages, count):
    """Whether each commit is there once, in order. CVS knows only seconds."""
    if sorted(messages) != list(range(1, count + 1)):
        return False
    place = (lambda n: 20 * n // count) if name == "cvs" else int
    places = list(map(place, messages))
    return places == sorted(places)


def measure(program, name, count):
    with tempfile.TemporaryDirectory() as directory:
        basedir = f"{directory}/master"
        source = SYSTEMS[name](directory, 0)
        prepare(basedir, f'[[change_sources]]\nname = "code"\npoll_interval = "1h"\n{source}\n')
        with running(program, basedir) as master:
            while show(program, basedir, "sources")[0]["last_success"] is None:
                time.sleep(0.1)
            master.send_signal(signal.SIGTERM)
            master.wait()
        SYSTEMS[name](directory, count)
        begin = time.monotonic()
        with running(program, basedir) as master:
            while (state := show(program, basedir, "sources")[0])["taken"] < count:
                if state["last_error"]:
                    print(f"{name}: {state['last_error']}")
                    return False
                time.sleep(0.5)
            took = time.monotonic() - begin
            own, tools = cpu(master.pid)
            print(f"{name}: {state['taken']} changes in {took:.1f} s; CPU a change: master "
                  f"{1000 * own / count:.3f} ms, {name} {1000 * tools / count:.3f} ms; peak "
                  f"{peak_mib(master.pid)} MiB")
            changes = show(program, basedir, "changes", "--limit", str(2 * count))
        changes.sort(key=lambda change: change["number"])
        good = is_in_order(name, [int(change["comments"]) for change in changes], count)
        if not good:
            print(f"{name}: the changes are not the commits in their order")
        return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("systems", nargs="*", default=list(SYSTEMS))
    parser.add_argument("--commits", type=int, default=10000)
    given = parser.parse_intermixed_args()
    done = [measure(given.program, name, given.commits) for name in given.systems]
    sys.exit(not all(done))


main()
