"""Runs steps of Buildbot 0.8.14 on a played slave, and prints what became of them.

Called with the python of a 0.8.14 master and the file of cases, JSON lines, each with a `name`, the
step as `python`, the text of its `logs`, the exit status `rc`, changed `files`, the `properties` of
the build, the environment of the slave (`environ`), the text of files on the slave (`on_slave`), and
whether the base `image` of a chroot is `fresh` or `old`. Prints the lines with what Buildbot makes
of each as `expected`.
"""

import json
import os
import stat
import sys
import tempfile
import time
import types


class Mock(object):
    """Stands for anything that the test utilities of Buildbot mock."""

    def __init__(self, *args, **settings):
        self.__dict__.update(settings)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        child = Mock()
        self.__dict__[name] = child
        return child

    def __call__(self, *args, **settings):
        return None


mock = types.ModuleType("mock")
mock.Mock = Mock
sys.modules["mock"] = mock

from twisted.internet import defer, reactor

from buildbot.process import buildstep
from buildbot.process import remotecommand as real
from buildbot.status.results import Results
from buildbot.test.fake import remotecommand
from buildbot.test.util.steps import BuildStepMixin
from buildbot.steps import mswin, mtrlogobserver, master, maxq, python, python_twisted, shell, slave, vstudio
from buildbot.steps.package.deb import lintian, pbuilder
from buildbot.steps.package import rpm

NAMES = {}
MODULES = (
    mswin, mtrlogobserver, master, maxq, python, python_twisted, shell, slave, vstudio, lintian,
    pbuilder, rpm,
)
for module in MODULES:
    for name in dir(module):
        NAMES.setdefault(name, getattr(module, name))
NAMES["SetProperty"] = master.SetProperty
NAMES["Mock"] = rpm.mock.Mock


class Stage(BuildStepMixin):
    def __init__(self, case):
        self.case = case
        self.shells = []
        self.removed = []

    def patch(self, module, name, value):
        setattr(module, name, value)

    def assertNotEqual(self, one, other, *why):
        assert one != other

    def addCleanup(self, *args):
        pass

    def _remotecommand_run(self, command, step, remote):
        if command.remote_command == "shell":
            self.shells.append(command.args)
            for name, text in self.case["logs"].items():
                if name in command.logs:
                    command.logs[name].addStdout(text)
            is_first_of_two = self.case["python"].split("(")[0].endswith("builder") and (
                "sudo" in command.args["command"])
            command.rc = 0 if is_first_of_two else self.case["rc"]
        elif command.remote_command == "uploadFile":
            text = self.case["on_slave"].get(command.args["slavesrc"])
            if text is not None:
                command.args["writer"].remote_write(text)
            command.args["writer"].remote_close()
            command.rc = 0 if text is not None else 1
        elif command.remote_command == "stat":
            image = self.case.get("image")
            command.rc = 0 if image else 1
            age = 0 if image == "fresh" else 8 * 24 * 3600
            command.updates["stat"] = [[stat.S_IFREG] + [0] * 7 + [time.time() - age, 0]]
        else:
            if command.remote_command == "rmdir":
                self.removed.extend(command.args["dir"])
            command.rc = 0
        return defer.succeed(command)

    def play(self):
        self.setUpBuildStep()
        step = eval(self.case["python"], NAMES)
        step = self.setupStep(step)
        step.build.allFiles = lambda: self.case.get("files", [])
        step.workdir = "build"
        self.buildslave.slave_system = "posix"
        self.buildslave.slave_environ = self.case.get("environ", {})
        for name, value in self.case.get("properties", {}).items():
            self.properties.setProperty(name, value, "Build")
        ended = []
        self.step.startStep(Mock()).addBoth(ended.append)
        for _ in range(100):
            if not ended:
                reactor.iterate(0.01)
        result = ended[0]
        if not isinstance(result, int):
            raise Exception("%s: %s" % (self.case["name"], result))
        props = self.build.getProperties() if hasattr(self.build, "getProperties") else self.properties
        given = self.case.get("properties", {})
        found = dict(
            (name, value) for name, (value, source) in props.properties.items()
            if not (name in given and source == "Build"))
        logs = self.step_status.logs
        expected = {
            "result": Results[result],
            "text": " ".join(self.step_status.status_text),
            "logs": sorted(logs),
            "texts": dict(
                (name, log.getText()) for name, log in logs.items()
                if name not in self.case["logs"]),
            "statistics": self.step_statistics,
            "properties": found,
        }
        if self.shells:
            shell_args = self.shells[-1]
            expected["command"] = shell_args["command"]
            expected["env"] = shell_args["env"]
            expected["prepared"] = [args["command"] for args in self.shells[:-1]]
            expected["removed"] = self.removed
        return expected


def main():
    with open(sys.argv[1]) as lines:
        cases = [json.loads(line) for line in lines]
    # Some steps keep files in the current directory.
    os.chdir(tempfile.mkdtemp())
    for case in cases:
        case = dict(case)
        played = json.loads(json.dumps(case), object_hook=plain)
        case["expected"] = Stage(played).play()
        print(json.dumps(case, sort_keys=True))


def plain(pairs):
    """Byte strings, as the configurations of Buildbot have them."""
    def text(value):
        if isinstance(value, unicode):
            return value.encode("utf-8")
        if isinstance(value, list):
            return [text(entry) for entry in value]
        return value
    return dict((text(key), text(value)) for key, value in pairs.items())


main()
