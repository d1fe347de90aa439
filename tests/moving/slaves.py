"""Attaches slaves to a master that record the commands that they are sent, and run none.

    PYTHON slaves.py FILE

PYTHON is that of Buildbot 0.8 (slaves) or of 4.x (workers). FILE is JSON: `port` of the master,
`slaves` by name with their passwords, `dir` for their directories, `record` for the file to append
to, and `fresh`: whether nothing is checked out yet, so that each `stat` and each `rev-parse` fails.
The record has a JSON line for each build that begins (`begin`) and for each command.
"""

import io
import json
import os
import sys
import tarfile
import time

from twisted.internet import defer, reactor

try:
    from buildslave import bot
    from buildslave.bot import BuildSlave, SlaveBuilder as ForBuilder
except ImportError:
    from buildbot_worker.pb import Worker, WorkerForBuilderPbLike as ForBuilder
    BuildSlave = None

REVISION = "0123456789abcdef0123456789abcdef01234567"
TEXT = type(u"")


def plain(value):
    """An argument as JSON; the kinds of texts are told apart where they could matter."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return dict((plain(key), plain(entry)) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if hasattr(value, "callRemote"):
        return "<object of the master>"
    return value


def words_of(args):
    command = plain(args.get("command"))
    if not isinstance(command, list):
        return [command]
    return [word[1] if isinstance(word, list) and len(word) == 3 else word for word in command]


class Recorder(object):
    def __init__(self, given):
        self.is_fresh = given["fresh"]
        self.file = open(given["record"], "a")

    def write(self, line):
        line.update(at=time.time(), is_worker=BuildSlave is None)
        self.file.write(json.dumps(line, sort_keys=True) + "\n")
        self.file.flush()

    def printed(self, args):
        """What a command prints, and how it ends."""
        words = words_of(args)
        text = " ".join(TEXT(word) for word in words)
        if "git" in words[0:1] and "--version" in words:
            return "git version 2.30.2\n", 0
        if "cat-file" in words or "--verify" in words:  # whether a revision is there
            return "", 1
        if "rev-parse" in words:
            return REVISION + "\n", 1 if self.is_fresh and len(words) < 4 else 0
        if "symbolic-ref" in words:
            return "main\n", 0
        if "identify" in words or "parents" in words:
            return REVISION + "\n", 0
        if text.startswith("svn status"):
            return '<?xml version="1.0"?><status></status>\n', 0
        if "svnversion" in words:
            return "1234\n", 0
        if text.startswith("svn info"):
            return ('<?xml version="1.0"?><info><entry revision="1234"><url>svn://nowhere</url>'
                    '<commit revision="1233"></commit></entry></info>\n'), 0
        return "recorded\n", 0

    @defer.inlineCallbacks
    def run(self, builder, ref, name, args):
        name = plain(name)
        line = {"slave": builder.bot.parent.name_of_slave, "builder": plain(builder.name),
                "command": name, "args": plain(args)}
        args = dict((plain(key), value) for key, value in args.items())
        updates = [{"rc": 0}]
        if name == "shell":
            text, rc = self.printed(args)
            updates = [{"stdout": text}, {"rc": rc}]
        elif name == "stat":
            is_gone = self.is_fresh or plain(args["file"]).endswith(".buildbot-patched")
            updates = [{"rc": 2}] if is_gone else [{"stat": (33188,) + (0,) * 9}, {"rc": 0}]
        elif name in ("glob", "listdir"):
            found = [] if self.is_fresh else [".git", ".hg", ".svn"]
            updates = [{"files": found}, {"rc": 0}]
        elif name in ("svn", "git", "hg", "cvs", "bzr", "darcs"):
            updates = [{"got_revision": "1234"}, {"rc": 0}]
        elif name == "downloadFile":
            content = b""
            while True:
                block = yield args["reader"].callRemote("read", 65536)
                if not block:
                    break
                content += block if isinstance(block, bytes) else block.encode("utf-8")
            yield args["reader"].callRemote("close")
            line["content"] = plain(content)
        elif name == "uploadFile":
            yield args["writer"].callRemote("write", b"uploaded\n")
            yield args["writer"].callRemote("close")
        elif name == "uploadDirectory":
            packed = io.BytesIO()
            compress = plain(args.get("compress")) or ""
            tarfile.open(fileobj=packed, mode="w:" + compress).close()
            yield args["writer"].callRemote("write", packed.getvalue())
            yield args["writer"].callRemote("unpack")
        self.write(line)
        for update in updates:
            yield ref.callRemote("update", [[update, 0]])
        yield ref.callRemote("complete", None)


def main():
    with open(sys.argv[1]) as file:
        given = json.load(file)
    recorder = Recorder(given)

    def start_build(builder):
        recorder.write({"slave": builder.bot.parent.name_of_slave, "builder": plain(builder.name),
                        "begin": True})

    def start_command(builder, ref, _id, name, args):
        running = recorder.run(builder, ref, name, args)

        def fail(why):
            recorder.write({"fault": why.getErrorMessage()})
            return ref.callRemote("update", [[{"rc": 1}, 0]]).addCallback(
                lambda _: ref.callRemote("complete", None))
        running.addErrback(fail)

    ForBuilder.remote_startBuild = start_build
    ForBuilder.remote_startCommand = start_command
    for name, password in sorted(given["slaves"].items()):
        name, password = str(name), str(password)
        basedir = os.path.join(given["dir"], name)
        if not os.path.isdir(basedir):
            os.makedirs(basedir)
        if BuildSlave is not None:
            slave = BuildSlave("127.0.0.1", given["port"], name, password, basedir, 600, False)
        else:
            slave = Worker("127.0.0.1", given["port"], name, password, basedir, 600)
        slave.name_of_slave = name
        reactor.callWhenRunning(slave.startService)
    reactor.run()


main()
