"""The picture and the clip of an event, written into a folder.

It knows events, rings of packets and file names; it knows no rule and no sink. A clip is written
from the packets as they came, without decoding, once its last second has been received.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from scenewise.errors import MediaError, StorageError
from scenewise.media.box_pictures import Marked, draw_box
from scenewise.media.packet_ring import Excerpt, PacketRing
from scenewise.media.whole_file import write_picture
from scenewise.tasks.watch.mailbox import Picture
from scenewise.tasks.watch.options import SaveOptions
from scenewise.types import Event

logger = logging.getLogger(__name__)

# beyond the clip: how late an event may come, and a group of pictures
_RING_MARGIN_SECONDS = 15.0
_WAITING_CLIPS = 16
_SNAPSHOT_QUALITY = 88
_LONGEST_NAME = 40


def ring_of(options: SaveOptions) -> PacketRing | None:
    """What one stream needs for its clips; None where none are wanted."""
    if not options.clips:
        return None
    return PacketRing(options.before_seconds + options.after_seconds + _RING_MARGIN_SECONDS)


@dataclass(frozen=True, slots=True)
class _Wanted:
    end: float  # seconds on the stream's clock
    start: float
    path: Path


class Saver:
    """Writes snapshots at once, and clips in a thread of its own when they are complete."""

    def __init__(self, options: SaveOptions, rings: list[PacketRing | None]) -> None:
        """Make the folder; StorageError where it cannot be written to."""
        self._options = options
        self._rings = rings
        self._wanted: list[list[_Wanted]] = [[] for _ in rings]
        self.lost = [0] * len(rings)  # clips that could not be written, by stream
        self._guard = threading.Lock()
        self._queue: queue.Queue[tuple[int, Excerpt, Path] | None] = queue.Queue(_WAITING_CLIPS)
        try:
            options.folder.mkdir(parents=True, exist_ok=True)
            probe = options.folder / ".scenewise-probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StorageError(
                f"{options.folder}: cannot be written to ({error.strerror}); name another folder."
            ) from None
        self._thread = threading.Thread(target=self._write_clips, name="clips", daemon=True)
        self._thread.start()

    def snapshot(self, event: Event, image: Picture) -> Path | None:
        """Write the picture, with the event's boxes; None where that failed, which is said."""
        path = self._path(event, ".jpg")
        try:
            write_picture(path, _with_boxes(image, event), quality=_SNAPSHOT_QUALITY)
        except StorageError as error:
            logger.warning("%s", error)
            return None
        return path

    def clip(self, source: int, event: Event) -> Path | None:
        """Where the clip of an event will be; it is written when its end was received."""
        ring = self._rings[source]
        suffix = None if ring is None else ring.suffix
        if suffix is None:
            return None
        path = self._path(event, suffix)
        wanted = _Wanted(
            event.time + self._options.after_seconds,
            max(0.0, event.time - self._options.before_seconds),
            path,
        )
        with self._guard:
            if len(self._wanted[source]) >= _WAITING_CLIPS:
                self.lost[source] += 1
                logger.warning("%s: too many clips at once; this one is left out", path)
                return None
            self._wanted[source].append(wanted)
        return path

    def reached(self, source: int, time: float) -> None:
        """A stream has come this far; infinity at the end of a connection."""
        if not self._wanted[source]:
            return
        with self._guard:
            ready = [wanted for wanted in self._wanted[source] if wanted.end <= time]
            self._wanted[source] = [w for w in self._wanted[source] if w.end > time]
        for wanted in ready:
            self._cut(source, wanted)

    def _cut(self, source: int, wanted: _Wanted) -> None:
        ring = self._rings[source]
        excerpt = None if ring is None else ring.excerpt(wanted.start, wanted.end)
        try:
            if excerpt is not None:
                self._queue.put_nowait((source, excerpt, wanted.path))
                return
            reason = "the stream broke off"
        except queue.Full:
            reason = "the disk is too slow"
        self.lost[source] += 1
        logger.warning("%s: the clip was not written: %s", wanted.path, reason)

    def close(self, timeout_seconds: float) -> None:
        """Write what is there of the clips that are not complete, and end."""
        for source in range(len(self._rings)):
            self.reached(source, float("inf"))
        try:
            self._queue.put(None, timeout=timeout_seconds)
        except queue.Full:
            return
        self._thread.join(timeout_seconds)

    def _write_clips(self) -> None:
        while (job := self._queue.get()) is not None:
            source, excerpt, path = job
            try:
                excerpt.write(path)
            except (MediaError, OSError) as error:
                self.lost[source] += 1
                logger.warning("the clip was not written: %s", error)

    def _path(self, event: Event, suffix: str) -> Path:
        """By time, stream and rule, so that a folder sorts itself; the id keeps names apart."""
        when = re.sub(r"[^0-9T]", "", event.wall.partition("+")[0].replace(":", ""))
        apart = hashlib.sha256(event.id.encode()).hexdigest()[:8]
        parts = (when, _plain(event.source), _plain(event.rule), apart)
        return self._options.folder / ("_".join(part for part in parts if part) + suffix)


def _with_boxes(image: Picture, event: Event) -> Image.Image:
    drawn = Image.fromarray(image)
    for number, box in enumerate(reversed(event.boxes)):  # the best one in front
        place = (box.left, box.top, box.width, box.height)
        text = f"{box.label} {box.probability:.2f}"
        drawn = draw_box(np.asarray(drawn), Marked(number, event.time, place, text, ""))
    return drawn


def _plain(text: str) -> str:
    """Words that any file system takes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:_LONGEST_NAME].strip("-")
