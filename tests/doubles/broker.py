"""A real MQTT broker on this machine, and somebody who listens to all of it."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho


class Mosquitto:
    """Debian's mosquitto with a configuration of its own; may be killed and started again."""

    def __init__(self, program: str, folder: Path, *, password: str | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._program = program
        self._config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "persistence false"]
        if password is None:
            lines.append("allow_anonymous true")
        else:
            users = folder / "users"
            maker = Path(program).parent.parent / "bin" / "mosquitto_passwd"
            subprocess.run([maker, "-c", "-b", users, "watcher", password], check=True)
            users.chmod(0o644)
            folder.chmod(0o755)
            lines += ["allow_anonymous false", f"password_file {users}", "user root"]
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._process = subprocess.Popen(
            [self._program, "-c", self._config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._listens)

    def kill(self) -> None:
        """End it at once, without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """Everything that a broker passes on, in order: (topic, payload, retained)."""

    def __init__(self, port: int, username: str | None = None, password: str | None = None) -> None:
        self.heard: list[tuple[str, str, bool]] = []
        self._changed = threading.Condition()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(1, 1)
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *rest: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *rest: subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not subscribed.wait(10):
            raise TimeoutError("the broker did not take a subscription")

    def wait_for(
        self, wanted: Callable[[list[tuple[str, str, bool]]], bool], seconds: float = 20
    ) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: wanted(self.heard), seconds)

    def payloads(self, ending: str) -> list[str]:
        return [payload for topic, payload, _ in self.heard if topic.endswith(ending)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        with self._changed:
            self.heard.append((message.topic, message.payload.decode(), bool(message.retain)))
            self._changed.notify_all()


def wait_until(ready: Callable[[], bool], seconds: float = 20) -> None:
    """Ask again and again; TimeoutError where it does not come true."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError("it did not come true in time")
        pause.wait(0.02)
