"""What indexing does with files that are new, known, moved, changed, gone or broken.

Everything runs through ``tasks.fill`` on films of plain colours, with an encoder of colours.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import COLOURS, load_colours
from colour_films import write_colours

from scenewise.config import Settings
from scenewise.errors import EncoderError, ScenewiseError, UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.discover import stamp
from scenewise.index.encode_video import Failed, Recognised, attempt, encode_video, hash_file
from scenewise.index.encoder_source import EncoderSource
from scenewise.index.records import EncodedVideo, FileStamp
from scenewise.index.windows import Sampling
from scenewise.media import subtitles
from scenewise.tasks.fill import Beginning, Filling, index_paths, reindex
from scenewise.types import IndexReport, Progress


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films that are made once; tests work on copies."""
    folder = tmp_path_factory.mktemp("stock")
    write_colours(folder / "red-blue.mp4", [("red", 2.0), ("blue", 1.3)])
    write_colours(folder / "green.mkv", [("green", 1.5)])
    write_colours(folder / "white.mp4", [("white", 1.0)])
    (folder / "broken.mp4").write_bytes(b"this was never a film" * 50)
    return folder


class Place:
    """A folder of films and a library beside it."""

    def __init__(self, stock: Path, root: Path) -> None:
        self.stock = stock
        self.films = root / "films"
        self.films.mkdir()
        self.library = root / "library"
        self.source = EncoderSource(Settings(), load_colours)
        self.seen: list[Progress] = []

    def put(self, name: str, target: str | None = None) -> Path:
        path = self.films / (target or name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.stock / name, path)
        return path

    def index(
        self,
        *paths: Path,
        encoder: str = "colours",
        asked: Sampling | None = None,
        retry_failed: bool = False,
        dry_run: bool = False,
    ) -> IndexReport:
        return index_paths(
            self.filling(),
            Beginning(encoder, "onnxruntime", 2.0),
            paths or [self.films],
            asked or Sampling(),
            retry_failed=retry_failed,
            dry_run=dry_run,
        )

    def reindex(self, encoder: str | None = None, asked: Sampling | None = None) -> IndexReport:
        return reindex(self.filling(), encoder, "onnxruntime", asked or Sampling(), 2.0)

    def filling(self) -> Filling:
        return Filling(self.library, self.source, workers=1, progress=self.seen.append)

    def catalog(self) -> Catalog:
        return Catalog.open(self.library)

    def states(self) -> dict[str, str]:
        with self.catalog() as catalog:
            return {
                str(Path(video.path).relative_to(self.films.resolve())): video.state
                for video in catalog.videos()
            }


@pytest.fixture
def place(stock: Path, tmp_path: Path) -> Iterator[Place]:
    made = Place(stock, tmp_path)
    yield made
    made.source.close()


def counts(report: IndexReport) -> tuple[int, int, int, int, int, int]:
    """indexed, recognised, unchanged, missing, failed, skipped_failed"""
    return (
        report.indexed,
        report.recognised,
        report.unchanged,
        report.missing,
        len(report.failed),
        report.skipped_failed,
    )


# ---- one video


def test_a_video_becomes_windows_with_spans_instants_and_vectors(stock: Path) -> None:
    encoder = load_colours(
        "colours", runtime="onnxruntime", device="cpu", threads=1, cache_dir=None
    )
    path = stock / "red-blue.mp4"
    video = encode_video(path, encoder, Sampling(fps=2))
    assert isinstance(video, EncodedVideo)
    assert video.duration == pytest.approx(3.3)
    assert video.starts.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert video.ends.tolist() == pytest.approx([0.5, 1, 1.5, 2, 2.5, 3, 3.3])
    assert video.times.tolist() == pytest.approx(video.starts.tolist())
    shown = [COLOURS[n] for n in video.features.vectors.argmax(axis=1)]
    assert shown == ["red"] * 4 + ["blue"] * 3
    assert np.linalg.norm(video.video_vector) == pytest.approx(1)
    assert video.content_hash == hash_file(path)
    assert video.stamp == stamp(path)


def test_a_cut_from_red_to_blue_is_a_shot_boundary(stock: Path) -> None:
    encoder = load_colours(
        "colours", runtime="onnxruntime", device="cpu", threads=1, cache_dir=None
    )
    video = encode_video(stock / "red-blue.mp4", encoder, Sampling(fps=2))
    assert isinstance(video, EncodedVideo)
    assert len(video.shots) == 2
    assert video.shots[0].start == 0
    # the cut lies at 2.0 s, between the sampled frames at 1.5 and 2.0
    assert 1.5 <= video.shots[0].end <= 2.0
    assert video.shots[1].end == pytest.approx(3.3)


def test_subtitles_beside_a_video_are_stored_with_it(place: Place) -> None:
    path = place.put("white.mp4")
    path.with_suffix(".srt").write_text("1\n00:00:00,200 --> 00:00:00,900\nHello there\n", "utf-8")
    video = encode_video(path, place.source.get("colours", "onnxruntime"), Sampling(fps=2))
    assert isinstance(video, EncodedVideo)
    [text] = video.texts
    assert (text.kind, text.start, text.end, text.text) == ("subtitle", 0.2, 0.9, "Hello there")


def test_content_that_is_not_wanted_is_not_decoded(stock: Path) -> None:
    encoder = load_colours(
        "colours", runtime="onnxruntime", device="cpu", threads=1, cache_dir=None
    )
    outcome = encode_video(stock / "green.mkv", encoder, Sampling(fps=2), lambda _: False)
    assert isinstance(outcome, Recognised)
    assert encoder.batches == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"no film at all, only words" * 99, "not readable"), (None, "no such file")],
)
def test_a_file_that_is_no_video_fails_with_its_reason(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "odd.mp4"
    if content is not None:
        path.write_bytes(content)
    encoder = load_colours(
        "colours", runtime="onnxruntime", device="cpu", threads=1, cache_dir=None
    )
    outcome = attempt(FileStamp(str(path), 1, 1), encoder, Sampling(fps=2), lambda _: True)
    assert isinstance(outcome, Failed)
    assert words in outcome.reason
    assert "Traceback" not in outcome.reason
    assert "\n" not in outcome.reason


def test_a_file_that_changes_while_it_is_read_is_noticed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.put("white.mp4")
    path.with_suffix(".srt").write_text("")
    original = subtitles.read_file

    def meanwhile(name: str | Path) -> object:
        with path.open("ab") as file:
            file.write(b"more")
        return original(name)

    monkeypatch.setattr(subtitles, "read_file", meanwhile)
    report = place.index()
    assert "changed while it was read" in report.failed[0].reason
    monkeypatch.setattr(subtitles, "read_file", original)
    assert counts(place.index()) == (1, 0, 0, 0, 0, 0)  # changed since, so tried again


# ---- many videos


def test_a_second_run_does_nothing(place: Place) -> None:
    for name in ("red-blue.mp4", "green.mkv", "broken.mp4"):
        place.put(name)
    first = place.index()
    assert counts(first) == (2, 0, 0, 0, 1, 0)
    assert first.video_seconds == pytest.approx(4.8)
    assert counts(place.index()) == (0, 0, 2, 0, 0, 1)
    assert place.states() == {
        "broken.mp4": "failed",
        "green.mkv": "ready",
        "red-blue.mp4": "ready",
    }


def test_a_film_that_breaks_off_is_indexed_in_part_and_says_so(place: Place) -> None:
    whole = place.put("red-blue.mp4", "whole.mp4")
    torn = write_colours(place.films / "torn.mkv", [("red", 4.0), ("blue", 4.0)])
    with torn.open("r+b") as file:
        file.truncate(torn.stat().st_size * 5 // 8)
    report = place.index()
    assert counts(report) == (2, 0, 0, 0, 0, 0)
    (damaged,) = report.damaged
    assert (Path(damaged.path), "the header tells of 8.0 s" in damaged.reason) == (torn, True)
    with place.catalog() as catalog:
        said = {video.path: video.warnings for video in catalog.videos()}
    assert said[str(whole)] == ()
    assert "; ".join(said[str(torn)]) == damaged.reason
    assert place.index().damaged == ()  # said once, by the run that indexed it


def test_progress_counts_files_and_seconds(place: Place) -> None:
    for name in ("red-blue.mp4", "green.mkv", "broken.mp4"):
        place.put(name)
    place.index()
    assert [seen.files_done for seen in place.seen] == [1, 2, 3]
    assert {seen.files_total for seen in place.seen} == {3}
    assert [seen.failed for seen in place.seen] == [1, 1, 1]  # broken comes first
    assert place.seen[-1].video_seconds == pytest.approx(4.8)


def test_equal_content_is_decoded_once(place: Place) -> None:
    place.put("green.mkv", "a.mkv")
    place.put("green.mkv", "b.mkv")
    assert counts(place.index()) == (1, 1, 0, 0, 0, 0)
    place.put("green.mkv", "c.mkv")
    assert counts(place.index()) == (0, 1, 2, 0, 0, 0)
    with place.catalog() as catalog:
        assert len({video.video_id for video in catalog.videos()}) == 1


def test_equal_broken_files_each_have_their_reason(place: Place) -> None:
    place.put("broken.mp4", "a.mp4")
    place.put("broken.mp4", "b.mp4")
    report = place.index()
    assert [Path(failure.path).name for failure in report.failed] == ["a.mp4", "b.mp4"]


def test_a_moved_file_is_recognised_and_not_missing(place: Place) -> None:
    path = place.put("green.mkv")
    place.index()
    (place.films / "deep").mkdir()
    path.rename(place.films / "deep" / "other.mkv")
    assert counts(place.index()) == (0, 1, 0, 0, 0, 0)
    assert place.states() == {"deep/other.mkv": "ready"}


def test_a_file_moved_between_folders_that_are_indexed_apart(place: Place) -> None:
    here, there = place.films / "z-here", place.films / "a-there"
    path = place.put("green.mkv", "a-there/film.mkv")
    place.index(there)
    here.mkdir()
    path.rename(here / "film.mkv")
    assert counts(place.index(here)) == (0, 1, 0, 0, 0, 0)
    assert place.states() == {"z-here/film.mkv": "ready"}


def test_a_new_date_alone_decodes_nothing(place: Place) -> None:
    path = place.put("green.mkv")
    place.index()
    os.utime(path, (1, 1))
    assert counts(place.index()) == (0, 0, 1, 0, 0, 0)
    assert counts(place.index()) == (0, 0, 1, 0, 0, 0)


def test_a_changed_file_is_indexed_again(place: Place) -> None:
    path = place.put("green.mkv", "film.mkv")
    place.index()
    with place.catalog() as catalog:
        [before] = catalog.videos()
    shutil.copy(place.stock / "red-blue.mp4", path)
    assert counts(place.index()) == (1, 0, 0, 0, 0, 0)
    with place.catalog() as catalog:
        [after] = catalog.videos()
    assert before.video_id != after.video_id
    assert after.duration == pytest.approx(3.3)


def test_a_vanished_file_is_missing_until_it_comes_back(place: Place) -> None:
    path = place.put("green.mkv")
    place.put("white.mp4")
    place.index()
    path.rename(place.films.parent / "away.mkv")
    assert counts(place.index()) == (0, 0, 1, 1, 0, 0)
    assert place.states() == {"green.mkv": "missing", "white.mp4": "ready"}
    assert counts(place.index()) == (0, 0, 1, 0, 0, 0)  # known to be missing
    (place.films.parent / "away.mkv").rename(path)
    assert counts(place.index()) == (0, 1, 1, 0, 0, 0)
    assert place.states() == {"green.mkv": "ready", "white.mp4": "ready"}


def test_only_the_given_folders_are_looked_at_for_vanished_files(place: Place) -> None:
    one, two = place.put("green.mkv", "one/a.mkv"), place.put("white.mp4", "two/b.mp4")
    place.index()
    one.unlink()
    two.unlink()
    assert place.index(two.parent).missing == 1
    assert place.states() == {"one/a.mkv": "ready", "two/b.mp4": "missing"}
    shutil.rmtree(one.parent)
    assert place.index(one.parent).missing == 1  # a known folder that is gone is no mistake


def test_failed_files_are_tried_again_on_demand_or_when_they_changed(place: Place) -> None:
    path = place.put("broken.mp4")
    place.index()
    assert counts(place.index()) == (0, 0, 0, 0, 0, 1)
    assert counts(place.index(retry_failed=True)) == (0, 0, 0, 0, 1, 0)
    shutil.copy(place.stock / "white.mp4", path)
    assert counts(place.index()) == (1, 0, 0, 0, 0, 0)


def test_a_dry_run_writes_nothing(place: Place) -> None:
    place.put("green.mkv")
    assert counts(place.index(dry_run=True)) == (1, 0, 0, 0, 0, 0)
    assert not place.library.exists()


def test_paths_that_lead_nowhere_are_refused(place: Place) -> None:
    with pytest.raises(UsageError, match=r"there is no file or folder .*nowhere"):
        place.index(place.films / "nowhere")
    with pytest.raises(ScenewiseError, match="no video was found"):
        place.index()
    assert not place.library.exists()


def test_an_unknown_encoder_makes_no_library(place: Place) -> None:
    place.put("green.mkv")
    with pytest.raises(EncoderError, match="mystery"):
        place.index(encoder="mystery")
    assert not place.library.exists()


def test_a_network_that_does_not_run_ends_the_run(place: Place) -> None:
    place.put("green.mkv")
    with pytest.raises(EncoderError, match="does not run"):
        place.index(encoder="broken")
    assert place.states() == {}


def test_a_library_has_one_sampling(place: Place) -> None:
    place.put("green.mkv")
    place.index(asked=Sampling(frames=4))
    with pytest.raises(UsageError, match=r"frames=4, not with fps=2.*reindex --fps 2"):
        place.index(asked=Sampling(fps=2))
    assert counts(place.index(asked=Sampling(frames=4))) == (0, 0, 1, 0, 0, 0)


def test_stopping_keeps_what_is_done_and_the_next_run_goes_on(place: Place) -> None:
    for name in ("red-blue.mp4", "green.mkv", "white.mp4"):
        place.put(name)
    filling = replace(place.filling(), stop=lambda: len(place.seen) >= 1)
    report = index_paths(
        filling, Beginning("colours", "onnxruntime", 2.0), [place.films], Sampling()
    )
    assert report.interrupted
    assert counts(report) == (1, 0, 0, 0, 0, 0)
    rest = place.index()
    assert not rest.interrupted
    assert counts(rest) == (2, 0, 1, 0, 0, 0)


# ---- another encoder or sampling


def test_reindex_fills_another_generation_and_switches(place: Place) -> None:
    place.put("red-blue.mp4")
    place.put("broken.mp4")
    place.index()
    report = place.reindex(encoder="colour-clips")
    assert counts(report) == (1, 0, 0, 0, 0, 1)
    with place.catalog() as catalog:
        generation = catalog.active()
        assert generation is not None
        assert (generation.spec.name, generation.sampling) == ("colour-clips", "clips")
        assert catalog.filling() is None
        assert sum(video.windows for video in catalog.videos()) == 3  # 3.3 s, stride 1 s


def test_reindex_keeps_one_vector_per_video_or_says_why_not(place: Place) -> None:
    place.put("green.mkv")
    place.index(asked=Sampling(frames=4))
    place.reindex(encoder="colour-clips")  # which takes clips of 4 frames
    with place.catalog() as catalog:
        generation = catalog.active()
        assert generation is not None
        assert (generation.spec.name, generation.sampling) == ("colour-clips", "frames=4")
    place.reindex(encoder="colours", asked=Sampling(frames=3))
    with pytest.raises(UsageError, match="--frames 3 is not allowed with this encoder"):
        place.reindex(encoder="colour-clips")
    with place.catalog() as catalog:
        assert catalog.filling() is None


def test_a_stopped_reindex_goes_on_where_it_was(place: Place) -> None:
    for name in ("red-blue.mp4", "green.mkv", "white.mp4"):
        place.put(name)
    place.index()
    place.seen.clear()
    stopped = replace(place.filling(), stop=lambda: len(place.seen) >= 1)
    report = reindex(stopped, None, "onnxruntime", Sampling(fps=4), 2.0)
    assert (report.interrupted, report.indexed) == (True, 1)
    with place.catalog() as catalog:
        active, filling = catalog.active(), catalog.filling()
        assert active is not None
        assert active.sampling == "fps=2"
        assert filling is not None
        assert filling.sampling == "fps=4"
    rest = place.reindex()
    assert counts(rest) == (2, 0, 1, 0, 0, 0)
    with place.catalog() as catalog:
        active = catalog.active()
        assert active is not None
        assert active.sampling == "fps=4"


def test_reindex_does_not_empty_a_library_whose_drive_is_away(place: Place) -> None:
    place.put("green.mkv")
    place.index()
    place.films.rename(place.films.parent / "unplugged")
    with pytest.raises(ScenewiseError, match="stays as it was"):
        place.reindex(asked=Sampling(fps=4))
    with place.catalog() as catalog:
        active = catalog.active()
        assert active is not None
        assert active.sampling == "fps=2"
        assert len(catalog.chunk_ids(active.id)) == 1
