"""A real HTTP server on the loopback that answers by a script, and remembers what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One response; ``cut`` closes the connection after that many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    wait: bool = False  # until the test is over: a model that does not come to an end


def says(text: Any, **more: Any) -> Reply:
    """A chat completion with this content."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, **more}
    return Reply(body=json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


def fails(status: int, message: str = "", **more: Any) -> Reply:
    """An error as such endpoints write it."""
    return Reply(status, json.dumps({"error": {"message": message, **more}}).encode())


@dataclass(frozen=True)
class Asked:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def texts(self) -> list[str]:
        """The words of the user's message, in order."""
        parts = self.body["messages"][-1]["content"]
        return [part["text"] for part in parts if part["type"] == "text"]

    @property
    def pictures(self) -> list[str]:
        """The addresses of its pictures."""
        parts = self.body["messages"][-1]["content"]
        return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


class ChatServer:
    """``replies`` are given one after the other, the last one for ever; or by a function."""

    def __init__(self, replies: Sequence[Reply] | Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        self._replies = replies
        self._over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests are quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        asked = Asked(handler.path, dict(handler.headers.items()), body)
        self.asked.append(asked)
        if callable(self._replies):
            reply = self._replies(asked)
        else:
            reply = self._replies[min(len(self.asked), len(self._replies)) - 1]
        if reply.wait:
            self._over.wait()
            return
        handler.send_response(reply.status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(reply.body[: reply.cut])
        handler.close_connection = True


@contextmanager
def chat_server(
    *replies: Reply, by: Callable[[Asked], Reply] | None = None
) -> Iterator[ChatServer]:
    """A server for the block."""
    server = ChatServer(by if by is not None else replies)
    try:
        yield server
    finally:
        server.close()
