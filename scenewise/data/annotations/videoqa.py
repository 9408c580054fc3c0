"""Questions with free answers: ActivityNet-QA, MSRVTT-QA and MSVD-QA; NExT-QA in both its forms.

ActivityNet-QA (Yu et al. 2019) has questions and answers in two files, joined by the question's id;
MSRVTT-QA and MSVD-QA (Xu et al. 2017) one list of both. NExT-QA (Xiao et al. 2021) is a csv, with
five choices or open-ended. It knows those forms; what counts as right is known by the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from scenewise.data.annotations.files import (
    Oddities,
    Record,
    find_file,
    look_for,
    read_csv,
    read_json,
    records_of,
    unique,
)
from scenewise.data.annotations.msvd import short_names
from scenewise.data.rows import Annotations, QuestionRow, Task
from scenewise.errors import DataError

# the kinds of ActivityNet-QA by number: of the question up to 2, of the answer above
ACTIVITYNET_KINDS = (
    "motion",
    "spatial relation",
    "temporal relation",
    "yes or no",
    "color",
    "object",
    "location",
    "number",
    "other",
)
_CHOICES = ("a0", "a1", "a2", "a3", "a4")
EQUAL_CHOICES = "of the questions have two equal choices; the right one is told by its number"


def read_activitynet_qa(folder: Path, split: str, task: Task) -> Annotations[QuestionRow]:
    """Questions in the order of their file; the videos are named without the v_ of ActivityNet."""
    questions = find_file(folder, (f"{split}_q.json",), f"the questions of {split}")
    answers = find_file(folder, (f"{split}_a.json",), f"the answers of {split}")
    known = dict(unique(records_of(answers, read_json(answers)), "question_id"))
    rows = []
    for number, record in unique(records_of(questions, read_json(questions)), "question_id"):
        if number not in known:
            raise record.error(f"question {number!r} has no answer in {answers.name}")
        answer = known[number]
        kind = ACTIVITYNET_KINDS[answer.whole("type", below=len(ACTIVITYNET_KINDS))]
        video, question = record.text("video_name"), record.text("question")
        rows.append(QuestionRow(video, question, (answer.text("answer"),), kind=kind, id=number))
    return Annotations("activitynet_qa", split, task, tuple(rows))


def read_msrvtt_qa(folder: Path, split: str, task: Task) -> Annotations[QuestionRow]:
    """Videos are named as in MSR-VTT: 7010 is video7010."""
    rows = tuple(_listed(folder, split, lambda number: f"video{number}"))
    return Annotations("msrvtt_qa", split, task, rows)


def read_msvd_qa(folder: Path, split: str, task: Task) -> Annotations[QuestionRow]:
    """Videos are named as in MSVD where ``youtube_mapping.txt`` (``NAME vid1``) lies there."""
    path = look_for(folder, ("youtube_mapping.txt",))
    names = short_names(path) if path else {}

    def video(number: str) -> str:
        if names and f"vid{number}" not in names:
            raise DataError(f"{path}: has no vid{number}, about which there is a question.")
        return names.get(f"vid{number}", f"vid{number}")

    return Annotations("msvd_qa", split, task, tuple(_listed(folder, split, video)))


def _listed(folder: Path, split: str, video: Callable[[str], str]) -> Iterator[QuestionRow]:
    path = find_file(folder, (f"{split}_qa.json",), f"the file of {split}")
    for number, record in unique(records_of(path, read_json(path)), "id"):
        yield QuestionRow(
            video(record.text("video_id")),
            record.text("question"),
            (record.text("answer"),),
            kind=record.text("question").split()[0].lower(),  # what, who, how, when, where
            id=number,
        )


def read_nextqa(folder: Path, split: str, task: Task) -> Annotations[QuestionRow]:
    """Five choices a question; videos are named by their id, without the folder of VidOR."""
    odd = Oddities()
    path = find_file(folder, (f"{split}.csv",), f"the file of {split}")
    rows = []
    for number, record in _nextqa(path, ("answer", *_CHOICES)):
        choices = tuple(record.text(name) for name in _CHOICES)
        right = record.whole("answer", below=len(choices))
        odd.count(EQUAL_CHOICES, int(len(set(choices)) < len(choices)))
        rows.append(
            QuestionRow(
                record.text("video"),
                record.text("question"),
                (choices[right],),
                choices,
                record.text("type"),
                id=number,
                choice=right,
            )
        )
    return Annotations("nextqa", split, task, tuple(rows), notes=odd.notes())


def read_nextqa_open(folder: Path, split: str, task: Task) -> Annotations[QuestionRow]:
    """The same without choices; a second person's answer is right as well, where there is one."""
    path = find_file(folder, (f"{split}.csv",), f"the file of {split}")
    rows = []
    for number, record in _nextqa(path, ("answer",)):
        if "a0" in record.fields:
            raise DataError(f"{path}: has choices; the open-ended form is another {path.name}.")
        second = record.optional("additional_ref_answer")
        rows.append(
            QuestionRow(
                record.text("video"),
                record.text("question"),
                (record.text("answer"), *([second] if second else [])),
                kind=record.text("type"),
                id=number,
            )
        )
    return Annotations("nextqa_open", split, task, tuple(rows))


def _nextqa(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, Record]]:
    """A question's number is unique within its video only."""
    seen: dict[str, str] = {}
    for record in read_csv(path, ("video", "question", "qid", "type", *columns)):
        number = f"{record.text('video')}_{record.text('qid')}"
        if number in seen:
            raise record.error(f"question {number!r} stands there already, in {seen[number]}")
        seen[number] = record.place
        yield number, record
