"""What is measured of each task, by name, and in which direction it is better.

It knows names; ``evaluation`` measures.
"""

from __future__ import annotations

# by task; the first of each chooses the best network where a config names none
FIGURES: dict[str, tuple[str, ...]] = {
    "labels": ("top_1", "top_5", "mean_class_accuracy"),
    "captions": tuple(
        f"{way}_{name}"
        for way in ("text_to_video", "video_to_text")
        for name in ("recall_1", "recall_5", "recall_10", "median_rank", "mean_rank")
    ),
    "questions": ("accuracy",),
}
# of labels of which a video has any number
SEVERAL_LABELS = ("mAP", "mAP_micro", "mAP_weighted")
_FALLING = ("loss", "rank")


def figures_of(task: str, *, several: bool = False) -> tuple[str, ...]:
    """What is measured of a task; nothing of one that is not measured."""
    if several and task == "labels":
        return SEVERAL_LABELS
    return FIGURES.get(task, ())


def is_falling(figure: str) -> bool:
    """Whether less of a figure is better: losses and ranks."""
    return figure.endswith(_FALLING)
