"""A real HTTP server on this machine that takes events, or behaves as far ends do on bad days."""

from __future__ import annotations

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK = 200
DROP = -1  # reads the request and hangs up without an answer
SILENT = -2  # reads the request and does not answer before ``release``


class Receiver:
    """Takes POSTs on 127.0.0.1. ``behaviour``: what the next requests meet, then OK."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []  # all, with names of headers
        self.taken: list[dict[str, Any]] = []  # bodies of those that were answered with 200
        self.behaviour: deque[int] = deque()
        self.otherwise = OK
        self.release = threading.Event()
        self.headers: dict[str, str] = {}  # of the answers
        self._changed = threading.Condition()
        self._server: ThreadingHTTPServer | None = None
        self.port = port
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    @property
    def ids(self) -> list[str]:
        return [body["id"] for body in self.taken]

    def start(self) -> None:
        """Listen, on the same port as before."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer._next(dict(self.headers.items()), body)
                if status == SILENT:
                    outer.release.wait(30)
                if status in (DROP, SILENT):
                    self.close_connection = True
                    return
                if status == OK:
                    outer._take(body)
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the far end hung up: that is what some tests do

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()

    def stop(self) -> None:
        """Stop listening; connections are refused from now on."""
        self.release.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def wait_for_taken(self, count: int, seconds: float = 20) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.taken) >= count, seconds)

    def wait_for_requests(self, count: int, seconds: float = 20) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, seconds)

    def wait_for_ids(self, ids: set[str], seconds: float = 20) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: ids <= set(self.ids), seconds)

    def _next(self, headers: dict[str, str], body: bytes) -> int:
        with self._changed:
            self.requests.append((headers, body))
            self._changed.notify_all()
            return self.behaviour.popleft() if self.behaviour else self.otherwise

    def _take(self, body: bytes) -> None:
        with self._changed:
            self.taken.append(json.loads(body))
            self._changed.notify_all()
