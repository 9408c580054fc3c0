"""What is measured of each task, by name, and in which direction it is better.

It knows names; ``evaluation`` measures.
"""

from __future__ import annotations

from scenewise.data.rows import Task

# the first of each is the one by which the best network is chosen where a config names none
FIGURES: dict[Task, tuple[str, ...]] = {
    "labels": ("top_1", "top_5", "mean_class_accuracy"),
    "captions": tuple(
        f"{way}_{name}"
        for way in ("text_to_video", "video_to_text")
        for name in ("recall_1", "recall_5", "recall_10", "median_rank", "mean_rank")
    ),
    "questions": ("accuracy",),
}
_FALLING = ("loss", "rank")


def is_falling(figure: str) -> bool:
    """Whether less of a figure is better: losses and ranks."""
    return figure.endswith(_FALLING)
