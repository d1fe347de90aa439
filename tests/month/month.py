#!/usr/bin/env python3
"""A month of a project: who is told of what, by our master and by real ones of Buildbot.

    tests/month/month.py DIRECTORY buildmaster PROGRAM [--commits 200] [--seed 1]
    tests/month/month.py DIRECTORY 0.8.14|4.3.0 BIN    [--commits 200] [--seed 1]

Commits of five people come in pushes. Three of them break the build or a test, and are mended
later. Two tests fail by accident, the disk of a slave is full for a while, and the repository is
away for a while. Each push is built by two builders with a real compiler. All mail goes to a mail
server of this program's own. Prints who got how many mails, and which of them were innocent: a mail
about something that fails, to somebody who has broken nothing that is not mended yet. Of our
master, it must be none, and each one who broke something must be told. Exits with 1 if that is not
so. Run it by a Python that has aiosmtpd; BIN is the directory of Buildbot's programs.
"""

import argparse
import collections
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from history import PEOPLE, Plan, Project
from masters import Buildbot0814, Buildbot430, Ours, wait_until

KINDS = {"buildmaster": Ours, "0.8.14": Buildbot0814, "4.3.0": Buildbot430}


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Post:
    """The mail server, and what it has got."""

    def __init__(self, directory, port):
        self.dir = os.path.join(directory, "mail")
        os.makedirs(self.dir)
        script = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                              "mail_server.py")
        self.process = subprocess.Popen([sys.executable, script, str(port), self.dir],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        self.process.kill()
        self.process.wait()

    def mails(self):
        paths = glob.glob(os.path.join(self.dir, "*.json"))
        paths.sort(key=lambda path: int(os.path.basename(path)[:-5]))
        return [json.load(open(path)) for path in paths]


class Record:
    """Who had something broken at which mail."""

    def __init__(self, post, plan):
        self.post, self.plan = post, plan
        self.seen = 0
        # Mails with the people who had something broken when it came.
        self.rows = []

    def look(self):
        guilty = {one.author for one in self.plan.breakages if one.author and not one.mended}
        mails = self.post.mails()
        for mail in mails[self.seen:]:
            self.rows.append((mail, guilty))
        self.seen = len(mails)
        return [mail for mail, _ in self.rows]


def is_accusing(mail):
    subject = mail["headers"]["Subject"].lower()
    return not any(word in subject for word in ("success", "passing", "fixed", "resolved", "mended",
                                                "restored", "again well"))


def live(master, project, plan, record):
    """Has the month happen."""
    count = 0
    is_ours = isinstance(master, Ours)
    for push in plan.pushes():
        for breakage in plan.breakages:
            if breakage.until in push and is_ours:
                before = breakage.mails
                wait_until(f"the mail about {breakage.what}", lambda: master.is_told(
                    breakage, record.look()[before:]))
        for breakage in plan.breakages:
            if breakage.at in push:
                breakage.mails = len(record.look())
        project.set("full-bot2", any(number in plan.disk_full for number in push))
        project.set("away", any(number in plan.outage for number in push))
        project.push(push)
        count += len(push)
        master.settle(count)
        project.set("accidents", True)
        record.look()
        print(f"{count} of {plan.commits} commits", file=sys.stderr, flush=True)


def report(master, plan, record, seconds):
    groups = collections.defaultdict(list)
    for mail, guilty in record.rows:
        groups[mail["from"]].append((mail, guilty))
    print(f"{master.name}: {plan.commits} commits, {master.builds()} builds, {seconds:.0f} s")
    innocent_mails = 0
    for sender, rows in sorted(groups.items()):
        accusing = [(mail, guilty, to.split("@")[0]) for mail, guilty in rows if is_accusing(mail)
                    for to in mail["to"]]
        people = [row for row in accusing if row[2] in PEOPLE]
        innocent = [row for row in people if row[2] not in row[1]]
        innocent_mails += len(innocent)
        told = sum(len(mail["to"]) for mail, _ in rows)
        print(f"  from {sender}: {len(rows)} mails to {told} recipients; of failures to people: "
              f"{len(people)}, to innocent ones {len(innocent)}")
        for mail, guilty, to in innocent if isinstance(master, Ours) else []:
            print(f"    innocent {to} ({sorted(guilty)}): {mail['headers']['Subject']}")
    return innocent_mails


def judge(master, plan, record):
    """What our master did wrong."""
    wrong = []
    problems, searches = master.story()
    for problem in problems:
        events = [event["event"] for event in problem["events"]]
        if events.count("opened") != 1:
            wrong.append(f"problem {problem['number']} was opened {events.count('opened')} times")
    for breakage in plan.breakages:
        mails = [mail for mail, _ in record.rows[breakage.mails:]
                 if breakage.author in mail["to"][0]]
        if not mails:
            wrong.append(f"{breakage.author} was not told of {breakage.what}")
    print(f"  {len(problems)} problems, {len(searches)} searches")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("programs")
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    directory = os.path.abspath(options.directory)
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory, mode=0o700)
    plan = Plan(options.commits, options.seed)
    project = Project(directory, plan, options.seed)
    slave_port, mail_port = free_ports(2)
    post = Post(directory, mail_port)
    record = Record(post, plan)
    master = KINDS[options.kind](options.programs, directory, project, (slave_port, mail_port))
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        master.start()
        live(master, project, plan, record)
        record.look()
        wrong = judge(master, plan, record) if options.kind == "buildmaster" else []
        innocent = report(master, plan, record, time.monotonic() - began)
    finally:
        post.stop()
        master.stop()
    if options.kind == "buildmaster" and (wrong or innocent):
        print("\n".join(wrong))
        sys.exit(1)


main()
