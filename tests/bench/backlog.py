#!/usr/bin/env python3
"""Has a master catch up with many commits after a down time, for each version control system.

    tests/bench/backlog.py PROGRAM [--commits 10000] [git hg svn cvs]

PROGRAM is a `buildmaster` of a release build. For each system, a repository with one commit is
polled once, the master is stopped, the commits are made, and the master is started again. Prints
the CPU time a change: of the master itself, and of the programs of the system that it runs.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

MASTER = """
slave_port = "tcp:{port}:interface=127.0.0.1"
[[slaves]]
name = "s"
password = "x"
[factories.f]
steps = [{{ type = "ShellCommand", command = "true" }}]
[[builders]]
name = "b"
slaves = ["s"]
factory = "f"
[[schedulers]]
name = "each"
type = "AnyBranch"
builders = ["b"]
tree_stable_timer = "1h"
[[change_sources]]
name = "code"
poll_interval = "1h"
{source}
"""


def sh(script, directory, text=None):
    env = dict(os.environ, HOME=directory, GIT_CONFIG_GLOBAL="/dev/null", HGPLAIN="1")
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
        props = f"K 7\nsvn:log\nV {len(str(n))}\n{n}\nK 10\nsvn:author\nV 1\na\nPROPS-END\n"
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


SYSTEMS = {"git": git, "hg": hg, "svn": svn, "cvs": cvs}


def cpu(pid):
    """Seconds of the process, and of the programs that it has waited for."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    ticks = [int(field) for field in fields[11:15]]
    hz = os.sysconf("SC_CLK_TCK")
    return (ticks[0] + ticks[1]) / hz, (ticks[2] + ticks[3]) / hz


def start(program, basedir):
    log = open(f"{basedir}/log", "w")
    master = subprocess.Popen([program, "start", "--nodaemon", basedir], stdout=log, stderr=log)
    while "is running" not in open(f"{basedir}/log").read():
        if master.poll() is not None:
            sys.exit(open(f"{basedir}/log").read())
        time.sleep(0.02)
    return master


def source(program, basedir):
    show = [program, "show", "sources", "--json", "--basedir", basedir]
    return json.loads(subprocess.check_output(show, text=True).splitlines()[0])


def measure(program, name, count):
    with tempfile.TemporaryDirectory() as directory:
        basedir = f"{directory}/master"
        os.mkdir(basedir, 0o700)
        config = MASTER.format(port=29000 + os.getpid() % 1000, source=SYSTEMS[name](directory, 0))
        with open(f"{basedir}/master.toml", "w") as file:
            file.write(config)
        os.chmod(f"{basedir}/master.toml", 0o600)
        master = start(program, basedir)
        while source(program, basedir)["last_success"] is None:
            time.sleep(0.1)
        master.send_signal(signal.SIGTERM)
        master.wait()
        SYSTEMS[name](directory, count)
        begin = time.monotonic()
        master = start(program, basedir)
        try:
            while (state := source(program, basedir))["taken"] < count:
                if state["last_error"]:
                    print(f"{name}: {state['last_error']}")
                    return False
                time.sleep(0.5)
            took = time.monotonic() - begin
            own, tools = cpu(master.pid)
            peak = [line for line in open(f"/proc/{master.pid}/status") if "VmHWM" in line][0]
            print(f"{name}: {state['taken']} changes in {took:.1f} s; CPU a change: master "
                  f"{1000 * own / count:.3f} ms, {name} {1000 * tools / count:.3f} ms; peak "
                  f"{int(peak.split()[1]) // 1024} MiB")
        finally:
            master.kill()
            master.wait()
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("systems", nargs="*", default=list(SYSTEMS))
    parser.add_argument("--commits", type=int, default=10000)
    given = parser.parse_args()
    done = [measure(given.program, name, given.commits) for name in given.systems]
    sys.exit(not all(done))


main()
