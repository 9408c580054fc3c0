"""What a live source is called, and how FFmpeg is told to open it.

It knows schemes, options and which part of an address is secret; it opens nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from scenewise.errors import UsageError

SourceKind = Literal[
    "file", "growing", "playlist", "device", "generated", "rtsp", "hls", "udp", "http"
]

# what libavdevice calls its inputs, by what people write before the colon
_DEVICES = {
    "lavfi": "lavfi",  # pictures that FFmpeg makes up: testsrc=size=1280x720:rate=25
    "v4l2": "v4l2",
    "avfoundation": "avfoundation",
    "dshow": "dshow",
    "x11grab": "x11grab",
    "fbdev": "fbdev",
}
_SCHEMES = ("rtsp", "rtsps", "http", "https", "udp", "file")
_NAMED = re.compile(r"^([A-Za-z0-9_][\w .-]{0,63})=(.+)$", re.DOTALL)
_SECRET_NAMES = re.compile(r"pass|pwd|secret|token|key|auth|sig|user|credential|session", re.I)
_SECRET_VALUE = re.compile(r"([^&;=]+)=([^&;]*)")
_MASK = "***"
_REMOTE = "http,https,tcp,tls,crypto,data,httpproxy"  # a remote list opens no file of this machine
_LOCAL = "file,crypto,data"  # and a local list is not followed elsewhere
# a socket that holds what comes while a picture is decoded
_UDP_OPTIONS = {"fifo_size": "100000", "overrun_nonfatal": "1"}
# what a stream shows until its headers are believed: half a second instead of five
_QUICK_START = {"analyzeduration": "500000"}


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How sources are read. Times in seconds."""

    fast: bool = False  # files and generated pictures as fast as they go, nothing is dropped
    follow: bool = False  # files grow: a recorder writes them
    idle_seconds: float | None = None  # a file that has not grown for so long is over; None: never
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    read_timeout_seconds: float = 5.0  # silence after which a network stream counts as gone
    give_up_after_seconds: float | None = None  # of failing to connect; None: never
    wait_for_start: bool = False  # a source that is not there at the start may come, too
    first_pause_seconds: float = 0.5  # before the second attempt; doubles
    longest_pause_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name, value in (
            ("--idle-seconds", self.idle_seconds),
            ("--read-timeout", self.read_timeout_seconds),
            ("--give-up-after", self.give_up_after_seconds),
        ):
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{name} is a number of seconds above 0, got {value}.")


@dataclass(frozen=True, slots=True)
class LiveSource:
    """Where a stream comes from. ``name`` and ``shown`` hold no secret; ``address`` may."""

    name: str  # what events call it
    shown: str  # the address for people
    address: str  # what FFmpeg opens
    kind: SourceKind
    format: str | None = None  # FFmpeg's name of the demuxer; None: it looks itself
    options: tuple[tuple[str, str], ...] = ()

    @property
    def is_network(self) -> bool:
        """Any end of it is a disconnect."""
        return self.kind in ("rtsp", "hls", "udp", "http")

    @property
    def reconnects(self) -> bool:
        """Whether it may come back: a network, or a camera that was unplugged."""
        return self.is_network or self.kind == "device"

    def __repr__(self) -> str:
        return f"LiveSource({self.name!r}, {self.shown!r}, {self.kind!r})"


def parse_source(text: str, options: LiveOptions | None = None) -> LiveSource:
    """A source as a person writes it: ``ADDRESS`` or ``NAME=ADDRESS``.

    A path of a file or of a local .m3u8, /dev/video0, ``lavfi:GRAPH`` or ``v4l2:DEVICE``,
    rtsp:// or rtsps://, http(s):// (HLS where the path ends in .m3u8, else MJPEG, MPEG-TS or what
    FFmpeg finds), udp:// (MPEG-TS). Raises UsageError.
    """
    options = options or LiveOptions()
    name, address = _split_name(text)
    if not address.strip() or "\0" in address:
        raise UsageError(
            "a source is empty; give a file, a device or a URL such as rtsp://HOST/PATH."
        )
    source = _device(address) or _url(address, options) or _path(address, options)
    if name is None:
        return source
    return LiveSource(
        name, source.shown, source.address, source.kind, source.format, source.options
    )


def _split_name(text: str) -> tuple[str | None, str]:
    """A file whose name holds a ``=`` is that file, and so is a URL's query no name."""
    found = _NAMED.match(text)
    if found is None or Path(text).exists():
        return None, text
    return found[1].strip(), found[2]


def _device(address: str) -> LiveSource | None:
    kind, _, rest = address.partition(":")
    if address.startswith("/dev/video"):
        kind, rest = "v4l2", address
    if kind not in _DEVICES or rest.startswith("//"):
        return None
    if not rest:
        raise UsageError(f"{address}: names no device; write for instance v4l2:/dev/video0.")
    return LiveSource(
        name=address,
        shown=address,
        address=rest,
        kind="generated" if kind == "lavfi" else "device",
        format=_DEVICES[kind],
    )


def _url(address: str, options: LiveOptions) -> LiveSource | None:
    if "://" not in address:
        return None
    scheme = address.partition("://")[0].lower()
    shown = masked(address)
    if scheme not in _SCHEMES:
        raise UsageError(
            f"{shown}: the scheme {scheme}:// is unknown; allowed are "
            f"{', '.join(f'{known}://' for known in _SCHEMES)}, paths and devices."
        )
    if scheme == "file":
        return _path(address.partition("://")[2], options)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host and not (scheme == "udp" and port):
        raise UsageError(f"{shown}: names no host; write {scheme}://HOST:PORT/PATH.")
    settings: dict[str, str] = dict(_QUICK_START)
    kind: SourceKind = "http"
    if scheme in ("rtsp", "rtsps"):
        kind = "rtsp"
        settings |= {"rtsp_transport": options.rtsp_transport}
        if options.rtsp_transport == "udp":
            settings |= {"reorder_queue_size": "200"}
    elif scheme == "udp":
        if not port:
            raise UsageError(f"{shown}: names no port; write udp://HOST:PORT.")
        kind = "udp"
        settings |= _UDP_OPTIONS
    elif urlsplit(address).path.lower().endswith((".m3u8", ".m3u")):
        kind = "hls"
        settings = {"protocol_whitelist": _REMOTE}
    else:
        settings |= {"protocol_whitelist": _REMOTE}
    return LiveSource(shown, shown, address, kind, None, tuple(settings.items()))


def _path(address: str, options: LiveOptions) -> LiveSource:
    path = Path(address)
    if address.startswith("~"):
        from scenewise.config import expand_user

        path = expand_user(address)
    if not path.exists():
        raise UsageError(
            f"{address}: there is no such file, and it is no URL; give a file, a device such as "
            "/dev/video0 or lavfi:testsrc, or a URL such as rtsp://HOST/PATH."
        )
    if path.is_dir():
        raise UsageError(f"{address}: is a folder; give a video file, or the .m3u8 inside it.")
    kind: SourceKind = "file"
    if path.suffix.lower() in (".m3u8", ".m3u"):
        kind = "playlist"
    elif options.follow:
        kind = "growing"
    # the absolute path, so that a name such as "12:30.mp4" is not taken for a protocol
    return LiveSource(
        address,
        address,
        str(path.absolute()),
        kind,
        None,
        (("protocol_whitelist", _LOCAL if kind == "playlist" else "file"),),
    )


def masked(address: str) -> str:
    """A URL without its secrets: user and password, and values of a query that sound like some."""
    scheme, _, rest = address.partition("://")
    place, slash, tail = rest.partition("/")
    if "@" in place:
        place = f"{_MASK}@{place.rpartition('@')[2]}"
    elif "@" in tail and not re.fullmatch(r"(\[[^]]*\]|[^:]*)(:\d*)?", place):
        # a password with a slash, which no reader of URLs takes, but a person typed
        place, tail = _MASK, f"@{tail.rpartition('@')[2]}"
        slash = ""
    path, mark, query = tail.partition("?")
    return f"{scheme}://{place}{slash}{path}{mark}{_SECRET_VALUE.sub(_hidden, query)}"


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}={_MASK}" if _SECRET_NAMES.search(found[1]) else found[0]
