"""Readers of sets of captions, on small files of their forms."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.rows import CaptionRow
from scenewise.errors import DataError
from scenewise.types import Segment


def put(folder: Path, name: str, value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    (folder / name).write_text(text, "utf-8")


MSRVTT: dict[str, list[dict[str, Any]]] = {
    "videos": [
        {"video_id": "video0", "split": "train"},
        {"video_id": "video1", "split": "validate"},
        {"video_id": "video2", "split": "test"},
    ],
    "sentences": [
        {"video_id": "video0", "caption": "a car", "sen_id": 0},
        {"video_id": "video1", "caption": "a dog ", "sen_id": 1},
        {"video_id": "video2", "caption": "a cat", "sen_id": 2},
        {"video_id": "video0", "caption": "a red car", "sen_id": 3},
        {"video_id": "video0", "caption": " ", "sen_id": 4},
    ],
}


def test_msrvtt_has_all_sentences_of_a_clip_in_one_row(tmp_path: Path) -> None:
    put(tmp_path, "MSRVTT_data.json", MSRVTT)
    put(tmp_path, "MSRVTT_train.9k.csv", "video_id\nvideo2\nvideo0\n")
    put(tmp_path, "MSRVTT_JSFUSION_test.csv", "key,video_id,sentence\nret0,video1,a pet\n")
    train = read_annotations("msrvtt", tmp_path, "train-9k")
    assert train.rows == (
        CaptionRow("video2", ("a cat",)),
        CaptionRow("video0", ("a car", "a red car")),
    )
    assert train.notes == ("1 sentences are empty and left out",)
    test = read_annotations("msrvtt", tmp_path, "test-1k-A")
    assert test.rows == (CaptionRow("video1", ("a pet",), id="ret0"),)


@pytest.mark.parametrize(
    ("split", "video"), [("train", "video0"), ("val", "video1"), ("test", "video2")]
)
def test_msrvtt_without_lists_has_the_splits_of_its_makers(
    tmp_path: Path, split: str, video: str
) -> None:
    of = {"train": ("video0", "video1"), "test": ("video2",)}
    for name, part in (("train_val", "train"), ("test", "test")):
        put(
            tmp_path,
            f"{name}_videodatainfo.json",
            {
                key: [entry for entry in MSRVTT[key] if entry["video_id"] in of[part]]
                for key in MSRVTT
            },
        )
    assert read_annotations("msrvtt", tmp_path, split).videos == (video,)


def test_msrvtt_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sentences is missing; looked for MSRVTT_data\.json"):
        read_annotations("msrvtt", tmp_path, "train-9k")
    put(tmp_path, "MSRVTT_data.json", MSRVTT)
    with pytest.raises(DataError, match=r"looked for MSRVTT_train\.9k\.csv"):
        read_annotations("msrvtt", tmp_path, "train-9k")
    put(tmp_path, "MSRVTT_train.9k.csv", "video_id\nvideo7\n")
    with pytest.raises(DataError, match="has no sentence of video7, which is in train-9k"):
        read_annotations("msrvtt", tmp_path, "train-9k")
    put(tmp_path, "MSRVTT_train.9k.csv", "video_id\nvideo0\nvideo0\n")
    with pytest.raises(DataError, match="line 3: video_id 'video0' stands there already"):
        read_annotations("msrvtt", tmp_path, "train-9k")
    put(tmp_path, "MSRVTT_data.json", {"videos": [], "sentences": [{"caption": "a"}]})
    with pytest.raises(DataError, match="sentences entry 1: has no 'video_id'"):
        read_annotations("msrvtt", tmp_path, "train")


def test_lists_of_captions_are_a_test_split_of_their_own(tmp_path: Path) -> None:
    lists = [{"video": "a.b_1_2.avi", "caption": ["x", "y"]}]
    put(tmp_path, "msrvtt_caption_test.json", lists)
    put(tmp_path, "msvd_caption_test.json", {"a.b_1_2": ["x", "y"]})
    for name in ("msrvtt", "msvd"):
        assert read_annotations(name, tmp_path, "test").rows == (CaptionRow("a.b_1_2", ("x", "y")),)


class _Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harmed"),))


def test_msvd_reads_sentences_as_text_and_from_a_harmless_pickle(tmp_path: Path) -> None:
    put(tmp_path, "train_list.txt", "v_1_2\nw-3_4")
    captions = {"v_1_2": [["a", "man"], ["two", "men"]], "w-3_4": [["a", "dog"]], "x": [["no"]]}
    wanted = (CaptionRow("v_1_2", ("a man", "two men")), CaptionRow("w-3_4", ("a dog",)))
    for protocol in (0, 2, 4):
        (tmp_path / "raw-captions.pkl").write_bytes(pickle.dumps(captions, protocol))
        assert read_annotations("msvd", tmp_path, "train").rows == wanted
    text = "# comment\nv_1_2 a man\nw-3_4 a dog\nv_1_2 two men\n"
    put(tmp_path, "AllVideoDescriptions.txt", text)
    (tmp_path / "raw-captions.pkl").unlink()
    assert read_annotations("msvd", tmp_path, "train").rows == wanted


def test_msvd_runs_nothing_that_a_pickle_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "train_list.txt", "a\n")
    for data in (pickle.dumps({"a": _Harmful()}), b"no pickle", pickle.dumps({"a": ["x"]})[:-3]):
        (tmp_path / "raw-captions.pkl").write_bytes(data)
        with pytest.raises(DataError, match="cannot be read as a pickle of plain text"):
            read_annotations("msvd", tmp_path, "train")
    assert not (tmp_path / "harmed").exists()
    (tmp_path / "raw-captions.pkl").write_bytes(pickle.dumps({"a": [[1, 2]]}))
    with pytest.raises(DataError, match="allowed: a list of words"):
        read_annotations("msvd", tmp_path, "train")


def test_msvd_of_short_names_takes_the_long_ones_where_they_are_known(tmp_path: Path) -> None:
    put(tmp_path, "sents_val_lc_nopunc.txt", "vid1\ta cat\nvid2\ta dog\nvid1\ta pet\n")
    first = read_annotations("msvd", tmp_path, "val")
    assert [row.video for row in first.rows] == ["vid1", "vid2"]
    put(tmp_path, "youtube_mapping.txt", "-abc_1_2 vid1\n")
    second = read_annotations("msvd", tmp_path, "val")
    assert second.rows[0] == CaptionRow("-abc_1_2", ("a cat", "a pet"))
    put(tmp_path, "sents_val_lc_nopunc.txt", "vid1 a cat\n")
    with pytest.raises(DataError, match=r"line 1: 'vid1 a cat' is not a video and a sentence"):
        read_annotations("msvd", tmp_path, "val")


def test_vatex_takes_its_lists_or_the_splits_of_its_makers(tmp_path: Path) -> None:
    own = [
        {"videoID": "a_000000_000010", "enCap": ["one", "two"], "chCap": ["一"]},
        {"videoID": "b_000000_000010", "enCap": ["three"], "chCap": ["二"]},
    ]
    put(tmp_path, "vatex_validation_v1.0.json", own)
    whole = read_annotations("vatex", tmp_path, "validation")
    assert [row.captions for row in whole.rows] == [("one", "two"), ("three",)]
    with pytest.raises(DataError, match=r"looked for test_list\.txt"):
        read_annotations("vatex", tmp_path, "test")
    put(tmp_path, "test_list.txt", "b_000000_000010\n")
    assert read_annotations("vatex", tmp_path, "test").videos == ("b_000000_000010",)
    put(tmp_path, "vatex_data.json", {entry["videoID"]: entry for entry in own})
    assert read_annotations("vatex", tmp_path, "test").rows[0].captions == ("three",)
    put(tmp_path, "test_list.txt", "c_000000_000010\n")
    with pytest.raises(DataError, match="has no sentence of c_000000_000010"):
        read_annotations("vatex", tmp_path, "test")
    put(tmp_path, "vatex_validation_v1.0.json", [*own, own[0]])
    with pytest.raises(DataError, match="entry 3: videoID 'a_000000_000010' stands there already"):
        read_annotations("vatex", tmp_path, "validation")


RECIPES = {
    "database": {
        "a": {
            "subset": "training",
            "duration": 100.0,
            "annotations": [
                {"segment": [10, 20], "id": 0, "sentence": "cut it"},
                {"segment": [90, 120], "id": 1, "sentence": "eat it"},
            ],
        },
        "b": {
            "subset": "validation",
            "duration": 50,
            "annotations": [{"segment": [1, 2], "id": 0, "sentence": "wash"}],
        },
    }
}


def test_youcook2_reads_its_own_form_and_the_csv_of_clips(tmp_path: Path) -> None:
    put(tmp_path, "youcookii_annotations_trainval.json", RECIPES)
    train = read_annotations("youcook2", tmp_path, "train")
    assert train.rows == (
        CaptionRow("a", ("cut it",), Segment(10, 20), "a_0"),
        CaptionRow("a", ("eat it",), Segment(90, 100), "a_1"),
    )
    assert train.notes == ("1 of the spans reach past the end of their video and are cut there",)
    (moment,) = read_annotations("youcook2", tmp_path, "val", task="moments").rows
    assert (moment.query, moment.spans, moment.duration) == ("wash", (Segment(1, 2),), 50.0)
    (tmp_path / "youcookii_annotations_trainval.json").unlink()
    put(tmp_path, "validation_youcook.csv", "end,start,task,text,video_id\n60,47,226,dice,xyz\n")
    (row,) = read_annotations("youcook2", tmp_path, "val").rows
    assert row == CaptionRow("xyz", ("dice",), Segment(47, 60))
    put(tmp_path, "validation_youcook.csv", "end,start,task,text,video_id\nsixty,47,226,dice,xyz\n")
    with pytest.raises(DataError, match="line 2: 'end' is 'sixty'; allowed: a finite number"):
        read_annotations("youcook2", tmp_path, "val")
    put(tmp_path, "youcookii_annotations_trainval.json", {"data": {}})
    with pytest.raises(DataError, match="has no object 'database'"):
        read_annotations("youcook2", tmp_path, "train")


def test_paragraphs_are_all_sentences_of_a_video_in_the_order_of_the_file(tmp_path: Path) -> None:
    put(
        tmp_path,
        "val_1.json",
        {
            "v_a": {
                "duration": 9,
                "timestamps": [[5, 9], [0, 5], [3, 2]],
                "sentences": ["Then this.", " First that. ", "Backwards."],
            }
        },
    )
    (row,) = read_annotations("activitynet_paragraphs", tmp_path, "val_1").rows
    assert row == CaptionRow("v_a", ("Then this. First that. Backwards.",))
    clips = read_annotations("activitynet_captions", tmp_path, "val_1", task="captions")
    assert [row.span for row in clips.rows] == [Segment(5, 9), Segment(0, 5)]
    assert "1 of the spans have no length or end before they start" in clips.notes[0]
