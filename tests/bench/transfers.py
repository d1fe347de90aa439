#!/usr/bin/env python3
"""Transfers large files between a master and a slave, and prints what they cost the master.

    tests/bench/transfers.py PROGRAM [--buildslave PATH] [--mib 256] [--times 4] [--blocksize SIZE]

PROGRAM is a `buildmaster` of a release build. The slave is the native one, or with --buildslave
that of Buildbot 0.8 (`.peers/bb0814/bin/buildslave`) or a `buildbot-worker`. A file of --mib MiB is
uploaded and then downloaded --times times, in builds of their own. Prints for each direction the
CPU seconds of the master per GiB, the throughput, and the peak of its resident memory.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

MASTER = """
slave_port = "tcp:{port}:interface=127.0.0.1"
[[slaves]]
name = "s"
password = "x"
[factories.make]
steps = [{{ type = "ShellCommand", command = "head -c {mib}M /dev/urandom >{file}" }}]
[factories.upload]
steps = [{upload}]
[factories.download]
steps = [{download}]
[[schedulers]]
name = "none"
type = "Nightly"
builders = ["make", "upload", "download"]
hour = 3
month = 2
day_of_month = 29
"""
BUILDER = """
[[builders]]
name = "{name}"
slaves = ["s"]
factory = "{name}"
"""


def config(given, port, directory):
    file = f"{directory}/file"
    size = f", blocksize = \"{given.blocksize}\"" if given.blocksize else ""
    upload = f'{{ type = "FileUpload", slavesrc = "{file}", masterdest = "public/file"{size} }}'
    download = (f'{{ type = "FileDownload", mastersrc = "public/file", slavedest = "back"{size} }}')
    text = MASTER.format(port=port, mib=given.mib, file=file,
                         upload=", ".join([upload] * given.times),
                         download=", ".join([download] * given.times))
    return text + "".join(BUILDER.format(name=name) for name in ("make", "upload", "download"))


def ask(program, basedir, *words):
    printed = subprocess.check_output([program, *words, "--json", "--basedir", basedir], text=True)
    return [json.loads(line) for line in printed.splitlines()]


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait(what, is_done):
    for _ in range(3000):
        if is_done():
            return
        time.sleep(0.2)
    sys.exit(f"waited in vain for {what}")


def start_slave(given, port, directory):
    program = given.buildslave
    if program is None:
        # Under this name, the program is the native slave.
        program = f"{directory}/buildslave"
        os.symlink(os.path.abspath(given.program), program)
    create = "create-worker" if "worker" in os.path.basename(program) else "create-slave"
    basedir = f"{directory}/slave"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([program, create, basedir, f"127.0.0.1:{port}", "s", "x"], check=True, **quiet)
    return subprocess.Popen([program, "start", "--nodaemon", basedir], **quiet)


def build(given, basedir, name):
    """Has the builder build, and waits for the end."""
    subprocess.run([given.program, "force", name, "--basedir", basedir], check=True,
                   stdout=subprocess.DEVNULL)

    def is_over():
        builds = ask(given.program, basedir, "show", "builds", name)
        return bool(builds) and builds[0].get("result") is not None
    wait(f"the build of {name}", is_over)
    result = ask(given.program, basedir, "show", "builds", name)[0]["result"]
    if result != "success":
        sys.exit(f"{name}: {result}")


def measure(given, basedir, master):
    gib = given.mib * given.times / 1024
    for name in ("upload", "download"):
        before, begin = cpu(master.pid), time.monotonic()
        build(given, basedir, name)
        used, took = cpu(master.pid) - before, time.monotonic() - begin
        peak = [line for line in open(f"/proc/{master.pid}/status") if "VmHWM" in line][0]
        print(f"{name}: {used / gib:.2f} CPU s/GiB, {1024 * gib / took:.0f} MiB/s, peak "
              f"{int(peak.split()[1]) // 1024} MiB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--buildslave")
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--blocksize")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        basedir, port = f"{directory}/master", 29000 + os.getpid() % 1000
        os.mkdir(basedir, 0o700)
        with open(f"{basedir}/master.toml", "w") as file:
            file.write(config(given, port, directory))
        os.chmod(f"{basedir}/master.toml", 0o600)
        log = open(f"{directory}/log", "w")
        started = [subprocess.Popen([given.program, "start", "--nodaemon", basedir], stdout=log,
                                    stderr=log)]
        try:
            wait("the master", lambda: "is running" in open(log.name).read())
            started.append(start_slave(given, port, directory))
            wait("the slave", lambda: ask(given.program, basedir, "show", "slaves")[0]["connected"])
            build(given, basedir, "make")
            measure(given, basedir, started[0])
        finally:
            for process in started:
                process.kill()
                process.wait()


main()
