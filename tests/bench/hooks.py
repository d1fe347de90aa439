#!/usr/bin/env python3
"""Sends the hooks of every forge to a master: how long the answers take, and what they cost.

    tests/bench/hooks.py PROGRAM [--seconds 60] [--rate 1000]

PROGRAM is a `buildmaster` of a release build. It is started in a temporary directory. For so many
seconds, each forge sends RATE pushes a minute: of ten, seven are signed rightly, one is one of them
again, one has a wrong signature and one has none. The latter come from other addresses, as those of
strangers do. At the end, every push that was signed must be one change.
"""

import argparse
import collections
import hashlib
import hmac
import http.client
import json
import queue
import sys
import tempfile
import threading
import time

from running import cpu, free_port, prepare, running, show

SECRET = "s3cret"
FORGES = ["github", "gitlab", "gitea", "forgejo", "gogs", "bitbucketcloud", "bitbucketserver"]
WEB = """
[web]
port = "tcp:{web}:interface=0.0.0.0"
"""
HOOK = """
[[change_sources]]
type = "ChangeHook"
dialect = "{}"
secret = "s3cret"
max_per_minute = 100000
"""


def push(forge, number):
    """Headers without the signature, and the body, of a push of one commit."""
    node = hashlib.sha1(f"{forge} {number}".encode()).hexdigest()
    url = f"https://{forge}.example.org/ann/widget"
    commit = {
        "id": node, "message": f"Fix {number}", "timestamp": "2026-11-27T12:00:00+01:00",
        "url": url, "author": {"name": "Ann", "email": "ann@example.org"},
        "added": [], "modified": ["src/a.c"], "removed": [],
    }
    body = {
        "ref": "refs/heads/main", "after": node, "commits": [commit],
        "repository": {"full_name": "ann/widget", "url": url, "clone_url": url},
    }
    event = {
        "github": ("X-GitHub-Event", "push"), "gitlab": ("X-Gitlab-Event", "Push Hook"),
        "gitea": ("X-Gitea-Event", "push"), "forgejo": ("X-Forgejo-Event", "push"),
        "gogs": ("X-Gogs-Event", "push"), "bitbucketcloud": ("X-Event-Key", "repo:push"),
        "bitbucketserver": ("X-Event-Key", "repo:refs_changed"),
    }[forge]
    if forge == "gitlab":
        body |= {"object_kind": "push", "total_commits_count": 1, "project": {"git_http_url": url}}
    elif forge == "bitbucketcloud":
        target = {"hash": node, "message": "Fix", "author": {"raw": "Ann"}}
        new = {"type": "branch", "name": "main", "target": target}
        body = {"push": {"changes": [{"new": new, "commits": [target]}]},
                "repository": {"full_name": "ann/widget", "links": {"html": {"href": url}}}}
    elif forge == "bitbucketserver":
        links = {"clone": [{"name": "http", "href": url}]}
        body = {"repository": {"slug": "widget", "links": links},
                "changes": [{"ref": {"id": "refs/heads/main"}, "toHash": node, "type": "UPDATE"}]}
    return {event[0]: event[1], "Content-Type": "application/json"}, json.dumps(body).encode()


def signature(forge, body, secret):
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "github": ("X-Hub-Signature-256", f"sha256={digest}"), "gitlab": ("X-Gitlab-Token", secret),
        "gitea": ("X-Gitea-Signature", digest), "forgejo": ("X-Forgejo-Signature", digest),
        "gogs": ("X-Gogs-Signature", digest),
    }.get(forge, ("X-Hub-Signature", f"sha256={digest}"))


def send(web, forge, kind, number, peer):
    headers, body = push(forge, number)
    if kind != "missing":
        name, value = signature(forge, body, "wrong" if kind == "wrong" else SECRET)
        headers[name] = value
    begin = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", web, timeout=60, source_address=(peer, 0))
    connection.request("POST", f"/change_hook/{forge}", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status, time.monotonic() - begin


def plan(seconds, rate):
    """What is sent when: kinds of hooks of each forge, evenly."""
    for number in range(seconds * rate // 60):
        kind = ["right"] * 6 + ["replayed", "wrong", "missing", "right"]
        for forge in FORGES:
            yield number * 60 / rate, forge, kind[number % 10], number


def work(web, jobs, done):
    while (job := jobs.get()) is not None:
        due, forge, kind, number = job
        time.sleep(max(0, due - time.monotonic()))
        # Strangers have addresses of their own; forges have one each.
        peer = f"127.0.1.{FORGES.index(forge) + 1}"
        if kind in ("wrong", "missing"):
            peer = f"127.1.{number % 250}.{FORGES.index(forge) + 1}"
        sent = number - 1 if kind == "replayed" else number
        try:
            done.append((forge, kind, *send(web, forge, kind, sent, peer)))
        except OSError as error:
            done.append((forge, kind, type(error).__name__, 0))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as basedir:
        web = free_port()
        prepare(basedir, WEB.format(web=web) + "".join(map(HOOK.format, FORGES)))
        with running(given.program, basedir) as master:
            measure(given, basedir, master, web)


def measure(given, basedir, master, web):
    jobs, done, good = queue.Queue(), [], collections.Counter()
    slow, threads = queue.Queue(), []
    # Wrong secrets are answered late, and keep nobody else waiting.
    for lane, count in ((jobs, 24), (slow, 400)):
        for _ in range(count):
            threads.append(threading.Thread(target=work, args=(web, lane, done)))
    before = cpu(master.pid)[0]
    begin = time.monotonic() + 0.5
    for at, forge, kind, number in plan(given.seconds, given.rate):
        lane = slow if kind in ("wrong", "missing") else jobs
        lane.put((begin + at, forge, kind, number))
        good[kind == "right"] += 1
    for lane, count in ((jobs, 24), (slow, 400)):
        for _ in range(count):
            lane.put(None)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = cpu(master.pid)[0] - before
    print(f"{len(done)} hooks in {time.monotonic() - begin:.0f} s; CPU of the master "
          f"{spent:.2f} s, {1000 * spent / len(done):.2f} ms a hook")
    for kind in ("right", "replayed", "wrong", "missing"):
        took = sorted(sent[3] for sent in done if sent[1] == kind)
        said = collections.Counter(sent[2] for sent in done if sent[1] == kind)
        at = [1000 * took[int(len(took) * part)] for part in (0.5, 0.99)] + [1000 * took[-1]]
        print(f"{kind:9} {len(took):5}  p50 {at[0]:7.1f} ms  p99 {at[1]:7.1f} ms  "
              f"max {at[2]:7.1f} ms  {dict(said)}")
    taken = sum(source["taken"] for source in show(given.program, basedir, "sources"))
    print(f"{taken} changes of {good[True]} pushes that were signed")
    sys.exit(taken != good[True])


main()
