"""Readers of labelled clips, on small files of their forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.rows import LabelRow
from scenewise.errors import DataError

HEADER = "label,youtube_id,time_start,time_end,split"


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, "utf-8")


@pytest.mark.parametrize("name", ["kinetics-400_val.csv", "val.csv", "validate.csv"])
def test_kinetics_names_a_clip_as_the_downloaders_name_its_file(tmp_path: Path, name: str) -> None:
    put(
        tmp_path,
        name,
        f"{HEADER},is_cc\nrunning,-b_cd,7,17,val,0\napplying cream,xyz,417,427,val,0\n"
        "running,-b_cd,7,17,val,0\n",
    )
    found = read_annotations("kinetics400", tmp_path, "val")
    assert found.rows == (
        LabelRow("-b_cd_000007_000017", ("running",)),
        LabelRow("xyz_000417_000427", ("applying cream",)),
    )
    assert found.classes == ("applying cream", "running")
    assert found.notes == (
        "1 of the clips stand there twice; the first is kept",
        "2 classes are in this file; Kinetics-400 has 400",
    )


def test_kinetics_lacks_labels_in_its_test_set_alone(tmp_path: Path) -> None:
    for split in ("test", "train"):
        put(tmp_path, f"{split}.csv", f"{HEADER}\n,xyz,1,11,{split}\n")
    assert read_annotations("kinetics700", tmp_path, "test").rows[0].labels == ()
    with pytest.raises(DataError, match="line 2: 'label' is empty"):
        read_annotations("kinetics700", tmp_path, "train")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,b,x,10,val", "line 2: 'time_start' is 'x'"),
        ("a,b,1.5,10,val", "line 2: 'time_start' is '1.5'; allowed: a whole number"),
        ("a,b,10,10,val", "line 2: ends at 10 s and starts at 10 s"),
        ("a,,1,11,val", "line 2: 'youtube_id' is empty"),
    ],
)
def test_kinetics_says_what_is_wrong(tmp_path: Path, row: str, said: str) -> None:
    put(tmp_path, "val.csv", f"{HEADER}\n{row}\n")
    with pytest.raises(DataError, match=said):
        read_annotations("kinetics600", tmp_path, "val")


def test_kinetics_as_lists_of_paths_and_numbers_or_names(tmp_path: Path) -> None:
    put(tmp_path, "val.csv", "some folder/a b.mp4 1\r\n\r\nc.mp4 0\r\n")
    numbers = read_annotations("kinetics400", tmp_path, "val")
    assert [(row.video, row.labels) for row in numbers.rows] == [
        ("some folder/a b.mp4", ("1",)),
        ("c.mp4", ("0",)),
    ]
    put(tmp_path, "classes.txt", "jumping high\nrunning\n")
    named = read_annotations("kinetics400", tmp_path, "val")
    assert [row.labels for row in named.rows] == [("running",), ("jumping high",)]
    assert named.classes == ("jumping high", "running")
    (tmp_path / "classes.txt").unlink()
    put(tmp_path, "val.csv", "a.mp4 zumba\nb.mp4 archery\n")
    assert read_annotations("kinetics400", tmp_path, "val").classes == ("archery", "zumba")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.mp4\n", "line 1: 'a.mp4' is not 'PATH LABEL'"),
        ("a.mp4 2\n", "line 1: 'label' is '2'; allowed: a whole number, 0 to 1"),
        ("a.mp4 swimming\n", "line 1: 'swimming' is none of the 2 classes"),
        ("\n", "holds no line"),
    ],
)
def test_lists_say_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    put(tmp_path, "classes.txt", "jumping\nrunning\n")
    put(tmp_path, "val.txt", text)
    with pytest.raises(DataError, match=said):
        read_annotations("kinetics400", tmp_path, "val")


def test_ucf101_has_its_own_numbers(tmp_path: Path) -> None:
    put(tmp_path, "classInd.txt", "1 Zebra\r\n2 Ant Walk\r\n")
    put(tmp_path, "trainlist01.txt", "Zebra/v_Zebra_g01_c01.avi 1\nZebra/v_Zebra_g01_c02.avi 1\n")
    put(tmp_path, "testlist02.txt", "Zebra/v_Zebra_g08_c01.avi\n")
    train = read_annotations("ucf101", tmp_path, "train1")
    assert train.rows[1] == LabelRow("Zebra/v_Zebra_g01_c02.avi", ("Zebra",))
    assert train.classes == ("Zebra", "Ant Walk")
    assert len(read_annotations("ucf101", tmp_path, "test2")) == 1
    with pytest.raises(DataError, match=r"looked for testlist03\.txt"):
        read_annotations("ucf101", tmp_path, "test3")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Zebra/a.avi 2\n", "line 1: class 2 is not Zebra"),
        ("Lion/a.avi 1\n", "line 1: 'Lion/a.avi' is in the folder of none of the classes"),
        ("a.avi 1\n", "line 1: 'a.avi' is in the folder of none"),
        ("Zebra/a.avi one\n", "line 1: 'class' is 'one'"),
    ],
)
def test_ucf101_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    put(tmp_path, "classInd.txt", "1 Zebra\n2 Ant\n")
    put(tmp_path, "trainlist01.txt", text)
    with pytest.raises(DataError, match=said):
        read_annotations("ucf101", tmp_path, "train1")
    put(tmp_path, "classInd.txt", "0 Zebra\n")
    with pytest.raises(DataError, match="number 0 stands where 1 should"):
        read_annotations("ucf101", tmp_path, "train1")


def test_hmdb51_is_the_same_from_its_lists_and_from_the_table(tmp_path: Path) -> None:
    put(tmp_path, "wave_test_split1.txt", "a b.avi 1 \nc.avi 2 \nd.avi 0 \n")
    put(tmp_path, "brush_hair_test_split1.txt", "e.avi 1 \n")
    put(tmp_path, "wave_test_split2.txt", "a b.avi 2 \n")
    lists = read_annotations("hmdb51", tmp_path, "train1")
    assert [row.video for row in lists.rows] == ["brush_hair/e.avi", "wave/a b.avi"]
    assert lists.classes == ("brush_hair", "wave")
    assert read_annotations("hmdb51", tmp_path, "test1").videos == ("wave/c.avi",)
    put(
        tmp_path,
        "hmdb51.csv",
        "video_id,label,split1,split2,split3\ne.avi,brush_hair_test,1,1,1\n"
        "a b.avi,wave_test,1,2,0\nc.avi,wave_test,2,0,0\nd.avi,wave_test,0,0,0\n",
    )
    assert read_annotations("hmdb51", tmp_path, "train1").rows == lists.rows


def test_hmdb51_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"looked for hmdb51\.csv, CLASS_test_split1\.txt"):
        read_annotations("hmdb51", tmp_path, "train1")
    put(tmp_path, "wave_test_split1.txt", "a.avi 3\n")
    with pytest.raises(DataError, match=r"line 1: 'mark' is '3'; allowed: .* 0 to 2"):
        read_annotations("hmdb51", tmp_path, "train1")
    put(tmp_path, "wave_test_split1.txt", "1\n")
    with pytest.raises(DataError, match="line 1: '1' is not 'CLIP MARK'"):
        read_annotations("hmdb51", tmp_path, "train1")
