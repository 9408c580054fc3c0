"""Lists of labels: those of the package are whole, those of people are read as they mean them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from scenewise.errors import UsageError
from scenewise.tasks.labels import SETS, LabelList, label_set, typed_labels

COUNTS = {"kinetics400": 400, "ucf101": 101, "hmdb51": 51}


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_as_many_labels_as_its_name_says(name: str) -> None:
    labels = label_set(name)
    assert len(labels.names) == len(set(labels.names)) == COUNTS[name]
    assert len(set(labels.descriptions)) == COUNTS[name]
    assert labels.source == name
    for text in (*labels.names, *labels.descriptions):
        assert text == " ".join(text.split())
        assert "_" not in text


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "table", "column"),
    [
        ("kinetics400", "kinetics_csv/kinetics-400_val.csv", "label"),
        ("hmdb51", "youcook_msrvtt_hmdb/hmdb51.csv", "label"),
    ],
)
def test_a_set_is_that_of_its_benchmark(
    name: str, table: str, column: str, shared_dir: Path
) -> None:
    with (shared_dir / "annotations" / table).open(newline="", encoding="utf-8") as file:
        published = {row[column].removesuffix("_test") for row in csv.DictReader(file)}
    assert set(label_set(name).names) == {label.replace("_", " ") for label in published}


def test_typed_labels_may_have_space_around_them() -> None:
    assert typed_labels(" a cat ,a  dog,, ").names == ("a cat", "a dog")
    assert typed_labels(["a cat, sleeping", "a dog"]).names == ("a cat, sleeping", "a dog")


def test_a_file_has_a_label_a_line_and_may_describe_it(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("# policy\n\ncalm\nfight\tpeople hitting each other\n", "utf-8")
    labels = label_set(path)
    assert labels.names == ("calm", "fight")
    assert labels.descriptions == ("calm", "people hitting each other")
    assert labels.source == str(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("one\n", "'one' alone"),
        ("", "no label leaves"),
        ("a\nb\na\n", "'a' is there twice"),
        ("\tx\n", "no"),
    ],
)
def test_odd_files_are_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=words):
        label_set(path)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kinetics400, ucf101, hmdb51"):
        label_set("kinetics")
    with pytest.raises(UsageError, match="no set of labels"):
        label_set(tmp_path)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\nbar\n")
    with pytest.raises(UsageError, match="UTF-8"):
        label_set(tmp_path / "latin.txt")


def test_lists_that_do_not_fit_are_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="2 labels, 1 descriptions"):
        LabelList(("a", "b"), ("a",), "labels")
