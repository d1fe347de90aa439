"""A status client that asks everything that Buildbot's classes offer.

It logs in with the classes of `buildbot.clients` of the Buildbot on PYTHONPATH, and calls each `remote_` method of each class of `buildbot.status.client`, as far as the
master has such an object. It prints one line for each call, `ok` or `failed`.

    python status_walker.py PORT
"""

import sys

from twisted.internet import defer, reactor
from twisted.spread import pb

from buildbot.status import client

try:
    from buildbot.clients.text import TextClient
except ImportError:
    from buildbot.clients.base import TextClient

# What each method is called with; those that are not here have no arguments.
ARGUMENTS = {
    "getBuild": (-1,),
    "getEvent": (-1,),
}
# What is called by itself.
OBSERVERS = ("subscribe", "unsubscribe")


class Observer(pb.Referenceable):
    def remote_newbuild(self, build, name):
        print "newbuild", name

    def remote_buildETAUpdate(self, name, build, eta):
        pass

    def remote_stepStarted(self, *args):
        pass

    def remote_stepFinished(self, *args):
        pass


def methods(kind):
    names = [name for name in dir(kind) if name.startswith("remote_")]
    return [name[len("remote_"):] for name in names]


class Walker(TextClient):
    def connected(self, ref):
        TextClient.connected(self, ref)
        d = self.walk(ref)
        d.addErrback(lambda why: sys.stdout.write("failed %s\n" % why))
        d.addBoth(lambda _: reactor.stop())

    @defer.inlineCallbacks
    def ask(self, what, remote, method, *args):
        try:
            answer = yield remote.callRemote(method, *args)
        except Exception, why:
            print "failed", what, method, why
            defer.returnValue(None)
        print "ok", what, method
        defer.returnValue(answer)

    @defer.inlineCallbacks
    def all_of(self, kind, remote):
        what = kind.__name__
        answers = {}
        if remote is None:
            print "failed", what, "there is none"
            defer.returnValue(answers)
        for method in methods(kind):
            if method not in OBSERVERS:
                arguments = ARGUMENTS.get(method, ())
                answers[method] = yield self.ask(what, remote, method, *arguments)
        if "subscribe" in methods(kind):
            observer = Observer()
            yield self.ask(what, remote, "subscribe", observer)
            yield self.ask(what, remote, "unsubscribe", observer)
        defer.returnValue(answers)

    @defer.inlineCallbacks
    def walk(self, ref):
        what = "StatusClientPerspective"
        yield self.ask(what, ref, "ping")
        yield self.ask(what, ref, "getBuilderNames")
        sets = yield self.ask(what, ref, "getBuildSets")
        builder = yield self.ask(what, ref, "getBuilder", "quick")
        slave = yield self.ask(what, ref, "getSlave", "bot")
        yield self.all_of(client.RemoteSlave, slave)
        of_builder = yield self.all_of(client.RemoteBuilder, builder)
        yield self.all_of(client.RemoteEvent, of_builder.get("getEvent"))
        build = of_builder.get("getBuild")
        of_build = yield self.all_of(client.RemoteBuild, build)
        step = (of_build.get("getSteps") or [None])[0]
        of_step = yield self.all_of(client.RemoteBuildStep, step)
        logs = of_step.get("getLogs")
        if isinstance(logs, dict):
            logs = logs.values()
        yield self.all_of(client.RemoteLog, (logs or [None])[0])
        change = (of_build.get("getChanges") or [None])[0]
        for method in ("getWho", "getFiles", "getComments"):
            yield self.ask("RemoteChange", change, method)
        yield self.walk_set(sets)
        yield self.ask(what, ref, "unsubscribe")
        print "walked"

    @defer.inlineCallbacks
    def walk_set(self, sets):
        """A set that waits for a slave which never comes."""
        pairs = [pair if isinstance(pair, tuple) else (pair, None) for pair in sets]
        remote = pairs[0][0]
        what = client.RemoteBuildSet.__name__
        for method in methods(client.RemoteBuildSet):
            if not method.startswith("waitUntil"):
                answer = yield self.ask(what, remote, method)
                if method == "getBuildRequests":
                    yield self.all_of(client.RemoteBuildRequest, answer[0][1])


walker = Walker("127.0.0.1:%s" % sys.argv[1], "full")
walker.run()
