"""The masters that see the month: ours, and real ones of Buildbot."""

import ctypes
import json
import os
import signal
import sqlite3
import subprocess
import time

BUILDERS = {"debug": "-O0", "release": "-O2"}
SLAVES = ["bot1", "bot2"]


def wait_until(what, is_so, seconds=180):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.2)


def end_with_parent():
    """Has the kernel kill this process when its parent ends, however that does (Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Master:
    """One that runs below `directory`; the programs of its kind are in `bin`."""

    def __init__(self, programs, directory, project, ports):
        self.bin, self.project = programs, project
        self.dir = os.path.join(directory, "master")
        self.slave_port, self.mail_port = ports
        self.processes = []

    def run(self, *words, **settings):
        return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **settings).stdout

    def spawn(self, name, *words):
        log = open(os.path.join(os.path.dirname(self.dir), f"{name}.log"), "w")
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True,
                                   preexec_fn=end_with_parent)
        self.processes.append(process)

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is not None:
                continue
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def slave_dir(self, name):
        return os.path.join(os.path.dirname(self.dir), name)

    def wait_until_up(self, is_so):
        """Waits for the master; says why if it ends."""
        log = os.path.join(os.path.dirname(self.dir), "master-out.log")
        wait_until("the master", lambda: is_so() or self.processes[0].poll() is not None)
        if self.processes[0].poll() is not None:
            raise RuntimeError(open(log).read())

    def settle(self, commits):
        """Waits until the commits are changes, and nothing waits or runs."""
        wait_until("the changes", lambda: self.changes() >= commits)
        # The stable timer of the scheduler.
        time.sleep(1.2)
        wait_until("the builds", lambda: not self.is_busy())


class Ours(Master):
    """Our own master, with slaves of its own program."""

    name = "buildmaster"

    def start(self):
        os.makedirs(self.dir, mode=0o700)
        factories = "".join(FACTORY.format(
            name=name, flag=flag, repo=self.project.served, control=self.project.control)
            for name, flag in BUILDERS.items())
        slaves = "".join(f'[[slaves]]\nname = "{slave}"\npassword = "pw"\n' for slave in SLAVES)
        text = OURS.format(slaves=slaves, factories=factories, repo=self.project.repo,
                           slave_port=self.slave_port, mail_port=self.mail_port)
        path = os.path.join(self.dir, "master.toml")
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o600)
        self.spawn("master-out", self.bin, "start", "--nodaemon", self.dir)
        self.wait_until_up(lambda: "is running" in self.log())
        for slave in SLAVES:
            directory = self.slave_dir(slave)
            self.run(self.bin, "buildslave", "create-slave", directory,
                     f"127.0.0.1:{self.slave_port}", slave, "pw")
            self.spawn(slave, self.bin, "buildslave", "start", "--nodaemon", directory)
        wait_until("the first poll", lambda: self.rows("show", "sources")[0]["last_success"])

    def log(self):
        with open(os.path.join(os.path.dirname(self.dir), "master-out.log")) as file:
            return file.read()

    def ask(self, *words):
        return self.run(self.bin, *words, "--basedir", self.dir)

    def rows(self, *words):
        return [json.loads(line) for line in self.ask(*words, "--json").splitlines()]

    def changes(self):
        return len(self.rows("show", "changes"))

    def is_busy(self):
        return bool(self.rows("show", "requests"))

    def is_told(self, breakage, mails):
        """Whether the one who broke it knows, or the time for that is over."""
        return any(breakage.author in mail["to"][0] for mail in mails)

    def builds(self):
        return len(self.rows("show", "builds"))

    def story(self):
        """The problems with their events, and the searches with what they found."""
        problems = [json.loads(self.ask("problems", str(row["number"]), "--json"))
                    for row in self.rows("problems", "--all")]
        searches = [json.loads(self.ask("bisect", "show", str(row["number"]), "--json"))
                    for row in self.rows("bisect", "list")]
        return problems, searches


class Real(Master):
    """A real master of Buildbot, which mails in two ways: as its default, and of new failures."""

    def start(self):
        buildbot = os.path.join(self.bin, "buildbot")
        self.run(buildbot, "create-master", "--quiet", self.dir)
        with open(os.path.join(self.dir, "master.cfg"), "w") as file:
            file.write(REAL.format(
                head=self.head, mails=self.mails, repo=self.project.repo,
                served=self.project.served, control=self.project.control, builders=BUILDERS, slaves=SLAVES,
                slave_port=self.slave_port, mail_port=self.mail_port, pwd=self.slave_key))
        self.spawn("master-out", buildbot, "start", "--nodaemon", self.dir)
        log = os.path.join(self.dir, "twistd.log")
        self.wait_until_up(lambda: os.path.exists(log)
                           and "BuildMaster is running" in open(log).read())
        for slave in SLAVES:
            directory = self.slave_dir(slave)
            self.run(os.path.join(self.bin, self.slave_program), self.create_slave, directory,
                     f"127.0.0.1:{self.slave_port}", slave, "pw")
            self.spawn(slave, os.path.join(self.bin, self.slave_program), "start", "--nodaemon",
                       directory)
        wait_until("the first poll", lambda: "gitpoller: processing" in open(log).read())

    def count(self, what):
        path = os.path.join(self.dir, "state.sqlite")
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0]
        finally:
            connection.close()

    def changes(self):
        return self.count("changes")

    def is_busy(self):
        return self.count("buildrequests WHERE complete = 0") > 0

    def builds(self):
        return self.count("builds")


class Buildbot0814(Real):
    """Buildbot 0.8.14."""

    name = "buildbot 0.8.14"
    slave_program, create_slave, slave_key = "buildslave", "create-slave", "slave"
    head = """
from buildbot.buildslave import BuildSlave as Slave
from buildbot.changes.gitpoller import GitPoller
from buildbot.status.mail import MailNotifier
from buildbot.steps.source.git import Git
"""
    mails = """
c['status'] = [MailNotifier(fromaddr=mode + '@ci.example.org', mode=mode_is, relayhost='127.0.0.1',
                            smtpPort=MAIL_PORT, sendToInterestedUsers=True,
                            lookup='example.org')
               for mode, mode_is in MODES]
"""


class Buildbot430(Real):
    """Buildbot 4.3.0."""

    name = "buildbot 4.3.0"
    slave_program, create_slave, slave_key = "buildbot-worker", "create-worker", "worker"
    head = """
from buildbot.worker import Worker as Slave
from buildbot.changes.gitpoller import GitPoller
from buildbot.plugins import reporters
from buildbot.steps.source.git import Git
"""
    mails = """
c['buildbotNetUsageData'] = None
c['services'] = [reporters.MailNotifier(
    fromaddr=mode + '@ci.example.org', relayhost='127.0.0.1', smtpPort=MAIL_PORT, useTls=False,
    sendToInterestedUsers=True, lookup='example.org', name=mode,
    generators=[reporters.BuildStatusGenerator(mode=mode_is)]) for mode, mode_is in MODES]
"""


OURS = """
slave_port = "tcp:{slave_port}:interface=127.0.0.1"
{slaves}
[people.ops]
email = ["ops@example.org"]
roles = ["operator"]
[problems]
gather = "15s"
pause = "0s"
most_a_day = 1000
quiet_hours = false
[search]
gather = 1
daily_time = 86400
{factories}
[[change_sources]]
type = "GitPoller"
repourl = "{repo}"
branches = ["main"]
poll_interval = 1
[[schedulers]]
name = "each"
type = "AnyBranch"
builders = ["debug", "release"]
tree_stable_timer = 1
[[status]]
type = "MailNotifier"
from = "ci@ci.example.org"
relayhost = "127.0.0.1"
smtp_port = {mail_port}
mode = []
problems = true
"""

FACTORY = """
[factories.{name}]
steps = [
  {{ type = "Git", repourl = "{repo}", branch = "main" }},
  {{ type = "Compile", command = ["sh", "{control}/compile", "{flag}"] }},
  {{ type = "Test", command = ["sh", "{control}/test", "{name}"], tests = [{{ format = "tap", log = "stdio" }}] }},
]
[[builders]]
name = "{name}"
slaves = ["bot1", "bot2"]
factory = "{name}"
"""

REAL = """{head}
from buildbot.changes.filter import ChangeFilter
from buildbot.config import BuilderConfig
from buildbot.process.factory import BuildFactory
from buildbot.schedulers.basic import AnyBranchScheduler
from buildbot.steps.shell import Compile, Test
MAIL_PORT = {mail_port}
# Its default, and the mode that says least.
MODES = [('default', ('failing', 'passing', 'warnings')), ('problem', ('problem',))]
c = BuildmasterConfig = {{'title': 't', 'titleURL': 'http://localhost/',
                         'buildbotURL': 'http://localhost/'}}
c['db'] = {{'db_url': 'sqlite:///state.sqlite'}}
c['protocols'] = {{'pb': {{'port': 'tcp:{slave_port}:interface=127.0.0.1'}}}}
c['{pwd}s'] = [Slave(name, 'pw') for name in {slaves}]
c['change_source'] = [GitPoller(repourl='{repo}', branches=['main'], pollInterval=1)]
c['schedulers'] = [AnyBranchScheduler(name='each', builderNames=['debug', 'release'],
                                      treeStableTimer=1)]
c['builders'] = []
for name, flag in {builders}.items():
    factory = BuildFactory()
    factory.addStep(Git(repourl='{served}', branch='main', mode='incremental', haltOnFailure=True))
    factory.addStep(Compile(command=['sh', '{control}/compile', flag]))
    factory.addStep(Test(command=['sh', '{control}/test', name]))
    c['builders'].append(BuilderConfig(name=name, factory=factory, {pwd}names={slaves}))
{mails}
"""
