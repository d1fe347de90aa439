"""A server for tests that keeps what is posted to it.

    http_target.py PORT DIRECTORY

Each request becomes a file `NUMBER.json` in the directory. While the file `missing` is there, the
answer is 404.
"""

import hashlib
import hmac
import http.server
import json
import os
import sys
import urllib.parse

PORT, DIRECTORY = int(sys.argv[1]), sys.argv[2]


def parsed(kind, body):
    if kind != "application/x-www-form-urlencoded":
        return json.loads(body)
    fields = urllib.parse.parse_qs(body.decode(), strict_parsing=True)
    return {name: values[0] for name, values in fields.items()}


class Keeper(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signature = self.headers.get("X-Buildmaster-Signature", "")
        parts = [part.split("=", 1) for part in signature.split(",") if part]
        time = "".join(value for name, value in parts if name == "t")
        signed = hmac.new(b"sesame-key", time.encode() + b"." + body, hashlib.sha256)
        kept = {
            "path": self.path,
            "headers": {name.title(): value for name, value in self.headers.items()},
            "body": parsed(self.headers["Content-Type"], body),
            "is_signed": ["v1", signed.hexdigest()] in parts,
        }
        Keeper.count += 1
        path = os.path.join(DIRECTORY, f"{Keeper.count}.json")
        with open(path + ".part", "w") as file:
            json.dump(kept, file)
        os.rename(path + ".part", path)
        missing = os.path.exists(os.path.join(DIRECTORY, "missing"))
        self.send_response(404 if missing else 201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Keeper)
print("ready", flush=True)
server.serve_forever()
