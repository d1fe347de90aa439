#!/usr/bin/env python3
"""Moves a farm of Buildbot and compares the commands that its slaves are sent before and after.

    tests/moving/compare.py BUILDMASTER PEERS FARM [--builds N] [--fresh] [--mixed] [--dir DIR]

FARM is a dump in the format "buildmaster farm" (`.json`, `.json.gz`), which is built anew with the
classes of Buildbot 0.8.14, or a `master.cfg`, which is executed by `--peer` (bb0814 or bb43) itself.
PEERS is the directory of `tests/peers.sh`.

The farm is imported, all its questions are answered with fixed values, our master is started on the
result, and its slaves attach: the library of real slaves with all commands replaced by a recorder
that says success. N builds are forced, over as many different builders as there are, without and
with branch, revision and properties. The same is done with a real master. The commands are compared
build by build, with all arguments; prints the differences, and exits with 1 if there are any.

With `--fresh` nothing is checked out on the slaves yet. With `--mixed` every second slave of ours is
a worker of Buildbot 4.3.

What could act on this machine is taken out of a dump first: change sources, status targets, timed
schedulers, commands of the master (printed instead), absolute paths of the master.
"""

import argparse
import gzip
import itertools
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REVISION = "fedcba9876543210fedcba9876543210fedcba98"
NUMBER = "120034"
SLAVE_ARGS = ("name", "password", "max_builds", "properties", "locks")
DECIDING = ("nextBuild", "nextSlave", "nextWorker", "canStartBuild", "mergeRequests",
            "collapseRequests")
PATIENCE = 240
FORMS = 20


def tame(dump, port):
    """The farm without what would act beyond this directory."""
    settings = {key: value for key, value in dump["settings"].items()
                if key in ("title", "titleURL", "buildbotURL", "properties")}
    slaves = {}
    for slave in dump["slaves"]:
        args = {key: value for key, value in slave["args"].items() if key in SLAVE_ARGS}
        args.setdefault("name", slave["name"])
        args["password"] = args.get("password") or "password"
        slaves.setdefault(args["name"], {"class": "BuildSlave", "args": args,
                                         "name": args["name"], "at": slave["at"]})
    for builder in dump["builders"]:
        builder["args"] = {key: value for key, value in builder["args"].items()
                           if key not in DECIDING}
        builder.pop("custom", None)
        builder.pop("overrides", None)
    for factory in dump["factories"]:
        for step in factory["steps"]:
            tame_step(step)
    for scheduler in dump["schedulers"]:
        scheduler.pop("custom", None)
        scheduler.pop("overrides", None)
    triggerables = [s for s in dump["schedulers"] if s["class"] == "Triggerable"]
    return dict(dump, settings=dict(settings, slavePortnum=port, mergeRequests=False),
                slaves=list(slaves.values()), schedulers=triggerables, change_sources=[],
                status=[], notes=[])


def tame_step(step):
    args = step["args"]
    if step["class"] == "MasterShellCommand":
        command = args.get("command") or step.get("attributes", {}).get("command")
        args["command"] = ["echo"] + (command if isinstance(command, list) else [command])
        args.pop("path", None)
    if "mastersrc" in args:
        args["mastersrc"] = "given-file"
    if "masterdest" in args:
        args["masterdest"] = relative(args["masterdest"])


def relative(value):
    if isinstance(value, dict) and "text" in value:
        return dict(value, text=relative(value["text"]))
    if isinstance(value, str):
        return "up/" + value.lstrip("/~").replace("../", "")
    return "up/file"


def functions_of(value, key=None):
    """All functions, each with the key where it stands."""
    if isinstance(value, list):
        for entry in value:
            yield from functions_of(entry)
    elif isinstance(value, dict):
        if value.get("!") in ("function", "renderer"):
            yield f"{value.get('file')}:{value.get('line')}", key
        else:
            for name, entry in value.items():
                yield from functions_of(entry, name)


def answered(question, keys):
    """An answer of `answers.toml`; `keys` says for which setting each function stands."""
    where, kind = question["where"], question["kind"]
    text = json.dumps(f"'answer of {where}'")
    if kind == "condition":
        return "answer = true"
    if kind == "value" and keys.get(where) == "command":
        return "answer = " + json.dumps("['answer', '%s']" % where)
    if kind == "value" and keys.get(where) == "env":
        return "answer = " + json.dumps("{'ANSWER': '%s'}" % where)
    if kind == "value":
        return "answer = " + text
    if kind == "extract":
        return "answer = { extracted = %s }" % text
    if kind == "result":
        return "answer = { result = \"'success'\" }"
    return "skip = true"


def questions_in(text):
    """The questions of an `answers.toml`."""
    for part in text.split("[[question]]")[1:]:
        yield dict(re.findall(r'^(id|kind|where) = "(.*)"$', part, re.MULTILINE))


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def is_open(port):
    with socket.socket() as connecting:
        return connecting.connect_ex(("127.0.0.1", port)) == 0


class Comparison:
    def __init__(self, options, directory):
        self.options = options
        self.dir = directory
        self.program = os.path.abspath(options.buildmaster)
        self.peers = os.path.abspath(options.peers)
        self.ci = self.path("ci")
        self.running = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, content):
        with open(self.path(name), "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content, indent=1))
        return self.path(name)

    def python(self, peer):
        return os.path.join(self.peers, peer, "bin/python")

    def ours(self, *args, codes=(0,)):
        done = subprocess.run([self.program, *args], capture_output=True, text=True)
        if done.returncode not in codes:
            sys.exit(f"{' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, name, *command, **more):
        log = open(self.path(name + ".log"), "w")
        process = subprocess.Popen(command, stdout=log, stderr=log, **more)
        self.running.append(process)
        return process

    def stop(self):
        for process in reversed(self.running):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def load(self, port):
        """The farm as a dump."""
        farm = self.options.farm
        if farm.endswith(".gz"):
            with gzip.open(farm) as file:
                return tame(json.load(file), port)
        if farm.endswith(".json"):
            with open(farm) as file:
                return tame(json.load(file), port)
        script = self.write("dump.py", self.ours("import-config", "--print-script"))
        out = self.path("dumped.json")
        subprocess.run([self.python(self.options.peer), script, "--out", out, farm], check=True,
                       stderr=subprocess.DEVNULL)
        with open(out) as file:
            dump = json.load(file)
        dump["settings"]["mergeRequests"] = False
        if "protocols" in dump["settings"]:
            dump["settings"]["protocols"]["pb"]["port"] = port
        else:
            dump["settings"]["slavePortnum"] = port
        return dump

    def import_farm(self, dump):
        """Imports it, and answers its questions; the own classes whose steps are left out."""
        farm = self.write("farm.json", dump)
        said = self.ours("import-config", farm, "--out", self.ci, codes=(0, 1))
        print(said.splitlines()[0])
        keys = dict(functions_of(dump))
        path = os.path.join(self.ci, "answers.toml")
        questions, given = [], self.given_answers()
        if os.path.exists(path):
            with open(path) as file:
                text = file.read()
            questions = list(questions_in(text))
            answers = iter([given.get(q["id"]) or answered(q, keys) for q in questions])
            text = re.sub(r'^answer = "".*$', lambda _: next(answers), text, flags=re.MULTILINE)
            with open(path, "w") as file:
                file.write(text)
        said = self.ours("import-config", farm, "--out", self.ci, "--force", codes=(0, 1))
        print(said.splitlines()[0])
        with open(os.path.join(self.ci, "given-file"), "w") as file:
            file.write("given\n")
        if self.options.peer == "bb43":  # whose numbers begin with 1
            numbers = "".join(f"{b['args']['name']}\t0\n" for b in dump["builders"])
            numbers = self.write("numbers", numbers)
            self.ours("import-state", self.dir, "--numbers", numbers, "--basedir", self.ci)
        return [question["id"] for question in questions
                if question["kind"] == "step class" and question["id"] not in given]

    def given_answers(self):
        """The answers that stand in the configuration itself."""
        if self.options.farm.endswith((".gz", ".json")):
            return {}
        with open(self.options.farm) as file:
            found = re.findall(r"^# answer (\w+) = (.*)$", file.read(), re.MULTILINE)
        return {name: f"answer = {answer}" for name, answer in found}

    def slaves(self, name, slaves, port, peer):
        record = self.path(name + ".jsonl")
        given = {"port": port, "dir": self.path("slaves"), "record": record,
                 "fresh": self.options.fresh, "slaves": {}}
        for slave in slaves:
            args = slave["args"]
            password = args.get("password") or args["*"][1]
            given["slaves"][args.get("name") or slave["name"]] = password
        file = self.write(name + "-slaves.json", given)
        self.start(name + "-slaves", self.python(peer), os.path.join(HERE, "slaves.py"), file)
        return record

    def run_ours(self, dump, port, requests):
        began = time.monotonic()
        self.start("ours", self.program, "start", "--nodaemon", self.ci)
        self.wait("our port", lambda: is_open(port))
        print(f"ours: the port is open after {time.monotonic() - began:.1f} s")
        slaves = dump["slaves"]
        workers = slaves[1::2] if self.options.mixed else []
        records = [self.slaves("ours", [s for s in slaves if s not in workers], port,
                               self.options.peer)]
        if workers:
            records.append(self.slaves("ours-workers", workers, port, "bb43"))
        self.wait("all slaves of ours", lambda: self.are_attached(len(dump["slaves"])))
        print(f"ours: all slaves are attached after {time.monotonic() - began:.1f} s")
        for request in requests:
            args = ["force", "--basedir", self.ci, "--reason", "forced"]
            for key in ("branch", "revision"):
                if request[key] is not None:
                    args += [f"--{key}", request[key]]
            for name, value in request["properties"].items():
                args += ["--property", f"{name}={value}"]
            self.ours(*args, "--", request["builder"])
            self.wait("a build of ours", self.is_idle)
        print(f"ours: {len(requests)} builds after {time.monotonic() - began:.1f} s")
        self.stop()
        return records

    def wait(self, what, is_so):
        until = time.monotonic() + PATIENCE
        while not is_so():
            for process in self.running:
                if process.poll() is not None:
                    sys.exit(f"{what}: {process.args} has ended; see {self.dir}")
            if time.monotonic() > until:
                sys.exit(f"{what}: not after {PATIENCE} s; see {self.dir}")
            time.sleep(0.02)

    def shown(self, *what):
        text = subprocess.run([self.program, "show", "--json", "--basedir", self.ci, *what],
                              capture_output=True, text=True).stdout
        return [json.loads(line) for line in text.splitlines()]

    def are_attached(self, count):
        slaves = self.shown("slaves")
        return sum(bool(slave.get("connected")) for slave in slaves) == count

    def is_idle(self):
        return not self.shown("requests")

    def run_real(self, dump, requests, left_out, slaves):
        peer = self.options.peer
        base = self.path("real")
        port = free_port()
        given = {"port": port, "requests": requests, "slaves": slaves, "left_out": left_out,
                 "done": self.path("done")}
        if self.options.farm.endswith((".gz", ".json")):
            given["dump"] = self.path("farm.json")
        else:
            given["config"] = os.path.abspath(self.options.farm)
        file = self.write("real.json", given)
        buildbot = os.path.join(self.peers, peer, "bin/buildbot")
        subprocess.run([buildbot, "create-master", "--quiet", base], check=True)
        with open(os.path.join(base, "master.cfg"), "w") as config:
            config.write(f"GIVEN = {file!r}\n")
            config.write(f"exec(open({os.path.join(HERE, 'real.py')!r}).read())\n")
        with open(os.path.join(base, "given-file"), "w") as content:
            content.write("given\n")
        began = time.monotonic()
        self.start("real", buildbot, "start", "--nodaemon", base)
        record = self.slaves("real", dump["slaves"], port, peer)
        self.wait("the real master", lambda: os.path.exists(given["done"]))
        with open(given["done"]) as done:
            if said := done.read():
                sys.exit(f"the real master: {said}")
        print(f"real: {len(requests)} builds after {time.monotonic() - began:.1f} s")
        self.stop()
        return record

    def run(self):
        port = free_port()
        dump = self.load(port)
        left_out = self.import_farm(dump)
        requests = list(itertools.islice(all_requests(dump), self.options.builds))
        ours = builds_of(*self.run_ours(dump, port, requests))
        slaves = {}
        for (builder, _), build in ours.items():
            slaves.setdefault(builder, []).append(build["slave"])
        real = builds_of(self.run_real(dump, requests, left_out, slaves))
        return report(ours, real)


def requests_of_forms(dump):
    """Builds of the builder `forms`, each with other properties."""
    draw = random.Random(4)
    values = [None, "", "0", "x", "a b", "50%", "%(prop:a)s", "{{ x }}", "'q\" \\", "grün"]
    for at in range(FORMS if any(b["args"]["name"] == "forms" for b in dump["builders"]) else 0):
        properties = {name: draw.choice(values) for name in "abc"}
        yield {"builder": "forms", "branch": [None, "release-1"][at % 2], "revision": None,
               "properties": {k: v for k, v in properties.items() if v is not None}}


def all_requests(dump):
    """Builds of all builders, again and again, each time with another kind of request."""
    yield from requests_of_forms(dump)
    kinds = [
        {"branch": None, "revision": None, "properties": {}},
        {"branch": "release-1", "revision": None, "properties": {"clean": "yes"}},
        {"branch": "release-1", "revision": REVISION, "properties": {}},
    ]
    for turn in itertools.count():
        for at, builder in enumerate(dump["builders"]):
            request = dict(kinds[(at + turn) % len(kinds)], builder=builder["args"]["name"])
            steps = dump["factories"][builder["factory"]]["steps"]
            if request["revision"] and any(step["class"] == "SVN" for step in steps):
                request["revision"] = NUMBER
            yield request


def lines_of(record):
    if not os.path.exists(record):
        return []
    with open(record) as file:
        return [json.loads(line) for line in file]


def builds_of(*records):
    """The commands of each build, by builder and count."""
    builds, counts = {}, {}
    lines = [line for record in records for line in lines_of(record)]
    for line in sorted(lines, key=lambda line: line["at"]):
        if "fault" in line:
            print("a slave:", line["fault"])
            continue
        builder = line["builder"]
        if line.get("begin"):
            counts[builder] = counts.get(builder, 0) + 1
            builds[builder, counts[builder]] = {"slave": line["slave"], "commands": []}
        else:
            args = {key.replace("worker", "slave"): v for key, v in line["args"].items()}
            if line["is_worker"] and args.get("usePTY") is False:
                args["usePTY"] = "slave-config"  # a word that workers do not know any more
            builds[builder, counts[builder]]["commands"].append(
                {"command": line["command"], "args": args, "content": line.get("content")})
    return builds


def report(ours, real):
    """Prints what differs, equal differences once; the exit code."""
    differences = {}
    equal = commands = 0
    for key in sorted(ours.keys() | real.keys()):
        mine, theirs = ours.get(key), real.get(key)
        if mine is None or theirs is None:
            found = ["only ours" if theirs is None else "only real"]
        else:
            found = list(between(mine["commands"], theirs["commands"]))
            commands += len(theirs["commands"])
        equal += not found
        for text in found:
            differences.setdefault(text, []).append("%s %d" % key)
    for text, where in sorted(differences.items(), key=lambda pair: -len(pair[1])):
        print(f"{len(where)} x {text}\n    in {', '.join(where[:3])}")
    print(f"{equal} of {len(ours.keys() | real.keys())} builds are equal, {commands} commands")
    return 1 if differences else 0


TOOLS = {"git", "svn", "hg", "bzr", "darcs", "cvs", "svnversion"}
FETCHING = {"clone", "fetch", "checkout", "update", "export", "pull", "co", "get", "branch"}


def is_of_source(command):
    """Whether a command could be one of those that a step makes to have a tree."""
    if command["command"] in ("stat", "listdir", "rmdir", "cpdir", "mkdir", "downloadFile"):
        return command["command"] != "downloadFile" or "patch" in command["args"].get("slavedest", "")
    words = command["args"].get("command")
    return command["command"] in TOOLS or (
        command["command"] == "shell" and isinstance(words, list) and words[:1]
        and os.path.basename(str(words[0])) in TOOLS)


def words_of(command):
    if command["command"] in TOOLS:  # a command of the slave's own, as those of Buildbot 0.7
        texts = [word for word in command["args"].values() if isinstance(word, str)]
        return ["checkout", *texts]
    return command["args"].get("command") or []


def simplified(commands):
    """The commands, with one entry in the place of those of each step that has a tree fetched.

    Our steps for sources are other programs than Buildbot's: they ask a tool for other things, in
    another order, with the user's prompts shut off. What must be equal is what they fetch: the
    addresses, the branch and the revision.
    """
    kept = []
    for is_source, run in itertools.groupby(commands, is_of_source):
        run = list(run)
        words = [str(word) for command in run for word in words_of(command)]
        if not is_source or not FETCHING & set(words):
            # Buildbot takes variables from what a slave tells when it connects; ours asks it.
            kept.extend(c for c in run if words_of(c)[:1] != ["printenv"])
            continue
        fetched = {word for word in words if "://" in word or re.match(r"[\w.-]+@[\w.-]+:", word)}
        named = {word for word in (REVISION, NUMBER, "release-1") for had in words if word in had}
        kept.append({"command": "source", "content": None, "args": {
            "addresses": sorted(re.sub(r"/*(@\d*)?$", "", word) for word in fetched), "named": sorted(named)}})
    return kept


def in_texts(value):
    """A command or an environment with texts for numbers; None for one that is empty."""
    if isinstance(value, dict):
        return {key: in_texts(entry) for key, entry in value.items()} or None
    if isinstance(value, list):
        return [in_texts(entry) for entry in value]
    return None if value == "absent" else value if value is None else str(value)


def is_decided(name, key, mine, theirs):
    """Whether a difference is one that we decided on."""
    if key == "logEnviron":  # ours is off unless the step says otherwise
        return not mine and theirs in (True, 1, "absent")
    if key == "command" and isinstance(theirs, list):
        # Buildbot sends None for a property that is not set, which no slave can run.
        theirs = ["" if word is None else word for word in theirs]
    if key in ("env", "command"):
        return in_texts(mine) == in_texts(theirs)
    if key == "blocksize":  # ours is what a message can hold
        return theirs in (16384, 256 * 1024)
    if key == "timeout":  # what slaves take where nothing is said
        return name == "rmdir" and mine == 120 and theirs == "absent"
    if key == "interruptSignal":
        return mine == "absent" and theirs == "KILL"
    return key in ("max_lines", "maxTime", "sigtermTime") and {mine, theirs} == {None, "absent"}


def between(ours, real):
    ours, real = simplified(ours), simplified(real)
    for mine, theirs in itertools.zip_longest(ours, real):
        if mine is None or theirs is None or mine["command"] != theirs["command"]:
            yield f"another command: ours {short(mine)}, real {short(theirs)}"
            return
        for key in sorted(mine["args"].keys() | theirs["args"].keys()):
            one, other = mine["args"].get(key, "absent"), theirs["args"].get(key, "absent")
            if one != other and not is_decided(mine["command"], key, one, other):
                yield f"{mine['command']}.{key}: ours {one!r}, real {other!r}"
        if mine["content"] != theirs["content"]:
            yield f"content: ours {mine['content']!r}, real {theirs['content']!r}"


def short(command):
    if command is None:
        return "nothing"
    args = command["args"]
    return json.dumps([command["command"], args.get("command") or args])[:300]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("buildmaster")
    parser.add_argument("peers")
    parser.add_argument("farm")
    parser.add_argument("--builds", type=int, default=100)
    parser.add_argument("--peer", default="bb0814", choices=["bb0814", "bb43"])
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--dir")
    options = parser.parse_args()
    directory = options.dir or tempfile.mkdtemp()
    os.makedirs(directory, exist_ok=True)
    comparison = Comparison(options, directory)
    try:
        code = comparison.run()
    finally:
        comparison.stop()
    if options.dir is None:
        shutil.rmtree(directory)
    sys.exit(code)


main()
