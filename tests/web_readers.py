#!/usr/bin/env python3
"""Reads what a running master gives to programs with the libraries that such programs use.

    tests/web_readers.py http://127.0.0.1:8010

feedparser reads the feeds, the parser of prometheus-client the metrics (as OpenMetrics, whose rules
it checks), openapi-spec-validator the description of the API, and the reader of buildnotify the
CCTray document. Prints what each has found, one line each; the first thing that a reader does not
accept ends this with a traceback. `tests/from_pypi.sh readers` installs the libraries.
"""

import json
import sys
import types
import urllib.request

import feedparser
from buildnotifylib.core import cctray
from buildnotifylib.core.model import Activity, Status
from openapi_spec_validator import validate
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def fetch(path, accept="*/*"):
    request = urllib.request.Request(base + path, headers={"Accept": accept})
    with urllib.request.urlopen(request) as answer:
        return answer.read(), answer.headers["Content-Type"]


def feed(path, version):
    body, media_type = fetch(path)
    # The feed says itself which encoding it has; no header of HTTP helps.
    read = feedparser.parse(body)
    assert not read.bozo, (path, read.get("bozo_exception"))
    assert read.version == version, (path, read.version)
    assert version[:3] in media_type, (path, media_type)
    assert read.feed.title and read.feed.link.startswith("http"), path
    for entry in read.entries:
        assert entry.title and entry.link.startswith("http") and entry.id, entry
        assert entry.get("updated_parsed") or entry.get("published_parsed"), entry
    ids = [entry.id for entry in read.entries]
    assert len(ids) == len(set(ids)), path
    print(f"{path}: {len(ids)} entries")
    return read.entries


def metrics():
    body, media_type = fetch("/metrics", "application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text"), media_type
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert families["buildmaster_info"].type == "gauge", families["buildmaster_info"]
    assert families["buildmaster_changes"].type == "counter", families["buildmaster_changes"]
    assert families["buildmaster_store_commit_seconds"].type == "histogram", families
    print(f"/metrics: {len(families)} families")


def api():
    document = json.loads(fetch("/api/v1/openapi.json")[0])
    validate(document)
    print(f"/api/v1/openapi.json: {len(document['paths'])} paths")


def projects():
    server = types.SimpleNamespace(url=base, prefix=None, timezone="None", excluded_projects=[])
    read = cctray.parse(fetch("/cc.xml")[0], server)
    for project in read:
        assert isinstance(project.status, Status) and isinstance(project.activity, Activity), project
        assert project.url.startswith("http"), project
    print(f"/cc.xml: {len(read)} projects")


base = sys.argv[1].rstrip("/")
for path, version in [("/atom", "atom10"), ("/rss", "rss20"), ("/atom?kind=changes", "atom10")]:
    feed(path, version)
metrics()
api()
projects()
