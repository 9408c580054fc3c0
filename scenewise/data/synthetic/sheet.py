"""One picture of a world: a row of frames for each of some films, with what happens in it.

It knows scenes and how to lay out their frames; it writes no file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenewise.data.synthetic.captions import clause
from scenewise.data.synthetic.scene import Scene
from scenewise.data.synthetic.words import closed
from scenewise.data.synthetic.world import World

_FRAMES = 8  # of each film, spread evenly
_GAP, _LINE = 2, 16  # pixels
_LARGEST = 96  # pixels a frame is shown with
_COLOURS = 200  # enough to look at, and a small file
_PAPER, _INK = (250, 250, 248), (28, 28, 32)


def draw_sheet(world: World, scenes: Sequence[Scene]) -> Image.Image:
    """A row for each scene: its class or its events in words, and below some of its frames."""
    shown = min(world.settings.size, _LARGEST)
    cell, row = shown + _GAP, shown + _LINE + 2 * _GAP
    sheet = Image.new("RGB", (_FRAMES * cell + _GAP, len(scenes) * row + _GAP), _PAPER)
    drawing, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for number, scene in enumerate(scenes):
        frames = world.frames(scene)
        top = number * row + _GAP
        words = _words(scene)
        while drawing.textlength(words, font) > sheet.width - 2 * _GAP:
            words = words.rstrip("…")[:-1].rstrip() + "…"
        drawing.text((_GAP, top), words, fill=_INK, font=font)
        chosen = np.linspace(0, len(frames) - 1, min(_FRAMES, len(frames))).round().astype(int)
        for column, frame in enumerate(frames[chosen]):
            picture = Image.fromarray(frame).resize((shown, shown))
            sheet.paste(picture, (column * cell + _GAP, top + _LINE))
    return sheet.quantize(_COLOURS)


def _words(scene: Scene) -> str:
    return scene.label or " ".join(closed(clause(scene, event)) for event in scene.told)
