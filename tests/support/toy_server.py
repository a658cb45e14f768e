"""What a process of the toy kind runs: it serves its entrypoint as text, to the agent only."""

import os
import sys
from http.server import BaseHTTPRequestHandler
from socketserver import UnixStreamServer

told = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin)


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = self.headers["Shiny-Shared-Secret"] == told["secret"]
        body = told["entrypoint"].encode() if allowed else b""
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "the agent"


print(f"\n{told['mark']} app", file=sys.stderr, flush=True)  # noqa: T201
os.umask(0o177)
with UnixStreamServer(told["socket"], Answer) as server:
    print(f"\n{told['mark']} ready", file=sys.stderr, flush=True)  # noqa: T201
    server.serve_forever()
