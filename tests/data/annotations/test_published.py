"""The real files have the numbers that were published, and where they differ it is known why."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenewise.data.annotations.egoschema import read_answers
from scenewise.data.annotations.files import read_csv, read_json, read_lines, read_list
from scenewise.data.annotations.registry import read_annotations
from scenewise.data.rows import Annotations, CaptionRow

pytestmark = pytest.mark.shared


# name, folder, split, rows, videos, where the numbers were published
COUNTS = [
    ("msrvtt", "msrvtt", "test-1k-A", 1000, 1000),  # JSFusion
    ("msrvtt", "youcook_msrvtt_hmdb", "test-1k-A", 1000, 1000),
    ("msrvtt", "msrvtt_msvd_captions", "test", 2990, 2990),
    ("msvd", "msrvtt_msvd_captions", "test", 670, 670),
    ("didemo", "didemo", "val", 4180, 1065),  # Hendricks et al., table of splits
    ("didemo", "didemo", "test", 4021, 1004),
    ("didemo_paragraphs", "didemo", "test", 1004, 1004),
    ("activitynet_captions", "activitynet_captions", "val_1", 17505, 4917),
    ("activitynet_captions", "activitynet_captions", "val_2", 17031, 4885),
    ("activitynet_paragraphs", "activitynet_captions", "val_1", 4917, 4917),
    ("charades_sta", "charades_sta", "train", 12408, 5338),
    ("charades_sta", "charades_sta", "test", 3720, 1334),
    ("qvhighlights", "qvhighlights", "train", 7218, None),
    ("qvhighlights", "qvhighlights", "val", 1550, None),
    ("qvhighlights", "qvhighlights", "test", 1542, None),
    ("tacos", "tacos", "train", 9790, 75),  # 2D-TAN
    ("tacos", "tacos", "val", 4436, 27),
    ("tacos", "tacos", "test", 4001, 25),
    # 3,492 clips of 457 videos were published; MIL-NCE's list has those that were still there
    ("youcook2", "youcook_msrvtt_hmdb", "val", 3350, 436),
    ("nextqa", "nextqa", "val", 4996, 570),
    ("nextqa", "nextqa", "test", 8564, 1000),
    ("activitynet_qa", "activitynetqa", "val", 18000, 1800),
    ("activitynet_qa", "activitynetqa", "test", 8000, 800),
    # 50 clips for each of 400 classes were meant, and 19,906 published
    ("kinetics400", "kinetics_csv", "val", 19906, 19906),
    ("kinetics600", "kinetics_csv", "val", 30000, 30000),
    *(("hmdb51", "youcook_msrvtt_hmdb", f"train{n}", 3570, 3570) for n in (1, 2, 3)),
    *(("hmdb51", "youcook_msrvtt_hmdb", f"test{n}", 1530, 1530) for n in (1, 2, 3)),
]


@pytest.mark.parametrize(("name", "folder", "split", "rows", "videos"), COUNTS)
def test_a_split_has_as_many_rows_and_videos_as_published(
    shared_dir: Path, name: str, folder: str, split: str, rows: int, videos: int | None
) -> None:
    found = read_annotations(name, shared_dir / "annotations" / folder, split)
    assert len(found) == rows
    assert videos is None or len(found.videos) == videos


NOTES = {
    ("charades_sta", "charades_sta", "train"): "1,802 of the spans reach past the end",
    ("charades_sta", "charades_sta", "test"): "562 of the spans reach past the end",
    ("tacos", "tacos", "train"): "43 of the spans reach past the end",
    ("tacos", "tacos", "test"): "5 of the spans reach past the end",
    ("activitynet_captions", "activitynet_captions", "val_1"): "5 of the spans reach past the end",
    ("nextqa", "nextqa", "val"): "3 of the questions have two equal choices",
    ("nextqa", "nextqa", "test"): "8 of the questions have two equal choices",
}


@pytest.mark.parametrize(("where", "note"), NOTES.items(), ids=lambda v: str(v)[:30])
def test_what_is_odd_in_a_file_is_said(
    shared_dir: Path, where: tuple[str, str, str], note: str
) -> None:
    name, folder, split = where
    (said,) = read_annotations(name, shared_dir / "annotations" / folder, split).notes
    assert said.startswith(note)


def test_spans_of_charades_reach_too_far_because_its_actions_do(shared_dir: Path) -> None:
    folder = shared_dir / "annotations" / "charades_sta"
    known = read_json(folder / "charades.json")
    beyond = same = 0
    for split in ("train", "test"):
        for _, line in read_lines(folder / f"charades_sta_{split}.txt"):
            video, start, end = line.partition("##")[0].split()
            if float(end) > known[video]["duration"]:
                beyond += 1
                times = [action[1:] for action in known[video]["actions"]]
                same += any(
                    [float(start), float(end)] == pytest.approx(t, abs=0.051) for t in times
                )
    assert beyond == same == 1802 + 562


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_qvhighlights_has_three_ratings_for_each_clip_inside_its_moments(
    shared_dir: Path, split: str
) -> None:
    found = read_annotations("qvhighlights", shared_dir / "annotations" / "qvhighlights", split)
    assert found.notes == ()
    for row in found.rows:
        inside = {int(t) for s in row.spans for t in range(int(s.start) // 2, int(s.end) // 2)}
        assert set(row.saliency) == inside
        assert all(len(rated) == 3 for rated in row.saliency.values())


def test_captions_have_the_published_number_of_sentences(shared_dir: Path) -> None:
    folder = shared_dir / "annotations" / "msrvtt_msvd_captions"

    def sentences(found: Annotations[CaptionRow]) -> int:
        return sum(len(row.captions) for row in found.rows)

    assert sentences(read_annotations("msrvtt", folder, "test")) == 2990 * 20
    assert sentences(read_annotations("msvd", folder, "test")) == 27763
    val = read_annotations("msvd", shared_dir / "metrics" / "msvd_captions", "val")
    assert len(val) == 100  # vid1201 to vid1300


def test_the_lists_of_videos_have_the_published_lengths(shared_dir: Path) -> None:
    folder = shared_dir / "annotations"
    msvd = {name: set(read_list(folder / "msvd" / f"{name}_list.txt")) for name in LISTS["msvd"]}
    vatex = {name: set(read_list(folder / "vatex" / f"{name}_list.txt")) for name in LISTS["vatex"]}
    msrvtt = {
        name: {row.text("video_id") for row in read_csv(folder / "msrvtt" / f"MSRVTT_{name}.csv")}
        for name in LISTS["msrvtt"]
    }
    for name, found in (("msvd", msvd), ("vatex", vatex), ("msrvtt", msrvtt)):
        assert {part: len(videos) for part, videos in found.items()} == LISTS[name]
    # both halves of VATEX's public validation set, and another half across the two
    assert not vatex["val"] & vatex["test"]
    assert vatex["test1k5_sec"] < vatex["val"] | vatex["test"]
    # 1k-A is 1,000 of the full test set, and nothing that is trained on before it
    tested = msrvtt["JSFUSION_test"]
    assert tested < msrvtt["test.full"]
    assert not tested & (msrvtt["train.9k"] | msrvtt["train.7k"])
    assert len(tested | msrvtt["train.9k"]) == 10_000
    assert msrvtt["train.7k"] == msrvtt["train.full"] | msrvtt["val.full"]


LISTS = {
    "msvd": {"train": 1200, "val": 100, "test": 670},
    "vatex": {"train": 25991, "val": 1500, "test": 1500, "test1k5_sec": 1500},
    "msrvtt": {
        "JSFUSION_test": 1000,
        "train.9k": 9000,
        "train.7k": 7010,
        "train.full": 6513,
        "val.full": 497,
        "test.full": 2990,
    },
}


def test_egoschema_has_answers_of_500_of_5031_questions(shared_dir: Path) -> None:
    folder = shared_dir / "annotations" / "egoschema"
    answers = read_answers(folder)
    assert len(answers) == 500
    assert set(answers.values()) == {0, 1, 2, 3, 4}
    known = read_json(folder / "uid_to_ego4d.json")
    assert len(known) == 5031
    assert set(answers) <= set(known)


def test_labels_have_their_classes(shared_dir: Path) -> None:
    folder = shared_dir / "annotations"
    for number in (400, 600):
        found = read_annotations(f"kinetics{number}", folder / "kinetics_csv", "val")
        assert len(found.classes) == number
        assert found.notes == ()
    hmdb = read_annotations("hmdb51", folder / "youcook_msrvtt_hmdb", "test1")
    assert (len(hmdb.classes), hmdb.classes[0], hmdb.classes[-1]) == (51, "brush_hair", "wave")
    counts = dict.fromkeys(hmdb.classes, 0)
    for row in hmdb.rows:
        counts[row.labels[0]] += 1
    assert set(counts.values()) == {30}  # 70 train and 30 test clips of each class


def test_rows_of_the_real_files_say_what_stands_there(shared_dir: Path) -> None:
    folder = shared_dir / "annotations"
    cook = read_annotations("youcook2", folder / "youcook_msrvtt_hmdb", "val").rows[0]
    assert (cook.captions, cook.span.start, cook.span.end) == (
        ("pick the ends off the verdalago",),
        47.0,
        60.0,
    )
    charades = read_annotations("charades_sta", folder / "charades_sta", "test").rows[0]
    assert (charades.video, charades.query) == ("3MSZA", "person turn a light on.")
    assert (charades.spans[0].start, charades.spans[0].end, charades.duration) == (
        24.3,
        30.4,
        30.96,
    )
    tacos = read_annotations("tacos", folder / "tacos", "test").rows[0]
    assert tacos.spans[0].start == pytest.approx(141 / 29.4)
    assert tacos.spans[0].end == pytest.approx(354 / 29.4)
    didemo = read_annotations("didemo", folder / "didemo", "test").rows[0]
    assert didemo.query == "someone kicks the bug towards some rocks."
    assert [span.start for span in didemo.spans] == [20, 20, 0, 20, 0, 0, 20]
    nextqa = read_annotations("nextqa", folder / "nextqa", "val").rows[0]
    assert (nextqa.kind, nextqa.answers, nextqa.choice) == ("CH", ("roll the handle",), 0)
