"""What the annotations of a world say: ``annotate``, rows of each task for one split.

It knows scenes and row types; it writes no file. The names of videos are paths below the folder of
videos, as ``files`` lays them out.
"""

from __future__ import annotations

from typing import Any

from scenewise.data.rows import (
    Annotations,
    CaptionRow,
    LabelRow,
    MomentRow,
    QuestionRow,
    Split,
    Task,
)
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.captions import captions, moments
from scenewise.data.synthetic.questions import Questions
from scenewise.data.synthetic.scene import Scene
from scenewise.data.synthetic.world import World

DATASET = "synthetic"


def video_name(scene: Scene, split: Split, number: int) -> str:
    """``train/move left/00000.mp4``, or ``train/00000.mp4`` where scenes have no class."""
    folder = f"{split}/{scene.label}" if scene.label else split
    return f"{folder}/{number:05d}.mp4"


def annotate(world: World, split: Split, count: int) -> dict[Task, Annotations[Any]]:
    """The rows about the first ``count`` films of a split, by task.

    Labels of stories are all actions that happen. Sounds have labels alone: nothing says them.
    """
    caption_rows, moment_rows, question_rows, label_rows = [], [], [], []
    questions = Questions()
    seconds = world.settings.seconds
    stories, sounds = world.settings.kind == "stories", world.settings.kind == "sounds"
    for number, scene in enumerate(world.scenes(split, count)):
        video = video_name(scene, split, number)
        done = dict.fromkeys(event.action for event in scene.events)
        labels = (scene.label,) if scene.label else tuple(done)
        label_rows.append(LabelRow(video, labels))
        if sounds:
            continue
        told = captions(scene, world.lots(split, number, "captions"))
        caption_rows.append(CaptionRow(video, told))
        for text, spans in moments(scene, world.lots(split, number, "moments")):
            moment_rows.append(MomentRow(video, text, spans, seconds))
        if stories:
            for asked in questions.ask(scene, world.lots(split, number, "questions")):
                answers = (asked.answer,)
                question_rows.append(
                    QuestionRow(video, asked.text, answers, asked.choices, asked.kind)
                )
    classes = world.settings.classes or (*ACTIONS, "hit")
    made: dict[Task, Annotations[Any]] = {
        "labels": Annotations(DATASET, split, "labels", tuple(label_rows), classes),
        "captions": Annotations(DATASET, split, "captions", tuple(caption_rows)),
        "moments": Annotations(DATASET, split, "moments", tuple(moment_rows)),
        "questions": Annotations(DATASET, split, "questions", tuple(question_rows)),
    }
    return {task: rows for task, rows in made.items() if len(rows)}
