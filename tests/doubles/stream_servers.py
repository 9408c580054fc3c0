"""Servers that real streams come from: RTSP, HTTP folders, MJPEG, MPEG-TS over UDP.

All on 127.0.0.1, each a context manager; films go in, what a test does to a server comes after.
"""

from __future__ import annotations

import base64
import io
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

RTSP_SERVER = Path(__file__).with_name("rtsp_server.py")
PYTHON_WITH_GI = "/usr/bin/python3"

Picture = npt.NDArray[np.uint8]


def rtsp_is_there() -> bool:
    """Whether GStreamer's RTSP server can be run."""
    code = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if shutil.which(PYTHON_WITH_GI) is None:
        return False
    return subprocess.run([PYTHON_WITH_GI, "-c", code], capture_output=True).returncode == 0


class RtspServer:
    """GStreamer's server in a process of its own, which can be frozen, killed and started anew."""

    def __init__(self, film: Path, mounts: int = 1, port: int = 0) -> None:
        self._command = [PYTHON_WITH_GI, str(RTSP_SERVER)]
        self._film, self._mounts = film, mounts
        self.port = port
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start on the port of the last time; returns once it listens."""
        arguments = [str(self.port), str(self._film), str(self._mounts)]
        self._process = subprocess.Popen(
            [*self._command, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def url(self, mount: int = 0) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{mount}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a power failure does it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Connections stay, and nothing comes any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)


@contextmanager
def rtsp_server(film: Path, mounts: int = 1) -> Iterator[RtspServer]:
    server = RtspServer(film, mounts)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def _http(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def folder_server(folder: Path) -> Iterator[str]:
    """A folder over HTTP."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with _http(partial(Quiet, directory=str(folder))) as url:  # type: ignore[arg-type] # a factory
        yield url


@contextmanager
def mjpeg_server(
    pictures: Sequence[Picture], fps: float, *, password: str | None = None, endless: bool = True
) -> Iterator[str]:
    """Pictures as multipart JPEG; every connection begins with the first one.

    Not ``endless``: the connection ends after the last one, as a camera's does that restarts.
    """
    jpegs = []
    for picture in pictures:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=95)
        jpegs.append(buffer.getvalue())
    wanted = None if password is None else base64.b64encode(password.encode()).decode()

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the base class calls it so
            if wanted is not None and self.headers.get("Authorization") != f"Basic {wanted}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            begin, number = time.monotonic(), 0
            try:
                while endless or number < len(jpegs):
                    jpeg = jpegs[number % len(jpegs)]
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                    self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                    number += 1
                    time.sleep(max(0.0, begin + number / fps - time.monotonic()))
            except (BrokenPipeError, ConnectionResetError):
                return

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with _http(Camera) as url:
        yield url


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def udp_sender(film: Path, port: int) -> Iterator[None]:
    """A film as MPEG-TS to a port, over and over with rising times, at its own pace."""
    stop = threading.Event()
    thread = threading.Thread(target=_send, args=(film, port, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _send(film: Path, port: int, stop: threading.Event) -> None:
    begin, base = time.monotonic(), 0.0
    with av.open(f"udp://127.0.0.1:{port}?pkt_size=1316", "w", format="mpegts") as target:
        copy: av.VideoStream | None = None
        while not stop.is_set():
            with av.open(str(film)) as source:
                stream = source.streams.video[0]
                if copy is None:
                    copy = target.add_stream_from_template(stream)
                last = 0.0
                for packet in source.demux(stream):
                    if packet.pts is None or packet.dts is None or packet.time_base is None:
                        continue
                    at = float(packet.dts * packet.time_base)
                    shift = round(base / packet.time_base)
                    last = at + float((packet.duration or 0) * packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = copy
                    if stop.wait(max(0.0, begin + base + at - time.monotonic())):
                        return
                    target.mux(packet)
                base += last


def segment(film: Path, folder: Path, seconds: float) -> list[str]:
    """Cut a film into the pieces of an HLS list and return their EXTINF lines with names."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {"hls_time": str(seconds), "hls_list_size": "0", "hls_playlist_type": "vod"}
    with (
        av.open(str(film)) as source,
        av.open(str(folder / "vod.m3u8"), "w", format="hls", options=options) as target,
    ):
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    lines = (folder / "vod.m3u8").read_text().splitlines()
    return [
        f"{line}\n{lines[place + 1]}\n"
        for place, line in enumerate(lines)
        if line.startswith("#EXTINF")
    ]


def write_list(path: Path, pieces: Sequence[str], *, ended: bool) -> None:
    """A playlist of these pieces, replaced at once."""
    text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
    text += "".join(pieces) + ("#EXT-X-ENDLIST\n" if ended else "")
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
