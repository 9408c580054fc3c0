"""Which sounds answer which words, and how sure each makes us."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_windows import encoded_video, synthetic_spec
from scenewise.encoders.audio import AudioQuery
from scenewise.index.catalog import Catalog
from scenewise.index.reader import FeatureCache, IndexReader
from scenewise.index.records import AudioWindows, Track
from scenewise.tasks.evidence import Evidence
from scenewise.tasks.hearing import find_sounds, wanted_sounds
from scenewise.types import Sound

HEARD: dict[int, tuple[Sound, ...]] = {
    1: (Sound("silence", 0, 10, 0.9), Sound("speech", 10, 30, 0.8), Sound("speech", 33, 40, 0.6)),
    2: (Sound("music", 0, 50, 0.95), Sound("onset", 20, 20.4, 0.9)),
    3: (),  # a film without sound
}
SECONDS = 60.0


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    with Catalog.open(tmp_path_factory.mktemp("heard"), write=True, create=True) as catalog:
        yield fill(catalog)


def fill(catalog: Catalog) -> IndexReader:
    generation = catalog.begin(synthetic_spec(8), "fps=2")
    for number, sounds in HEARD.items():
        video = encoded_video(number, windows=2, dimension=8)
        # sound vectors: every video hears along an axis of its own in its third window
        vectors = np.tile(np.eye(8, dtype=np.float32)[7], (6, 1))
        vectors[2] = np.eye(8, dtype=np.float32)[number]
        starts = np.arange(6, dtype=np.float64) * 10
        tracks = (
            Track("sound", "test", sounds=sounds),
            Track("audio", "test", audio=AudioWindows(starts, starts + 10, vectors)),
        )
        catalog.commit_video(generation.id, replace(video, duration=SECONDS, tracks=tracks))
    active = catalog.active()
    assert active is not None
    return IndexReader(catalog, active, FeatureCache())


def spans(found: list[Evidence]) -> list[tuple[int, float, float]]:
    return [(one.chunk_id, one.start, one.end) for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("silence", [(1, 0, 10)]),
        ("a quiet moment", [(1, 0, 10)]),
        ("someone speaking", [(1, 10, 30), (1, 33, 40)]),
        ("A conversation.", [(1, 10, 30), (1, 33, 40)]),
        ("music is playing", [(2, 0, 50)]),
        ("a loud bang", [(2, 20, 20.4)]),
        ("gunshot", [(2, 20, 20.4)]),
        # what has no sound at all says nothing of who speaks
        ("nobody speaks", [(1, 0, 10), (1, 30, 33), (1, 40, 60), (2, 0, 60)]),
        ("no sound", [(1, 0, 10)]),
        ("no music", []),
        ("a red car", []),
        ("speechless musicality", []),
        ("", []),
    ],
)
def test_words_find_the_sounds_that_they_mean(
    reader: IndexReader, text: str, expected: list[tuple[int, float, float]]
) -> None:
    assert spans(find_sounds(reader, text, None)) == expected


def test_a_reason_names_the_sound_its_strength_and_its_time(reader: IndexReader) -> None:
    best = find_sounds(reader, "speech", None)[0]
    assert (best.why.kind, best.why.detail, best.modality) == ("sound", "speech 0.80", "audio")
    assert (best.why.start, best.why.end) == (10, 30)


@pytest.mark.parametrize(
    ("surer", "less_sure"),
    [
        ("music", "a guitar"),  # many things that hold tones are no guitar
        ("someone speaking", "a man speaking into a microphone"),  # the rest is not heard
        ("a loud bang", "an explosion"),
        ("an explosion", "applause"),
        ("silence", "quiet"),
    ],
)
def test_a_match_falls_with_what_the_sound_does_not_say(
    reader: IndexReader, surer: str, less_sure: str
) -> None:
    sure, unsure = find_sounds(reader, surer, None)[0], find_sounds(reader, less_sure, None)[0]
    assert sure.match > unsure.match > 0
    assert sure.match <= 0.95


def test_the_clearest_comes_first_and_the_limit_holds(reader: IndexReader) -> None:
    found = find_sounds(reader, "speech", None)
    assert [one.match for one in found] == sorted((one.match for one in found), reverse=True)
    assert spans(find_sounds(reader, "speech", None, limit=1)) == spans(found)[:1]
    assert find_sounds(reader, "speech", None, limit=0) == []


def test_only_allowed_videos_answer(reader: IndexReader) -> None:
    assert find_sounds(reader, "speech", {2, 3}) == []
    assert find_sounds(reader, "speech", set()) == []
    assert spans(find_sounds(reader, "speech", {1})) == [(1, 10, 30), (1, 33, 40)]


def test_words_about_any_sound_find_the_nearest_windows(reader: IndexReader) -> None:
    query = AudioQuery("rain on a roof", np.eye(8, dtype=np.float32)[2])
    found = find_sounds(reader, query.text, None, audio_query=query)
    best = found[0]
    assert best.chunk_id == 2
    # smoothing over neighbours may widen the span by one window on either side
    assert best.start <= 20 < 30 <= best.end <= 40
    assert (best.why.kind, best.modality) == ("audio", "audio")
    assert all(0 <= one.match <= 1 for one in found)
    others = [one.match for one in found if one.chunk_id != 2]
    assert best.match > max(others, default=0.0)


def test_vectors_of_another_length_are_not_compared(reader: IndexReader) -> None:
    query = AudioQuery("rain", np.ones(5, np.float32) / np.sqrt(np.float32(5)))
    assert find_sounds(reader, "rain", None, audio_query=query) == []


def test_both_kinds_of_evidence_come_together(reader: IndexReader) -> None:
    query = AudioQuery("music", np.eye(8, dtype=np.float32)[2])
    kinds = {one.why.kind for one in find_sounds(reader, "music", None, audio_query=query)}
    assert kinds == {"sound", "audio"}


@pytest.mark.parametrize("text", ["", "!!!", "42", "音楽", "a" * 5_000, "no", "'’-"])
def test_any_text_is_borne(reader: IndexReader, text: str) -> None:
    assert find_sounds(reader, text, None) == []


def test_several_kinds_may_be_meant() -> None:
    assert {one.kind for one in wanted_sounds("music and people talking")} == {"music", "speech"}


def test_removed_and_missing_files_do_not_answer(tmp_path: Path) -> None:
    with Catalog.open(tmp_path, write=True, create=True) as catalog:
        reader = fill(catalog)
        (path,) = [path for path, known in catalog.known().items() if path.endswith("1.mp4")][:1]
        catalog.mark_missing([path])
        assert find_sounds(reader, "speech", None) == []
