"""A master for a measurement: its configuration, its start, and what it costs and shows."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

CONFIG = """
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
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def prepare(basedir, tables):
    """Writes a configuration with a builder, and these tables."""
    os.makedirs(basedir, mode=0o700, exist_ok=True)
    path = f"{basedir}/master.toml"
    with open(path, "w") as file:
        file.write(CONFIG.format(port=free_port()) + tables)
    os.chmod(path, 0o600)


@contextlib.contextmanager
def running(program, basedir):
    """A master that is ready; killed at the end, unless it has ended before."""
    path = f"{basedir}/log"
    with open(path, "w") as log:
        master = subprocess.Popen([program, "start", "--nodaemon", basedir], stdout=log, stderr=log)
    try:
        while "is running" not in open(path).read():
            if master.poll() is not None:
                sys.exit(open(path).read())
            time.sleep(0.02)
        yield master
    finally:
        master.kill()
        master.wait()


def show(program, basedir, *words):
    """What `buildmaster show` prints for programs."""
    command = [program, "show", *words, "--json", "--basedir", basedir]
    return list(map(json.loads, subprocess.check_output(command, text=True).splitlines()))


def cpu(pid):
    """Seconds of the process, and of the programs that it has waited for."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    ticks = [int(field) for field in fields[11:15]]
    hz = os.sysconf("SC_CLK_TCK")
    return (ticks[0] + ticks[1]) / hz, (ticks[2] + ticks[3]) / hz


def peak_mib(pid):
    """The most memory that the process had."""
    line = next(line for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024
