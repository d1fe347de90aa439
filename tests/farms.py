#!/usr/bin/env python3
"""Counts how many steps of evaluated Buildbot farms this program can express.

    tests/farms.py BUILDMASTER DIRECTORY

DIRECTORY has farms as `*.json.gz` in the format "buildmaster farm". Each distinct step is
translated on its own into one line of TOML, and BUILDMASTER checkconfig judges the file. Prints the
figures, the steps that are rejected by kind and reason, and how many steps depend on functions of
the old configuration, which stand as named values that a person has to fill in. Exits with 1 if
fewer than 95 % are accepted.
"""

import collections
import glob
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

RESULTS = ["success", "warnings", "failure", "skipped", "exception", "retry"]

# Buildbot's names that are not ours in snake_case.
KEYS = {
    "usePTY": "use_pty",
    "decodeRC": "decode_rc",
    "lazylogfiles": "lazy_logfiles",
    "initialStdin": "initial_stdin",
    "baseURL": "base_url",
    "schedulerNames": "schedulers",
}
KEYS_OF = {
    ("SVN", "svnurl"): "repourl",
    ("SVN", "baseURL"): "base_url",
}
# What a class of the farm's own may set for its steps; the rest is for its own code.
FLAGS = ["haltOnFailure", "flunkOnFailure", "flunkOnWarnings", "warnOnFailure", "warnOnWarnings",
         "alwaysRun"]
ATTRIBUTES = set(FLAGS) | {"description", "descriptionDone", "command", "warningPattern", "name"}
# The modes of Buildbot 0.7 and of slave-side steps.
OLD_MODES = {
    "update": {"mode": "incremental"},
    "clobber": {"mode": "full", "method": "clobber"},
    "copy": {"mode": "full", "method": "copy"},
    "export": {"mode": "full", "method": "export"},
}
SOURCES = {"Git", "SVN", "Mercurial", "CVS", "Bzr", "Darcs"}
DURATIONS = {"timeout", "max_time", "sigterm_time"}


class Octal(int):
    """A number that is written in octal."""


class Untranslatable(Exception):
    """What has no translation, and why."""


class Farm:
    """The translation of one farm's steps."""

    def __init__(self):
        self.values = {}
        self.locks = {}
        self.has_question = False

    def question(self, thing):
        """The name of the value that stands for a function."""
        name = re.sub(r"\W", "_", thing.get("name") or "function").strip("_") or "function"
        name = "q_" + name
        self.values[name] = "''"
        self.has_question = True
        return name

    def text(self, value):
        """A renderable string."""
        if isinstance(value, str):
            return value.replace("%", "%%") if "%(" in value else value
        if isinstance(value, bool) or value is None:
            raise Untranslatable("a text that is %r" % (value,))
        if isinstance(value, (int, float)):
            return str(value)
        if isinstance(value, list):
            return "".join(self.text(part) for part in value)
        kind = value.get("!")
        if kind in ("renderer", "function", "object"):
            return "%%(kw:%s)s" % self.question(value)
        if kind == "property":
            default = value.get("default")
            if default is None:
                return "%%(prop:%s)s" % value["name"]
            return "%%(prop:%s:-%s)s" % (value["name"], self.text(default))
        if kind == "with_properties":
            names = iter(value.get("args") or [])
            text = re.sub(r"%s", lambda _: "%%(%s)s" % next(names), value["text"])
            for name, thing in (value.get("kw") or {}).items():
                thing = thing if isinstance(thing, dict) else {"name": name}
                asked = "%%(kw:%s)s" % self.question(thing)
                text = text.replace("%%(%s)s" % name, asked)
            return text
        if kind == "interpolate":
            text = value["text"]
            args = iter(value.get("args") or [])
            text = re.sub(r"%s", lambda _: self.text(next(args)), text)
            for name, thing in (value.get("kw") or {}).items():
                text = re.sub(
                    r"%%\(kw:%s(:[^)]*)?\)s" % re.escape(name), lambda _: self.text(thing), text
                )
            return text
        if kind == "hidden":
            return self.text(value["real"])
        raise Untranslatable("a value of the kind %s" % kind)

    def words(self, value):
        """The words of a command, flattened."""
        if not isinstance(value, list):
            if isinstance(value, dict) and value.get("!") in ("renderer", "function"):
                return ["%%(*kw:%s)s" % self.question(value)]
            return [self.text(value)]
        return [word for part in value for word in self.words(part)]

    def command(self, value):
        if isinstance(value, list):
            words = []
            for word in value:
                if isinstance(word, dict) and word.get("!") == "hidden":
                    words.append({"secret": self.text(word["real"]), "shown": word["shown"]})
                else:
                    words.extend(self.words(word))
            return words
        if isinstance(value, dict) and value.get("!") in ("renderer", "function"):
            return self.words(value)
        return self.text(value)

    def env(self, value):
        if isinstance(value, dict) and "!" in value:
            return "%%(*kw:%s)s" % self.question(value)
        table = {}
        for name, entry in value.items():
            if entry is None:
                table[name] = False
            elif isinstance(entry, list):
                table[name] = [self.text(part) for part in entry]
            else:
                table[name] = self.text(entry)
        return table

    def setting(self, kind, key, value):
        """Our key and value of one argument."""
        ours = KEYS_OF.get((kind, key)) or KEYS.get(key)
        ours = ours or re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
        if key == "extract_fn":
            return "set", {"q_" + kind.lower(): "kw." + self.question(value)}
        if key in FLAGS:
            return ours, bool(value)
        if ours in ("do_step_if", "hide_step_if"):
            if isinstance(value, bool):
                return ours, value
            return ours, "kw." + self.question(value)
        if ours == "command":
            return ours, self.command(value)
        if ours == "env":
            return ours, self.env(value or {})
        if ours == "locks":
            names = []
            for lock in value:
                self.locks[lock["name"]] = lock
                names.append(lock["name"])
            return ours, names
        if ours == "decode_rc":
            return ours, {code: RESULTS[int(result)] for code, result in value.items()}
        if ours == "mode" and isinstance(value, int):
            return ours, Octal(value)
        if ours in DURATIONS:
            return ours, False if value is None else value
        if ours == "retry":
            return ours, [value[0], value[1]]
        if ours == "schedulers":
            return ours, [self.text(name) for name in value]
        if ours in ("set_properties",):
            return ours, {name: self.text(entry) for name, entry in value.items()}
        if isinstance(value, (bool, int, float)):
            return ours, value
        if isinstance(value, list):
            return ours, [self.text(entry) for entry in value]
        if isinstance(value, dict) and "!" not in value:
            return ours, {
                name: self.text(entry) if not isinstance(entry, dict) or "!" in entry else {
                    part: self.text(x) if isinstance(x, str) else x for part, x in entry.items()
                }
                for name, entry in value.items()
            }
        return ours, self.text(value)

    def step(self, thing):
        kind = thing.get("class")
        if kind in (None, "BuildStep", "ShellMixin"):
            raise Untranslatable("a class of the farm's own")
        args = {k: v for k, v in (thing.get("attributes") or {}).items() if k in ATTRIBUTES}
        args.update(thing.get("args") or {})
        step = {"type": kind}
        for key, value in sorted(args.items()):
            if value is None or key == "*":
                continue
            ours, value = self.setting(kind, key, value)
            step[ours] = value
        if kind in SOURCES and step.get("mode") in OLD_MODES:
            step.pop("method", None)
            step.update(OLD_MODES[step["mode"]])
        elif kind in SOURCES and step.get("mode", "incremental") == "incremental":
            step.pop("method", None)
        if kind == "SetPropertyFromCommand" and "property" not in step:
            step["type"] = "ShellCommand"
        return step


def toml(value):
    """`value` as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Octal):
        return "0o%o" % value
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list):
        return "[%s]" % ", ".join(toml(entry) for entry in value)
    pairs = ["%s = %s" % (json.dumps(key), toml(entry)) for key, entry in value.items()]
    return "{ %s }" % ", ".join(pairs)


def translate(path):
    """The distinct steps of a farm: their TOML or why there is none, and what they need."""
    with gzip.open(path) as file:
        dump = json.load(file)
    farm = Farm()
    seen, steps, failed, questions = set(), [], collections.Counter(), 0
    for factory in dump["factories"]:
        for thing in factory["steps"]:
            key = json.dumps({k: v for k, v in thing.items() if k != "at"}, sort_keys=True)
            if key in seen:
                continue
            seen.add(key)
            farm.has_question = False
            try:
                step = farm.step(thing)
            except Untranslatable as why:
                failed["%s: %s" % (thing.get("class"), why)] += 1
                continue
            questions += farm.has_question
            steps.append(step)
    schedulers = {
        thing["name"] for thing in dump["schedulers"] if thing.get("class") == "Triggerable"
    }
    return farm, steps, failed, questions, schedulers


def configuration(farm, steps, schedulers):
    """A whole configuration, and the step of each of its lines."""
    lines = ["slave_port = 9989", "[[slaves]]", 'name = "bot"', 'password = "x"']
    if farm.values:
        lines.append("[values]")
        lines.extend("%s = %s" % (name, toml(text)) for name, text in sorted(farm.values.items()))
    for name in farm.locks:
        lines.extend(["[locks.%s]" % json.dumps(name), 'type = "master"'])
    for name in sorted(schedulers):
        lines.extend(["[[schedulers]]", 'type = "Triggerable"', "name = %s" % json.dumps(name)])
        lines.append('builders = ["b"]')
    lines.extend(["[[builders]]", 'name = "b"', 'slaves = ["bot"]', 'factory = "f"'])
    lines.extend(["[factories.f]", "steps = ["])
    at = {}
    for step in steps:
        lines.append(toml(step) + ",")
        at[len(lines)] = step
    lines.append("]")
    return "\n".join(lines) + "\n", at


def rejected(program, text, at):
    """The steps that `checkconfig` rejects, by line, with the first reason."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "master.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        run = subprocess.run(
            [program, "checkconfig", path],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
        )
    wrong, elsewhere, message = {}, [], None
    for line in run.stdout.splitlines():
        if line.startswith(("error", "warning")):
            message = line if line.startswith("error") else None
        found = re.search(r"master\.toml:(\d+):", line)
        if found and message:
            number = int(found.group(1))
            if number in at:
                wrong.setdefault(number, message)
            else:
                elsewhere.append("%s (line %d)" % (message, number))
            message = None
    return wrong, elsewhere, run.stdout


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, directory = sys.argv[1:]
    paths = sorted(glob.glob(os.path.join(directory, "*.json.gz")))
    if not paths:
        sys.exit("there are no farms in %s" % directory)
    total = accepted = asked = 0
    reasons = collections.Counter()
    for path in paths:
        farm, steps, failed, questions, schedulers = translate(path)
        # The program shows only the first of very many mistakes: what it rejects is taken out and
        # the rest is checked again.
        bad = 0
        count = len(steps)
        while True:
            text, at = configuration(farm, steps, schedulers)
            wrong, elsewhere, output = rejected(program, text, at)
            for number, message in wrong.items():
                what = re.sub(r"step \d+", "step", message)
                what = re.sub(r"`[^`]{30,}`|\"[^\"]{30,}\"", "…", what)
                reasons["%s: %s" % (at[number]["type"], what)] += 1
            bad += len(wrong)
            steps = [step for number, step in at.items() if number not in wrong]
            if not wrong:
                break
        for what in elsewhere[:5]:
            print("%s: %s" % (os.path.basename(path), what))
        if "error" in output and not elsewhere:
            print(output[:2000])
        reasons.update(failed)
        lost = bad + sum(failed.values())
        name = os.path.basename(path).split(".")[0]
        print("%-12s %5d distinct steps, %5d rejected, %5d with a question" % (
            name, count + sum(failed.values()), lost, questions))
        total += count + sum(failed.values())
        accepted += count - bad
        asked += questions
    for reason, number in reasons.most_common(60):
        print("%5d  %s" % (number, reason))
    share = 100 * accepted / total
    print("%d of %d distinct steps accepted: %.1f %%; %d depend on functions" % (
        accepted, total, share, asked))
    sys.exit(share < 95)


main()
