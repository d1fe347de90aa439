"""A mail server for tests: takes mail by SMTP and keeps it, read by Python's own parser.

    mail_server.py PORT DIRECTORY [starttls|implicit PEM USER:PASSWORD]

Each mail becomes a file `NUMBER.json` in the directory. A recipient who begins with `refused` is
unknown here; one who begins with `later` is refused for now while the file `later` exists. With
the certificate and the key of PEM it takes mail only by TLS and after that login.
"""

import asyncio
import email
import email.policy
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


LOGIN = sys.argv[3:]


def unix(text):
    return text.replace("\r\n", "\n")


class Keeper:
    def __init__(self, directory):
        self.directory = directory
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 5.1.1 no such user"
        if address.startswith("later") and os.path.exists(os.path.join(self.directory, "later")):
            return "451 4.3.0 try later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = mail.get_body(("plain",))
        html = mail.get_body(("html",))
        attachments = [[a.get_filename(), a.get_content()] for a in mail.iter_attachments()]
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": {name: str(value) for name, value in mail.items()},
            "text": unix(body.get_content()),
            "html": html and unix(html.get_content()),
            "attachments": attachments,
            "is_encrypted": session.ssl is not None or LOGIN[:1] == ["implicit"],
            "login": session.auth_data,
            "defects": [str(defect) for part in mail.walk() for defect in part.defects],
        }
        self.count += 1
        path = os.path.join(self.directory, f"{self.count}.json")
        with open(path + ".part", "w") as file:
            json.dump(kept, file)
        os.rename(path + ".part", path)
        return "250 OK"


def check_login(server, session, envelope, mechanism, data):
    login = f"{data.login.decode()}:{data.password.decode()}"
    is_right = login == LOGIN[2]
    return AuthResult(success=is_right, handled=False, auth_data=login if is_right else None)


def conversation(keeper, context):
    if not LOGIN:
        return SMTP(keeper)
    is_implicit = LOGIN[0] == "implicit"
    return SMTP(
        keeper,
        tls_context=None if is_implicit else context,
        require_starttls=not is_implicit,
        authenticator=check_login,
        auth_required=True,
        auth_require_tls=not is_implicit,
    )


async def main():
    port, directory = int(sys.argv[1]), sys.argv[2]
    keeper = Keeper(directory)
    loop = asyncio.get_running_loop()
    context = None
    if LOGIN:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(LOGIN[1])
    implicit = context if LOGIN[:1] == ["implicit"] else None
    serving = loop.create_server(
        lambda: conversation(keeper, context), "127.0.0.1", port, ssl=implicit
    )
    server = await serving
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
