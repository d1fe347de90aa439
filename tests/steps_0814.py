"""Runs steps of Buildbot 0.8.14 on a played slave, and prints what became of them.

Called with the python of a 0.8.14 master and the file of cases, JSON lines, each with a `name`, the
step as `python`, the text of its `logs`, the exit status `rc`, and changed `files`. Prints the lines
with what Buildbot makes of each as `expected`.
"""

import json
import sys
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
from buildbot.steps import mswin, mtrlogobserver, master, maxq, python, python_twisted, shell, vstudio
from buildbot.steps.package.deb import lintian
from buildbot.steps.package import rpm

NAMES = {}
for module in (mswin, mtrlogobserver, master, maxq, python, python_twisted, shell, vstudio, lintian, rpm):
    for name in dir(module):
        NAMES.setdefault(name, getattr(module, name))
NAMES["SetProperty"] = master.SetProperty


class Stage(BuildStepMixin):
    def __init__(self, case):
        self.case = case
        self.shells = []

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
            command.rc = self.case["rc"]
        else:
            command.rc = 0
        return defer.succeed(command)

    def play(self):
        self.setUpBuildStep()
        step = eval(self.case["python"], NAMES)
        step = self.setupStep(step)
        step.build.allFiles = lambda: self.case.get("files", [])
        step.workdir = "build"
        ended = []
        self.step.startStep(Mock()).addBoth(ended.append)
        for _ in range(100):
            if not ended:
                reactor.iterate(0.01)
        result = ended[0]
        if not isinstance(result, int):
            raise Exception("%s: %s" % (self.case["name"], result))
        props = self.build.getProperties() if hasattr(self.build, "getProperties") else self.properties
        found = dict((name, value) for name, (value, _) in props.properties.items())
        expected = {
            "result": Results[result],
            "text": " ".join(self.step_status.status_text),
            "logs": sorted(self.step_status.logs),
            "properties": found,
        }
        if self.shells:
            shell_args = self.shells[-1]
            expected["command"] = shell_args["command"]
            expected["env"] = shell_args["env"]
        return expected


def main():
    with open(sys.argv[1]) as lines:
        cases = [json.loads(line) for line in lines]
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
