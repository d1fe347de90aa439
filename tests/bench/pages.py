#!/usr/bin/env python3
"""Asks a running master for its pages at a fixed rate, and prints how long they took, in JSON.

    tests/bench/pages.py http://127.0.0.1:8010/ --rate 200 --seconds 30

The links of the pages are followed first, so that every kind of page of this master is asked for. A
request is sent when it is due, whether or not earlier ones were answered: what waits counts.
"""

import argparse
import asyncio
import json
import random
import re
import time
import urllib.parse
from collections import defaultdict

LINK = re.compile(rb'(?:href|src)="(/[^"#]*)')
# What is followed by a name.
NOUNS = ("builders", "slaves", "schedulers", "users", "steps", "logs", "revision", "badge")
# What one request may take before it counts as an error.
PATIENCE = 30


def kind(path):
    """The page without what it is about: /builders/quick/builds/12 is /builders/*/builds/*."""
    parts = path.split("?")[0].strip("/").split("/")
    is_name = lambda i: parts[i - 1] in NOUNS or any(letter.isdigit() for letter in parts[i])
    return "/" + "/".join("*" if i and is_name(i) else part for i, part in enumerate(parts))


class Client:
    """Connections that are kept open, as many as are needed."""

    def __init__(self, url):
        at = urllib.parse.urlsplit(url)
        self.host, self.port, self.idle = at.hostname, at.port or 80, []

    async def get(self, path):
        """Returns the status and the body; one more attempt if a kept connection was closed."""
        while self.idle:
            reader, writer = self.idle.pop()
            try:
                return await self.ask(reader, writer, path)
            except (ConnectionError, asyncio.IncompleteReadError):
                writer.close()
        return await self.ask(*await asyncio.open_connection(self.host, self.port), path)

    async def ask(self, reader, writer, path):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAccept: text/html\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split()[1])
        length = re.search(r"content-length: (\d+)", head)
        if length:
            body = await reader.readexactly(int(length[1]))
        elif "transfer-encoding: chunked" in head:
            body = await chunks(reader)
        else:
            body = b""
        if "connection: close" in head:
            writer.close()
        else:
            self.idle.append((reader, writer))
        return status, body


async def chunks(reader):
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


def streams(path):
    return "/events" in path or "follow=" in path or path.startswith(("/login", "/logout", "/auth"))


async def crawl(client, most):
    """Addresses by kind; at most `most` of a kind."""
    found, seen, todo = defaultdict(list), {"/"}, ["/"]
    while todo:
        path = todo.pop(0)
        if len(found[kind(path)]) >= most:
            continue
        status, body = await client.get(path)
        if status != 200:
            continue
        found[kind(path)].append(path)
        for link in LINK.findall(body):
            link = link.decode().replace("&amp;", "&")
            if link not in seen and not streams(link) and len(found[kind(link)]) < most:
                seen.add(link)
                todo.append(link)
    return found


async def load(client, pages, rate, seconds):
    took, errors, waiting = defaultdict(list), defaultdict(int), set()

    async def one(of, path, due):
        try:
            status, _ = await asyncio.wait_for(client.get(path), PATIENCE)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
            errors[f"{of}: {type(error).__name__}"] += 1
            return
        if status == 200:
            took[of].append(time.monotonic() - due)
        else:
            errors[f"{of}: {status}"] += 1

    kinds, begun = sorted(pages), time.monotonic()
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(0, due - time.monotonic()))
        of = kinds[number % len(kinds)]
        task = asyncio.create_task(one(of, random.choice(pages[of]), due))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    return took, errors, time.monotonic() - begun


def figures(times):
    times = sorted(times)
    at = lambda share: round(1000 * times[min(len(times) - 1, int(share * len(times)))], 2)
    return {"n": len(times), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1)}


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--per-kind", type=int, default=20, help="addresses of each kind of page")
    options = parser.parse_args()
    client = Client(options.url)
    pages = await crawl(client, options.per_kind)
    pages = {of: paths for of, paths in pages.items() if paths}
    took, errors, elapsed = await load(client, pages, options.rate, options.seconds)
    every = [time for times in took.values() for time in times]
    print(json.dumps({
        "rate": round(len(every) / elapsed, 1),
        "all": figures(every) if every else None,
        "kinds": {of: figures(times) for of, times in sorted(took.items())},
        "errors": errors,
    }, indent=1))


if __name__ == "__main__":
    asyncio.run(main())
