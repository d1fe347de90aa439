"""A mail server and an HTTP server for tests that kill the master while it sends to them.

    killing_targets.py MAIL_PORT HTTP_PORT DIRECTORY

While the file `victim` in the directory has a line `PID STEP MILLISECONDS`, the process is killed
so long after that step of a conversation, once. Each letter that was taken, and each kill, is a
line of the file `log`: `mail KEY`, `http KEY` or `kill STEP`.
"""

import asyncio
import email
import os
import signal
import sys

from aiosmtpd.smtp import SMTP

MAIL_PORT, HTTP_PORT, DIRECTORY = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
VICTIM = os.path.join(DIRECTORY, "victim")
LOG = open(os.path.join(DIRECTORY, "log"), "a", buffering=1)


def note(line):
    LOG.write(line + "\n")


async def reached(step):
    try:
        pid, wanted, milliseconds = open(VICTIM).read().split()
    except (FileNotFoundError, ValueError):
        return
    if step != wanted:
        return
    os.unlink(VICTIM)
    await asyncio.sleep(int(milliseconds) / 1000)
    note(f"kill {step}")
    os.kill(int(pid), signal.SIGKILL)


class Mail(SMTP):
    async def smtp_EHLO(self, hostname):
        await reached("ehlo")
        await super().smtp_EHLO(hostname)
        await reached("ehlo-answered")

    async def smtp_MAIL(self, arg):
        await reached("mail")
        await super().smtp_MAIL(arg)
        await reached("mail-answered")

    async def smtp_RCPT(self, arg):
        await reached("rcpt")
        await super().smtp_RCPT(arg)
        await reached("rcpt-answered")

    async def smtp_DATA(self, arg):
        await reached("data")
        await super().smtp_DATA(arg)
        await reached("mail-taken")


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content)
        await reached("text")
        note(f"mail {mail['Message-ID']}")
        await reached("mail-kept")
        return "250 OK"


async def http(reader, writer):
    await reached("http-connected")
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.lower().split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in lines if line)
        await reached("head")
        await reader.readexactly(int(headers["content-length"]))
        await reached("body")
        note(f"http {headers['idempotency-key']}")
        await reached("http-kept")
        # Each letter comes over a connection of its own.
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await reached("http-taken")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Mail(Keeper()), "127.0.0.1", MAIL_PORT)
    server = await asyncio.start_server(http, "127.0.0.1", HTTP_PORT)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
