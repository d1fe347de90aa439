"""The configuration of a real master of Buildbot that builds what `compare.py` asks for.

It is executed by `master.cfg` with `GIVEN`, the path of a JSON file: `port`; `requests`, one for
each build; `slaves`, which slave the builds of each builder ran on under the other master, in their
order; `done`, a file to make at the end; and `dump`, the farm, or `config`, a configuration of the
farm's own. Runs under Buildbot 0.8 on Python 2 and 4.x on Python 3.
"""

import base64
import json
import os
import re
import sys

from twisted.internet import defer, reactor, task

try:
    import buildbot.buildslave  # noqa: F401
    IS_OLD = True
except ImportError:
    IS_OLD = False

with open(GIVEN) as file:  # noqa: F821
    given = json.load(file)

if IS_OLD:
    from buildbot import locks
    from buildbot.buildslave import BuildSlave
    from buildbot.config import BuilderConfig
    from buildbot.process import properties
    from buildbot.process.factory import BuildFactory
    from buildbot.schedulers.base import BaseScheduler
    from buildbot.schedulers.triggerable import Triggerable
else:
    from buildbot.schedulers.base import BaseScheduler


def as_text(value):
    """Byte strings, as configurations of Python 2 have them."""
    if IS_OLD and isinstance(value, type(u"")):
        return value.encode("utf-8")
    if isinstance(value, list):
        return [as_text(entry) for entry in value]
    if isinstance(value, dict):
        return dict((as_text(key), as_text(entry)) for key, entry in value.items())
    return value


OLD_SOURCES = set(["svnurl", "baseURL", "defaultBranch"])
OLD_MODES = ("update", "copy", "clobber", "export")


class Farm(object):
    """What a dump describes, made with the classes of Buildbot 0.8."""

    def __init__(self, dump, left_out):
        self.dump = as_text(dump)
        self.left_out = left_out
        self.locks = {}
        self.classes = find_classes()
        self.old_classes = vars(sys.modules["buildbot.steps.source.oldsource"])

    def config(self):
        dump = self.dump
        settings = dump["settings"]
        made = dict((key, settings[key]) for key in ("title", "titleURL", "buildbotURL")
                    if isinstance(settings.get(key), str))
        made["properties"] = self.value(settings.get("properties") or {})
        made["slaves"] = [BuildSlave(**self.values(s["args"])) for s in dump["slaves"]]
        factories = [self.factory(f) for f in dump["factories"]]
        for builder in dump["builders"]:
            if builder["args"].get("tags"):
                builder["args"].pop("category", None)
        made["builders"] = [
            BuilderConfig(factory=factories[b["factory"]], **self.values(b["args"]))
            for b in dump["builders"]]
        made["schedulers"] = [Triggerable(**self.values(s["args"])) for s in dump["schedulers"]]
        return made

    def factory(self, described):
        factory = BuildFactory()
        if described.get("workdir"):
            factory.workdir = described["workdir"]
        for step in described["steps"]:
            made = self.step(step)
            if made is not None:
                factory.addStep(made)
        return factory

    def step(self, step):
        own = step.get("custom") or []
        if step.get("error") or set(own) & self.left_out:
            return None
        cls = self.classes[step["class"]]
        args = self.values(step["args"])
        if step["class"] == "SetProperty" and "command" in args:
            cls = self.classes["SetPropertyFromCommand"]
        if set(args) & OLD_SOURCES or args.get("mode") in OLD_MODES:
            cls = self.old_classes[step["class"]]
            args.pop("method", None)
            if args.get("mode") not in OLD_MODES:
                args["mode"] = "update"
        more = args.pop("*", [])
        for key, value in (step.get("attributes") or {}).items():
            if key not in args and value is not None and (value or key not in ("description",)):
                value = self.value(value, key)
                if key in cls.parms or key in ("command", "logfiles"):
                    args[key] = value
        return cls(*more, **args)

    def values(self, args):
        return dict((key, self.value(value, key)) for key, value in args.items())

    def value(self, value, key=None):
        if isinstance(value, list):
            return [self.value(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        if "!" not in value:
            return dict((name, self.value(entry)) for name, entry in value.items())
        kind = value["!"]
        return getattr(self, "make_" + kind)(value, key)

    def make_with_properties(self, value, _key):
        kw = dict((name, lambda props, v=v: answer(v)) for name, v in value["kw"].items())
        return properties.WithProperties(value["text"], *value["args"], **kw)

    def make_interpolate(self, value, _key):
        return properties.Interpolate(value["text"], *self.value(value["args"]),
                                      **self.values(value["kw"]))

    def make_property(self, value, _key):
        return properties.Property(value["name"], default=self.value(value["default"]),
                                   defaultWhenFalse=value["default_when_false"])

    def make_renderer(self, value, key):
        return properties.renderer(lambda props: answer(value, key))

    def make_function(self, value, key):
        return {
            "doStepIf": lambda step: True,
            "hideStepIf": lambda result, step: True,
            "extract_fn": lambda rc, stdout, stderr: {"extracted": answer(value)},
            "log_eval_func": lambda cmd, step: 0,
        }.get(key, lambda *args: answer(value, key))

    def make_lock(self, value, _key):
        lock = self.locks.get(value["name"])
        if lock is None:
            cls = locks.MasterLock if value["kind"] == "master" else locks.SlaveLock
            kw = {} if value["kind"] == "master" else {
                "maxCountForSlave": value.get("max_count_for_slave") or {}}
            lock = self.locks[value["name"]] = cls(value["name"], value["max_count"], **kw)
        return lock.access(value["mode"])

    def make_hidden(self, value, _key):
        return ("obfuscated", self.value(value["real"]), value["shown"])

    def make_regex(self, value, _key):
        return re.compile(value["pattern"], value["flags"])

    def make_bytes(self, value, _key):
        return base64.b64decode(value["base64"])


def answer(function, key=None):
    """What stands for what a function returns, as in the answers of `compare.py`."""
    where = "%s:%s" % (function["file"], function["line"])
    return {"env": {"ANSWER": where}, "command": ["answer", where]}.get(key, "answer of " + where)


def find_classes():
    import pkgutil
    import buildbot.steps
    found = {}
    for _, name, _ in pkgutil.walk_packages(buildbot.steps.__path__, "buildbot.steps."):
        try:
            module = __import__(name, fromlist=["x"])
        except ImportError:
            continue
        for key, value in vars(module).items():
            if isinstance(value, type) and value.__module__.startswith("buildbot."):
                # Of two with one name that from outside of the old module `source`.
                if key not in found or value.__module__ != "buildbot.steps.source.oldsource":
                    found[key] = value
    from buildbot.steps import master
    found["SetProperty"] = master.SetProperty
    return found


class Asking(BaseScheduler):
    """Asks for one build after the other, each when all that came of the one before is over."""

    def startService(self):
        BaseScheduler.startService(self)
        reactor.callLater(0, self.begin)

    if not IS_OLD:
        def activate(self):
            reactor.callLater(0, self.begin)
            return defer.succeed(None)

    def begin(self):
        if not getattr(self, "has_begun", False):
            self.has_begun = True
            self.ask_all().addErrback(self.fail)

    def fail(self, why):
        with open(given["done"] + ".new", "w") as file:
            file.write(str(why))
        os.rename(given["done"] + ".new", given["done"])

    @defer.inlineCallbacks
    def until(self, is_so):
        while not (yield is_so()):
            yield task.deferLater(reactor, 0.02 if IS_OLD else 0.2, lambda: None)

    def are_attached(self):
        builders = self.master.botmaster.builders.values()
        if IS_OLD:
            ready = [len(b.slaves) == len(b.config.slavenames) for b in builders]
        else:
            ready = [len(b.workers) == len(b.config.workernames) for b in builders]
        return ready and all(ready)

    @defer.inlineCallbacks
    def is_idle(self):
        requests = yield self.master.db.buildrequests.getBuildRequests(complete=False)
        builders = self.master.botmaster.builders.values()
        busy = [b for b in builders if b.building or getattr(b, "old_building", None)]
        defer.returnValue(not requests and not busy)

    @defer.inlineCallbacks
    def ask_all(self):
        yield self.until(self.are_attached)
        for request in given["requests"]:
            yield self.ask(request)
            yield self.until(self.is_idle)
        self.fail("")

    def ask(self, request):
        source = dict((key, request[key]) for key in ("branch", "revision"))
        from buildbot.process.properties import Properties
        wanted = Properties()
        for name, value in request["properties"].items():
            wanted.setProperty(as_text(name), as_text(value), "forced")
        builders = [as_text(request["builder"])]
        if IS_OLD:
            return self.addBuildsetForSourceStampDetails(
                reason=u"forced", builderNames=builders, properties=wanted, **source)
        source.update(codebase="", repository="", project="")
        return self.addBuildsetForSourceStamps(
            reason="forced", builderNames=builders, properties=wanted, sourcestamps=[source])


def chosen(builder):
    """Takes the slave that the other master has taken."""
    order = given["slaves"].get(builder, [])
    requests = []

    def choose(builder, slaves, request=None):
        if IS_OLD:
            at = builder.builder_status.nextBuildNumber
        else:
            if request.id not in requests:
                requests.append(request.id)
            at = requests.index(request.id)
        for slave in slaves:
            name = slave.slave.slavename if IS_OLD else slave.worker.workername
            if at >= len(order) or order[at] == name:
                return slave
        return None
    return choose


def configure():
    if "config" in given:
        scope = {"__file__": given["config"]}
        with open(given["config"]) as file:
            exec(compile(file.read(), given["config"], "exec"), scope)
        made = scope["BuildmasterConfig"]
    else:
        with open(given["dump"]) as file:
            made = Farm(json.load(file), set(given["left_out"])).config()
    if IS_OLD:
        made["slavePortnum"] = "tcp:%d:interface=127.0.0.1" % given["port"]
        made["mergeRequests"] = False
    else:
        made["protocols"] = {"pb": {"port": "tcp:%d:interface=127.0.0.1" % given["port"]}}
        made["collapseRequests"] = False
        made["buildbotNetUsageData"] = None
    for builder in made["builders"]:
        if IS_OLD:
            builder.nextSlave = chosen(builder.name)
        else:
            builder.nextWorker = chosen(builder.name)
    names = [builder.name for builder in made["builders"]]
    made["schedulers"] = list(made["schedulers"]) + [Asking("asking", names, {})]
    made.setdefault("title", "Farm")
    return made


BuildmasterConfig = configure()
