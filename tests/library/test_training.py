"""Classifiers through the library: trained on films, taught by hits, kept, used and removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from colour_encoder import ColourEncoder, load_colours
from colour_films import write_colours

from scenewise.errors import EncoderMismatchError, UsageError
from scenewise.index import encode_video
from scenewise.library import Library
from scenewise.tasks.train_classifier import TrainingOptions

LENGTHS = (1.0, 1.5, 2.0, 2.5)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hot/ (red or yellow), cold/ (blue or cyan): four films each, no two alike."""
    folder = tmp_path_factory.mktemp("clips")
    for label, colours in (("hot", ("red", "yellow")), ("cold", ("blue", "cyan"))):
        for number, seconds in enumerate(LENGTHS):
            write_colours(folder / label / f"{number}.mp4", [(colours[number % 2], seconds)])
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library.open(tmp_path / "library", encoder="colours", load=load_colours)


def test_a_classifier_of_a_folder_is_kept_and_used(
    clips: Path, library: Library, tmp_path: Path
) -> None:
    with library:
        steps: list[tuple[int, int, str]] = []
        report = library.train_classifier("heat", clips, progress=lambda *step: steps.append(step))
        assert (report.examples, report.videos, report.labels) == (8, 8, ("cold", "hot"))
        assert report.figures["accuracy"] == 1
        assert [step[0] for step in steps] == list(range(1, 9))
        film = write_colours(tmp_path / "new.mp4", [("red", 3.0), ("cyan", 5.0)])
        answer = library.classify(film, classifier="heat", over_time=True)
        assert answer.labels[0].name == "cold"
        assert [(span.label, span.start, span.end) for span in answer.segments] == [
            ("hot", 0.0, 3.0),
            ("cold", 3.0, 8.0),
        ]
    with Library.open(tmp_path / "library", load=load_colours) as again:
        assert [one.name for one in again.classifiers()] == ["heat"]
        assert again.classifier("heat").report == report.to_dict()


def test_a_video_is_encoded_once_and_not_at_all_where_the_library_has_it(
    clips: Path, library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decoded: list[str] = []
    real = encode_video.encode_video

    def counting(path: Path, *rest: object) -> object:
        decoded.append(Path(path).name)
        return real(path, *rest)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setenv("SCENEWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("scenewise.index.encode_video.encode_video", counting)
    with Library.open(tmp_path / "fresh", encoder="colours", load=load_colours) as fresh:
        fresh.index(clips / "hot", workers=1)
        decoded.clear()
        fresh.train_classifier("heat", clips)
        assert decoded == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]  # the cold ones
        fresh.train_classifier("again", clips, options=TrainingOptions("svm"))
        assert len(decoded) == 4


def test_a_table_names_videos_of_the_library_and_spans(
    clips: Path, library: Library, tmp_path: Path
) -> None:
    both = tmp_path / "films"
    for number in range(3):
        write_colours(both / f"both{number}.mp4", [("red", 1.0 + number / 2), ("blue", 2.0)])
    table = tmp_path / "table.csv"
    rows = [f"both{n}.mp4,hot,0,{1 + n / 2}\nboth{n}.mp4,cold,{1 + n / 2}," for n in range(3)]
    table.write_text("video,label,start,end\n" + "\n".join(rows) + "\nnone.mp4,hot,,\n", "utf-8")
    with library:
        library.index(both, workers=1)
        report = library.train_classifier("heat", table)
    assert (report.examples, report.videos, report.folds) == (6, 3, 3)
    assert report.figures["accuracy"] == 1
    assert [failure.path for failure in report.failed] == ["none.mp4"]


def test_a_regression_gives_numbers(library: Library, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = []
    for number in range(6):
        name = f"film{number}.mp4"
        share = number / 5
        write_colours(
            tmp_path / name,
            [("red", round(0.1 + 2 * share, 1)), ("blue", round(2.1 - 2 * share, 1))],
        )
        rows.append(f"{name},{share}")
    table.write_text("video,label\n" + "\n".join(rows) + "\n", "utf-8")
    with library:
        report = library.train_classifier("share", table, regression=True)
        assert report.figures["mae"] < report.figures["mae_of_mean"]
        low = library.classify(tmp_path / "film0.mp4", classifier="share").value
        high = library.classify(tmp_path / "film5.mp4", classifier="share").value
    assert low is not None
    assert high is not None
    assert low < 0.3 < 0.7 < high


def test_a_name_is_replaced_only_when_that_is_said(clips: Path, library: Library) -> None:
    with library:
        library.train_classifier("heat", clips)
        with pytest.raises(UsageError, match="already"):
            library.train_classifier("heat", clips)
        library.train_classifier("heat", clips, options=TrainingOptions("knn"), replace=True)
        assert library.classifier("heat").head == "knn"
        library.remove_classifier("heat")
        assert library.classifiers() == []
        with pytest.raises(UsageError, match="there is none yet"):
            library.remove_classifier("heat")


def test_hits_teach_a_classifier_that_finds_more(library: Library, tmp_path: Path) -> None:
    films = tmp_path / "films"
    for number, colours in enumerate([("red", "blue"), ("green", "red"), ("white", "cyan")]):
        write_colours(films / f"{number}.mp4", [(colour, 2.0) for colour in colours])
    with library:
        library.index(films, workers=1)
        hits = library.search("red", top_k=1).hits
        taught = library.teach("stop", good=hits, bad=["2.mp4@0-2"])
        assert taught.labels == ("not stop", "stop")
        assert (taught.report or {})["bad"] == 1
        answer = library.classify("1.mp4", classifier="stop", over_time=True)
        assert [span.label for span in answer.segments] == ["not stop", "stop"]
        more = library.teach("stop", good=["1.mp4@2-4"], forget=["2.mp4@0-2"])
        assert {(m["path"].rpartition("/")[2], m["good"]) for m in more.recipe["moments"]} == {
            (Path(hits[0].path).name, True),
            ("1.mp4", True),
        }
        with pytest.raises(UsageError, match="behind the end"):
            library.teach("stop", good=["1.mp4@9-10"])
        with pytest.raises(UsageError, match="nothing to learn"):
            library.teach("stop")


def test_after_a_reindex_a_taught_classifier_is_made_again(
    library: Library, tmp_path: Path
) -> None:
    films = tmp_path / "films"
    write_colours(films / "a.mp4", [("red", 4.0), ("blue", 4.0)])
    write_colours(films / "b.mp4", [("green", 6.0)])
    with library:
        library.index(films, workers=1)
        library.teach("stop", good=["a.mp4@0-4"])
        library.reindex(encoder="colour-clips", workers=1)
        with pytest.raises(EncoderMismatchError, match='teach "stop" --remake'):
            library.classify("b.mp4", classifier="stop")
        library.teach("stop", remake=True)
        assert library.classify("a.mp4", classifier="stop").labels
        (films / "a.mp4").unlink()
        library.remove("a.mp4")
        with pytest.raises(UsageError, match="nothing good is left"):
            library.teach("stop", remake=True)


def test_an_empty_library_teaches_nothing(tmp_path: Path, clips: Path) -> None:
    with Library.open(tmp_path / "library", encoder="colours", load=load_colours) as library:
        library.train_classifier("heat", clips)  # a library without videos
        with pytest.raises(UsageError, match="empty"):
            library.teach("stop", good=["a.mp4@0-1"])


def test_the_cache_is_keyed_by_the_encoder(clips: Path, tmp_path: Path) -> None:
    """The same films by an encoder of clips: nothing of the other one is used."""
    folder = tmp_path / "copy"
    shutil.copytree(clips, folder)
    with Library.open(tmp_path / "one", encoder="colours", load=load_colours) as one:
        one.train_classifier("heat", folder)
        first = one.classifier("heat").encoder_digest
    with Library.open(tmp_path / "two", encoder="colour-clips", load=load_colours) as two:
        two.train_classifier("heat", folder)
        assert two.classifier("heat").encoder_digest != first
    assert ColourEncoder("colours").spec.digest() == first


def test_using_a_classifier_loads_no_training(clips: Path, library: Library) -> None:
    """A search or a watch that uses a classifier must not wait for scikit-learn."""
    with library:
        library.train_classifier("heat", clips)
        directory = library.directory
    code = (
        "import sys, numpy\n"
        "from pathlib import Path\n"
        "from scenewise.library import Library\n"
        "from scenewise.encoders.spec import WindowFeatures\n"
        "library = Library.open(Path(sys.argv[1]))\n"
        "rows = library.classifier('heat').probabilities(WindowFeatures(numpy.eye(8)))\n"
        "assert rows.shape == (8, 2)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(directory)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert {"sklearn", "scipy", "torch", "av", "cv2"}.isdisjoint(done.stdout.split())
