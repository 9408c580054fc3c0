"""Readers of moments, on small files of their forms; spans are mended as the field mends them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.data.annotations.files import Oddities, Record
from scenewise.data.annotations.registry import read_annotations
from scenewise.data.annotations.spans import mended
from scenewise.data.rows import MomentRow
from scenewise.errors import DataError
from scenewise.types import Segment

SECONDS = st.floats(-100, 100)


def put(folder: Path, name: str, value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    (folder / name).write_text(text, "utf-8")


@given(SECONDS, SECONDS, st.none() | st.floats(0, 100))
def test_what_is_kept_of_a_span_lies_inside_it_and_the_video(
    start: float, end: float, duration: float | None
) -> None:
    span = mended(Record("here", {}), start, end, duration, Oddities())
    limit = end if duration is None else min(end, duration)
    if span is None:
        assert max(start, 0.0) >= limit
    else:
        assert (span.start, span.end) == (max(start, 0.0), limit)


@pytest.mark.parametrize(
    ("start", "end", "note"),
    [
        (1, 2, None),
        (1, 12, "reach past the end"),
        (1, 10.0005, None),  # a rounded duration
        (-1, 2, "start before their video"),
        (3, 2, "end before they start"),
        (2, 2, "have no length"),
        (10, 11, "have no length"),
    ],
)
def test_an_odd_span_is_counted(start: float, end: float, note: str | None) -> None:
    odd = Oddities()
    mended(Record("here", {}), start, end, 10.0, odd)
    assert any(note in said for said in odd.notes()) if note else odd.notes() == ()


def test_a_span_that_is_no_number_is_told() -> None:
    with pytest.raises(DataError, match="here: 'end' is 'late'; allowed: a finite number"):
        mended(Record("here", {}), 1, "late", None, Oddities())


def test_didemo_turns_pieces_into_seconds_and_drops_the_suffix(tmp_path: Path) -> None:
    first = {
        "annotation_id": 7,
        "video": "12@N00_34_ab.mov",
        "description": "a dog jumps ",
        "num_segments": 6,
        "times": [[0, 0], [1, 2], [5, 5], [0, 0]],
    }
    second = {**first, "annotation_id": 8, "video": "12@N00_34_ab.mp4", "description": "it barks"}
    third = {**first, "annotation_id": 9, "video": "56@N00_78_cd.", "description": "a cat"}
    put(tmp_path, "val_data.json", [first, second, third])
    row, *_ = read_annotations("didemo", tmp_path, "val").rows
    assert row == MomentRow(
        "12@N00_34_ab",
        "a dog jumps",
        (Segment(0, 5), Segment(5, 15), Segment(25, 30), Segment(0, 5)),
        id="7",
    )
    paragraphs = read_annotations("didemo_paragraphs", tmp_path, "val").rows
    assert [(row.video, row.captions) for row in paragraphs] == [
        ("12@N00_34_ab", ("a dog jumps it barks",)),
        ("56@N00_78_cd", ("a cat",)),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"times": [[5, 5]], "num_segments": 5}, "entry 1: 'times' is 5; allowed: .* 0 to 4"),
        ({"times": [[2, 1]]}, r"'times' holds \[2, 1\]; allowed: first and last piece"),
        ({"times": [[1]]}, r"'times' holds \[1\]; allowed: \[start, end\]"),
        ({"times": [["a", 1]]}, "'times' is 'a'; allowed: a finite number"),
        ({"description": ""}, "'description' is empty"),
        ({"video": None}, "has no 'video'"),
    ],
)
def test_didemo_says_what_is_wrong(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    entry = {"annotation_id": 1, "video": "a.mov", "description": "x", "times": [[0, 1]]}
    put(tmp_path, "val_data.json", [{**entry, **change}])
    with pytest.raises(DataError, match=said):
        read_annotations("didemo", tmp_path, "val")


def test_tacos_turns_frames_into_seconds(tmp_path: Path) -> None:
    put(
        tmp_path,
        "test.json",
        {
            "s1.avi": {
                "fps": 20.0,
                "num_frames": 200,
                "timestamps": [[20, 60], [100, 300], [50, 40]],
                "sentences": ["He cuts.", "He eats.", "Never."],
            }
        },
    )
    found = read_annotations("tacos", tmp_path, "test")
    assert found.rows == (
        MomentRow("s1.avi", "He cuts.", (Segment(1, 3),), 10.0, "s1.avi_0"),
        MomentRow("s1.avi", "He eats.", (Segment(5, 10),), 10.0, "s1.avi_1"),
    )
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"timestamps": [[0, 1]]}, "entry v_a: has 1 timestamps and 2 sentences"),
        ({"timestamps": [[0, 1], [2]]}, "entry v_a, sentence 2: 'timestamps' holds"),
        ({"timestamps": [[0, 1], ["x", 2]]}, "sentence 2: 'start' is 'x'; allowed"),
        ({"duration": None}, "entry v_a: has no 'duration'"),
        ({"fps": 0, "num_frames": 1}, "'fps' is 0; allowed: above 0"),
    ],
)
def test_dense_sets_say_what_is_wrong(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    entry = {"duration": 9, "timestamps": [[0, 1], [1, 2]], "sentences": ["a", "b"]}
    put(tmp_path, "val_1.json", {"v_a": {**entry, **change}})
    with pytest.raises(DataError, match=said):
        read_annotations("activitynet_captions", tmp_path, "val_1")


def test_charades_sta_cuts_at_the_end_where_it_is_known(tmp_path: Path) -> None:
    put(
        tmp_path, "charades_sta_test.txt", "\ufeffAB12C 1.5 12.0##he ## waves.\r\n\r\nZZ 0 2##x\r\n"
    )
    bare = read_annotations("charades_sta", tmp_path, "test")
    assert bare.rows[0] == MomentRow("AB12C", "he ## waves.", (Segment(1.5, 12.0),))
    assert bare.notes == ()
    put(tmp_path, "Charades_v1_test.csv", "id,length\nAB12C,11.5\n")
    cut = read_annotations("charades_sta", tmp_path, "test")
    assert (cut.rows[0].spans, cut.rows[0].duration) == ((Segment(1.5, 11.5),), 11.5)
    assert "1 of the rows are of a video whose duration is not known" in cut.notes[1]
    put(tmp_path, "charades.json", {"AB12C": {"duration": 11.0}, "Z": {"duration": 9}})
    assert read_annotations("charades_sta", tmp_path, "test").rows[0].duration == 11.0


@pytest.mark.parametrize("line", ["AB 1.0##x", "AB 1.0 2.0 x", "AB 1.0 2.0##  "])
def test_charades_sta_says_which_line_is_wrong(tmp_path: Path, line: str) -> None:
    put(tmp_path, "charades_sta_train.txt", f"AB 1 2##fine\n{line}\n")
    with pytest.raises(DataError, match=r"line 2: .* is not 'VIDEO START END##SENTENCE'"):
        read_annotations("charades_sta", tmp_path, "train")


QUERY = {
    "qid": 1,
    "query": "A dog runs.",
    "duration": 20,
    "vid": "abc_60.0_210.0",
    "relevant_windows": [[4, 8], [12, 20]],
    "relevant_clip_ids": [2, 3, 9],
    "saliency_scores": [[0, 2, 4], [1, 1, 1], [4, 4, 4]],
}


def test_qvhighlights_has_spans_and_ratings_by_clip(tmp_path: Path) -> None:
    put(tmp_path, "highlight_val_release.jsonl", json.dumps(QUERY) + "\n")
    (row,) = read_annotations("qvhighlights", tmp_path, "val").rows
    assert row == MomentRow(
        "abc_60.0_210.0",
        "A dog runs.",
        (Segment(4, 8), Segment(12, 20)),
        20.0,
        "1",
        {2: (0, 2, 4), 3: (1, 1, 1), 9: (4, 4, 4)},
        2.0,
    )


def test_qvhighlights_prefers_the_test_set_with_answers(tmp_path: Path) -> None:
    bare = {name: QUERY[name] for name in ("qid", "query", "duration", "vid")}
    put(tmp_path, "highlight_test_release.jsonl", json.dumps(bare))
    first = read_annotations("qvhighlights", tmp_path, "test")
    assert first.rows[0].spans == ()
    assert first.notes == ("1 of the queries have no answer in this file",)
    put(tmp_path, "highlight_test_with_gt.jsonl", json.dumps(QUERY))
    assert len(read_annotations("qvhighlights", tmp_path, "test").rows[0].spans) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"saliency_scores": [[1]]}, "has 3 relevant_clip_ids and 1 saliency_scores"),
        ({"saliency_scores": [[1], [5], [1]]}, "'saliency_scores' is 5; allowed: .* 0 to 4"),
        ({"saliency_scores": [[1], 3, [1]]}, "'saliency_scores' holds 3; allowed: a list"),
        ({"relevant_clip_ids": [1, -2, 3]}, "'relevant_clip_ids' is -2; allowed: a whole"),
        ({"relevant_windows": [[1, 2, 3]]}, "'relevant_windows' holds"),
        ({"duration": "long"}, "'duration' is 'long'"),
    ],
)
def test_qvhighlights_says_what_is_wrong(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    put(tmp_path, "highlight_val_release.jsonl", f"\n{json.dumps({**QUERY, **change})}\n")
    with pytest.raises(DataError, match=f"line 2: {said}"):
        read_annotations("qvhighlights", tmp_path, "val")


def test_qvhighlights_has_each_query_once(tmp_path: Path) -> None:
    put(tmp_path, "highlight_val_release.jsonl", f"{json.dumps(QUERY)}\n" * 2)
    with pytest.raises(DataError, match=r"line 2: qid '1' stands there already, in .*line 1"):
        read_annotations("qvhighlights", tmp_path, "val")
