"""Receive the events of ``scenewise watch --webhook`` and print them, each once.

Requests without a right signature are refused where SCENEWISE_WEBHOOK_SECRET is set, here and for
the watch. The answer 204 tells the sender that the event arrived; an event that comes twice (the
sender was killed before it read the answer) is confirmed and not printed again.
"""

from __future__ import annotations

import argparse
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from scenewise.tasks.watch.webhook import verify

MOST_BYTES = 1_000_000  # no event is as long


class Receiver(BaseHTTPRequestHandler):
    """One request."""

    secret: str | None = None
    seen: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        """Check, print, confirm."""
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= MOST_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(length)
        if self.secret and not verify(self.secret, dict(self.headers), body):
            self.send_error(401)
            return
        event = json.loads(body)
        if event["id"] not in self.seen:
            self.seen.add(event["id"])
            print(event["wall"], event["source"], event["rule"], event["clip"] or "", flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: events are what is printed."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="on this machine (8080; 0: any)")
    wanted = parser.parse_args()
    Receiver.secret = os.environ.get("SCENEWISE_WEBHOOK_SECRET")
    server = ThreadingHTTPServer(("127.0.0.1", wanted.port), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
