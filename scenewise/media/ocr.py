"""On-screen text with times, by rapidocr (PP-OCR on ONNX Runtime; its wheel carries its networks).

It knows pictures, boxes and lines; it knows nothing of what the words mean. Pictures are sampled
at a steady rate and read in steps, each only where the one before saw a change:

1. a picture that equals the last one that was looked at, block by block, shows the same text;
2. otherwise text is detected at two sizes, and a box whose inside did not change keeps its text;
3. only the other boxes are recognised.

Why two sizes: the detector does not see a small line that stands alone in a large empty picture,
unless the picture is made small; and where small lines stand close together, it takes several for
one, unless the picture is large. Where the two disagree, the recogniser decides.

The same text in consecutive pictures is one line, from the first picture that shows it to the
first one that does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.errors import EncoderError, MissingExtraError, first_line
from scenewise.media.target import Target
from scenewise.media.text_boxes import (
    Bounds,
    Corners,
    Found,
    Pairing,
    TextBox,
    better,
    letters,
    overlap,
    pair,
    union,
)

LONGEST_SIDE = 1280  # pixels: larger pictures are scaled down to this
# the longest side of what the detector sees: lines that stand close together, lines that stand
# alone. On generated pictures of 1280 pixels, lone lines 10 to 18 pixels high were found in 2 of 3
# at 960, in all at 640, and in 1 of 8 at 1280
_FINE, _COARSE = 960, 640
_BLOCK = 8  # pixels: changes are looked for in squares of this side
_SAME = 10.0  # grey levels by which the mean of a square may differ: compression does that much
# Where the detector doubts that there is text, or it is a letter or two or the same again and again
# (a row of buttons reads as 0000), which textures often look like, the recogniser must be sure.
_LEAST_DETECTION = 0.3
_SURE_DETECTION = 0.5
_LEAST_SCORE, _SURE_SCORE = 0.6, 0.9
_FEW_LETTERS = 2
_SAME_PLACE = 0.5  # intersection over union
_SAME_TEXT = 0.85  # ratio of SequenceMatcher, for one line read in two ways

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB
Grey = npt.NDArray[np.float32]  # (H, W)


def ocr_spec() -> str:
    """What reads on-screen text here. Raises MissingExtraError where rapidocr is not installed."""
    try:
        return f"ocr 2, rapidocr {metadata.version('rapidocr')}, side {LONGEST_SIDE}"
    except metadata.PackageNotFoundError:
        raise _missing() from None


def _missing() -> MissingExtraError:
    return MissingExtraError(
        "on-screen text is read by rapidocr, which is not installed; run "
        'pip install "scenewise[ocr]", or turn it off with --text none.'
    )


class TextReader:
    """Reads the text of videos. One thread; not to be shared by threads."""

    def __init__(self, threads: int = 1) -> None:
        """Load the networks. Raises MissingExtraError, EncoderError."""
        self._engine = _load_engine(threads)
        self.recognised = 0  # boxes that were read, for measurements
        self.detected = 0  # pictures in which text was looked for

    def read(self, path: str | Path, *, fps: float) -> list[tuple[float, float, str]]:
        """Start, end and text of every line, by start; from the top where they start together.

        Times are on the grid of 1 / ``fps`` seconds. Raises MediaError.
        """
        from scenewise.media.decode import VideoReader
        from scenewise.media.sampling import every

        with VideoReader(path) as video:
            assert video.info.video is not None  # VideoReader refuses files without pictures
            fits = max(video.info.video.display_size) <= LONGEST_SIDE
            target = Target(LONGEST_SIDE, LONGEST_SIDE, "original" if fits else "fit")
            lines = _Lines()
            seen = _Seen()
            for frame in video.read(every(video.duration, fps), target):
                if not frame.substitute:  # of a broken one nothing is known: it is as before
                    seen = self._look(frame.image, seen)
                lines.add(frame.requested, seen.boxes)
            return lines.finish(video.duration)

    def boxes(self, picture: Picture) -> tuple[TextBox, ...]:
        """All lines of one picture, from the top."""
        return self._look(picture, _Seen()).boxes

    def _look(self, picture: Picture, before: _Seen) -> _Seen:
        grey = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        if before.grey is not None and not _differs(before.grey, grey):
            return before
        self.detected += 1
        pairings = pair(self._detect(picture, _FINE), self._detect(picture, _COARSE))
        boxes = [box for p in pairings for box in self._settle(p, picture, grey, before)]
        return _Seen(grey, tuple(sorted(boxes, key=lambda box: _reading_order(box.bounds))))

    def _settle(
        self, pairing: Pairing, picture: Picture, grey: Grey, before: _Seen
    ) -> list[TextBox]:
        """The text of one piece of the picture, by the look that serves it better."""

        def read(found: Iterable[Found]) -> list[TextBox]:
            known = ((box, before.same(box.corners, grey)) for box in found)
            boxes = (same or self._recognise(picture, box) for box, same in known)
            return [box for box in boxes if box is not None]

        fine = read(pairing.fine)
        if pairing.agree and fine and fine[0].score >= _SURE_SCORE:
            return fine
        return better(fine, read(pairing.coarse))

    def _detect(self, picture: Picture, side: int) -> list[Found]:
        """Where text is, looked for in the picture with ``side`` pixels as its longest side."""
        import cv2

        height, width = picture.shape[:2]
        scale = side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        seen = cv2.resize(picture, size, interpolation=how)
        bgr = np.ascontiguousarray(seen[:, :, ::-1])
        result = self._engine(bgr, use_det=True, use_cls=False, use_rec=False)
        boxes, scores = getattr(result, "boxes", None), getattr(result, "scores", None)
        if boxes is None or scores is None:
            return []
        back = np.array([width / size[0], height / size[1]], np.float32)
        return [
            Found(np.asarray(box, np.float32) * back, float(score))
            for box, score in zip(boxes, scores, strict=True)
        ]

    def _recognise(self, picture: Picture, found: Found) -> TextBox | None:
        crop = _upright(picture, found.corners)
        if crop is None:
            return None
        self.recognised += 1
        result = self._engine(
            np.ascontiguousarray(crop[:, :, ::-1]), use_det=False, use_cls=False, use_rec=True
        )
        if not result.txts:
            return None
        text, score = " ".join(str(result.txts[0]).split()), float(result.scores[0])
        count, doubted = letters(text), found.certainty < _SURE_DETECTION
        few = letters("".join(set(text.casefold()))) <= _FEW_LETTERS
        if count == 0 or (few and doubted):
            return None
        if score < (_SURE_SCORE if few or doubted else _LEAST_SCORE):
            return None
        return TextBox(found.corners, text, score)


def _load_engine(threads: int) -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        if error.name in (None, "rapidocr"):
            raise _missing() from None
        raise EncoderError(
            f'rapidocr cannot be loaded ({first_line(error)}); run pip install "scenewise[ocr]".'
        ) from error
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    try:
        return RapidOCR(
            params={
                "Global.log_level": "error",
                "Det.box_thresh": _LEAST_DETECTION,
                # pictures come in the size in which they are to be looked at
                "Det.limit_type": "max",
                "Det.limit_side_len": max(_FINE, _COARSE),
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
    except Exception as error:
        raise EncoderError(f"rapidocr cannot be loaded: {first_line(error)}.") from error


# ---- what changed


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last picture that was looked at, and the text in it."""

    grey: Grey | None = None  # (H, W)
    boxes: tuple[TextBox, ...] = ()

    def same(self, corners: Corners, grey: Grey) -> TextBox | None:
        """The box that stood here, if the picture inside it is what it was."""
        if self.grey is None or self.grey.shape != grey.shape:
            return None
        here = TextBox(corners, "", 0.0)
        for box in self.boxes:
            if overlap(box.bounds, here.bounds) < _SAME_PLACE:
                continue
            around = union(box.bounds, here.bounds)
            if not _differs(_cut(self.grey, around), _cut(grey, around)):
                return box
        return None


def _cut(grey: Grey, bounds: Bounds) -> Grey:
    left, upper, right, lower = bounds
    return grey[upper:lower, left:right]


def _differs(a: Grey, b: Grey) -> bool:
    """Whether any square of two pictures differs by more than compression explains."""
    if a.shape != b.shape:
        return True
    height, width = a.shape
    if height < _BLOCK or width < _BLOCK:
        return bool(np.abs(a - b).mean() > _SAME) if a.size else False
    difference = np.abs(a - b)
    # squares that do not fit are taken from the other edge, so that the border counts too
    whole = difference[: height // _BLOCK * _BLOCK, : width // _BLOCK * _BLOCK]
    rows, columns = whole.shape[0] // _BLOCK, whole.shape[1] // _BLOCK
    means = whole.reshape(rows, _BLOCK, columns, _BLOCK).mean(axis=(1, 3))
    edges = (difference[-_BLOCK:].mean(), difference[:, -_BLOCK:].mean())
    return bool(means.max() > _SAME or max(edges) > _SAME)


def _upright(picture: Picture, corners: Corners) -> Picture | None:
    """The inside of four corners as an upright line of text; None where there is no area.

    What stands much higher than wide is taken for a line that was turned, or written downwards.
    """
    import cv2

    upper_left, upper_right, lower_right, lower_left = corners
    width = round(
        max(np.linalg.norm(upper_right - upper_left), np.linalg.norm(lower_right - lower_left))
    )
    height = round(
        max(np.linalg.norm(lower_left - upper_left), np.linalg.norm(lower_right - upper_right))
    )
    if width < 2 or height < 2:
        return None
    wanted = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    crop = cv2.warpPerspective(
        picture,
        cv2.getPerspectiveTransform(corners, wanted),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(np.rot90(crop) if height >= 1.5 * width else crop, np.uint8)


def _reading_order(bounds: Bounds) -> tuple[int, int]:
    left, upper, _right, lower = bounds
    return (upper + lower) // 2, left


# ---- lines over time


@dataclass(slots=True, eq=False)
class _Line:
    """One line that is shown, with the readings of it so far."""

    start: float
    box: TextBox
    order: tuple[int, int]
    readings: dict[str, float] = field(default_factory=dict)  # sums of scores

    def note(self, box: TextBox) -> None:
        self.box = box
        self.readings[box.text] = self.readings.get(box.text, 0.0) + box.score

    @property
    def text(self) -> str:
        """The reading that was most certain over all pictures."""
        return max(self.readings, key=lambda text: (self.readings[text], text))


class _Lines:
    """Joins the boxes of consecutive pictures to lines with a start and an end."""

    def __init__(self) -> None:
        self._shown: list[_Line] = []
        self._ended: list[tuple[float, float, tuple[int, int], str]] = []

    def add(self, time: float, boxes: Iterable[TextBox]) -> None:
        """The boxes of the next picture."""
        left = list(self._shown)
        shown: list[_Line] = []
        for box in boxes:
            line = _continued(box, left)
            if line is None:
                line = _Line(time, box, _reading_order(box.bounds))
            else:
                left.remove(line)
            line.note(box)
            shown.append(line)
        self._end(left, time)
        self._shown = shown

    def finish(self, time: float) -> list[tuple[float, float, str]]:
        """All lines, by start and then from the top."""
        self._end(self._shown, time)
        self._shown = []
        self._ended.sort(key=lambda line: (line[0], line[2]))
        return [(start, max(start, end), text) for start, end, _, text in self._ended]

    def _end(self, lines: Iterable[_Line], time: float) -> None:
        self._ended += [(line.start, time, line.order, line.text) for line in lines]


def _continued(box: TextBox, lines: list[_Line]) -> _Line | None:
    """The line that a box goes on: the same words wherever they moved, or nearly so in place."""
    same = [line for line in lines if _plain(line.box.text) == _plain(box.text)]
    if same:
        return max(same, key=lambda line: overlap(line.box.bounds, box.bounds))
    near = [
        line
        for line in lines
        if overlap(line.box.bounds, box.bounds) >= _SAME_PLACE
        and _alike(_plain(line.box.text), _plain(box.text))
    ]
    return max(near, key=lambda line: overlap(line.box.bounds, box.bounds), default=None)


def _alike(a: str, b: str) -> bool:
    """Whether two readings may be of the same text. Another figure is another text: a score."""
    figures = ["".join(letter for letter in text if letter.isdigit()) for text in (a, b)]
    return figures[0] == figures[1] and SequenceMatcher(None, a, b).ratio() >= _SAME_TEXT


def _plain(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
