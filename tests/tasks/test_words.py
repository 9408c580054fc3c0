"""Which lines of text answer which words, and how sure each makes us."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks.synthetic_windows import encoded_video, synthetic_spec
from scenewise.index.catalog import Catalog
from scenewise.index.reader import FeatureCache, IndexReader
from scenewise.index.records import TextKind, TextSegment, Track
from scenewise.tasks.evidence import Evidence
from scenewise.tasks.word_query import parse_words
from scenewise.tasks.words import find_words, shortened

Lines = list[tuple[float, float, str]]
Reading = Callable[..., IndexReader]

# every video: its lines as (start, end, text), far enough apart not to be merged
ANIMALS: Lines = [
    (0, 2, "A dog on a skateboard rolls down the hill."),
    (10, 12, "The dog sleeps."),
    (20, 22, "Two skateboards lie in the shop."),
    (30, 32, "On a hill a skateboard, and further away a dog."),
    (40, 42, "Dancing in the happiness of running water"),
    (50, 52, "Café Zürich, naïve señor"),
    (60, 62, "To be, or not to be: that is the question."),
    (70, 72, "He doesn't send e-mail at 3.5 percent"),
]
CHINESE: Lines = [
    (0, 2, "今天的天气预报说会下雨"),
    (10, 12, "我们去看猫吧"),
    (20, 22, "苹果发布了新iPhone手机"),
    (30, 32, "東京タワーに行きました"),
    (40, 42, "고양이가 소파에서 잔다"),
    (50, 52, "天气很好"),
]
FILLER: Lines = [(5.0 * n, 5.0 * n + 2, f"plain words number {n} go by") for n in range(40)]


def fill(catalog: Catalog, videos: dict[int, Lines], kind: TextKind = "subtitle") -> None:
    generation = catalog.active() or catalog.begin(synthetic_spec(8), "fps=2")
    for number, lines in videos.items():
        texts = tuple(TextSegment(kind, *line) for line in lines)
        video = encoded_video(number, windows=2, dimension=8)
        catalog.commit_video(
            generation.id, replace(video, tracks=(Track(kind, "test", texts=texts),))
        )


def reading(catalog: Catalog) -> IndexReader:
    generation = catalog.active()
    assert generation is not None
    return IndexReader(catalog, generation, FeatureCache())


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    with Catalog.open(tmp_path_factory.mktemp("words"), write=True, create=True) as catalog:
        fill(catalog, {1: ANIMALS, 2: CHINESE, 3: FILLER})
        yield reading(catalog)


def times(found: list[Evidence]) -> list[float]:
    return [one.start for one in found]


def best(reader: IndexReader, query: str) -> Evidence | None:
    return next(iter(find_words(reader, query, None)), None)


# ---- what is found


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("a dog on a skateboard", 0),
        ("skateboards in a shop", 20),
        ("sleeping dogs", 10),  # stems
        ("DOG SLEEPS", 10),
        ("cafe zurich", 50),  # accents may be left out
        ("señor", 50),
        ("runnin*", 40),  # a beginning that is longer than the stem of its word
        ("danci*", 40),
        ("happine*", 40),
        ("skat* shop", 20),
        ('"on a skateboard"', 0),
        ('"dog sleeps" skateboard', 10),
        ("“two skateboards”", 20),
        ("doesn't", 70),
        ("e-mail", 70),
        ("3.5", 70),
        ("to be or not to be", 60),  # stop words alone are a query too
        ("the", 10),
        ("天气预报", 0),
        ("猫", 10),  # one letter, which trigrams cannot find
        ("天气", 0),
        ("東京タワー", 30),
        ("タワー", 30),
        ("고양이", 40),
        ("小猫 iphone", 20),  # glued to letters of another script
        ("「天气预报」", 0),
    ],
)
def test_words_lead_to_their_line(reader: IndexReader, query: str, start: float) -> None:
    found = find_words(reader, query, None)
    assert start in times([one for one in found if one.match == found[0].match]), found


@pytest.mark.parametrize(
    "query",
    [
        "giraffe",
        '"skateboard on a dog"',  # these words in another order
        '"dogs sleep"',  # a quoted word is meant as it is typed
        '"dog sleeps" giraffes "never said"',
        "unicor*",
        "狗",
        "大象馆",
        "",
        " \t\n",
        "!?… —",
        '""',
        "*",
    ],
)
def test_what_nobody_wrote_is_not_found(reader: IndexReader, query: str) -> None:
    assert find_words(reader, query, None) == []


def test_a_stop_word_beside_others_brings_no_line(reader: IndexReader) -> None:
    assert times(find_words(reader, "is the giraffe sleeping", None)) == [10]


def test_the_reason_names_its_kind_line_and_time(reader: IndexReader) -> None:
    found = best(reader, "dog on a skateboard")
    assert found is not None
    assert found.why.kind == "subtitle"
    assert found.modality == "text"
    assert found.why.detail == ANIMALS[0][2]
    assert (found.start, found.end, found.why.start, found.why.end) == (0, 2, 0, 2)


# ---- how sure


def test_a_line_with_all_words_of_a_query_is_strong_evidence(reader: IndexReader) -> None:
    found = best(reader, "dog skateboard hill")
    assert found is not None
    assert found.match > 0.8


def test_one_frequent_word_of_five_is_next_to_nothing(reader: IndexReader) -> None:
    found = best(reader, "plain violet giraffes conquer submarines")
    assert found is not None
    assert found.match < 0.05


def test_nothing_is_certain(reader: IndexReader) -> None:
    every = " ".join(line for _, _, line in ANIMALS)
    assert all(
        one.match < 1 for query in (every, "dog", "the") for one in find_words(reader, query, None)
    )


def test_more_words_in_better_order_and_rarer_are_surer(reader: IndexReader) -> None:
    by_time = {one.start: one.match for one in find_words(reader, "dog on a skateboard", None)}
    assert by_time[0] > by_time[30] > by_time[10]  # in order; all, apart; one of two
    frequent, rare = best(reader, "number"), best(reader, "shop")
    assert frequent is not None
    assert rare is not None
    assert rare.match > frequent.match


@given(
    st.lists(
        st.sampled_from(["dog", "skateboard", "hill", "giraffe", "sleeps", "question"]), min_size=1
    )
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_evidence_is_best_first_and_unique(reader: IndexReader, words: list[str]) -> None:
    found = find_words(reader, " ".join(words), None)
    matches = [one.match for one in found]
    assert matches == sorted(matches, reverse=True)
    assert len({(one.chunk_id, one.start) for one in found}) == len(found)
    assert find_words(reader, " ".join(words), None, limit=2) == found[:2]


# ---- neighbours


def spans_of(tmp_path: Path, lines: Lines, query: str) -> list[tuple[float, float]]:
    with Catalog.open(tmp_path / "library", write=True, create=True) as catalog:
        fill(catalog, {1: lines, 2: FILLER})
        return [(one.start, one.end) for one in find_words(reading(catalog), query, None)]


@pytest.mark.parametrize(
    ("lines", "spans"),
    [
        # a sentence over two lines is one answer
        ([(0, 2, "there is a dog"), (2, 4, "on a skateboard")], [(0, 4)]),
        # not when a while lies between them
        ([(0, 2, "there is a dog"), (9, 11, "on a skateboard")], [(0, 2), (9, 11)]),
        # a line that says all is not widened by one that says little
        (
            [(0, 2, "hello there"), (2, 4, "the dog on a skateboard jumps"), (4, 6, "go on")],
            [(2, 4)],
        ),
        # the same words again, at once
        ([(0, 2, "dog! skateboard!"), (2.5, 4, "skateboard dog")], [(0, 4)]),
    ],
)
def test_lines_that_follow_one_another_answer_together(
    tmp_path: Path, lines: Lines, spans: list[tuple[float, float]]
) -> None:
    assert sorted(spans_of(tmp_path, lines, "dog on a skateboard")) == spans


def test_a_word_that_is_said_all_the_time_is_no_endless_span(tmp_path: Path) -> None:
    lines: Lines = [(2.0 * n, 2.0 * n + 2, "the dog again") for n in range(60)]
    spans = sorted(spans_of(tmp_path, lines, "dog"))
    assert all(end - start <= 30 for start, end in spans)
    assert spans[0][0] == 0
    assert spans[-1][1] == 120
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))


def test_two_tracks_are_not_mixed(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "library", write=True, create=True) as catalog:
        fill(catalog, {1: [(0, 2, "a dog")]})
        catalog.commit_tracks(
            encoded_video(1).content_hash[:16],
            [Track("speech", "test", texts=(TextSegment("speech", 0.5, 2.5, "a skateboard"),))],
        )
        found = find_words(reading(catalog), "dog skateboard", None)
    assert sorted((one.why.kind, one.start) for one in found) == [("speech", 0.5), ("subtitle", 0)]


# ---- which videos


def test_only_allowed_chunks_answer(reader: IndexReader) -> None:
    animals, chinese, filler = reader.live.tolist()
    assert {one.chunk_id for one in find_words(reader, "dog", None)} == {animals}
    assert find_words(reader, "dog", {chinese, filler}) == []
    assert find_words(reader, "dog", set()) == []
    assert {one.chunk_id for one in find_words(reader, "words", {filler})} == {filler}


def test_a_video_whose_file_is_gone_does_not_answer(tmp_path: Path) -> None:
    with Catalog.open(tmp_path, write=True, create=True) as catalog:
        fill(catalog, {1: ANIMALS, 2: FILLER})
        catalog.mark_missing([encoded_video(1).stamp.path])
        reader = reading(catalog)
        assert find_words(reader, "dog", None) == []
        everything = set(reader.rows.ids.tolist())
        assert find_words(reader, "dog", everything)  # unless it is asked for


def test_a_frequent_word_beside_a_rare_one_is_no_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rare word's lines are ranked, and the frequent word only judges them."""
    from scenewise.tasks import words

    monkeypatch.setattr(words, "_POSTINGS", 10)
    with Catalog.open(tmp_path, write=True, create=True) as catalog:
        fill(catalog, {1: [(0, 2, "plain giraffe")], 2: FILLER})
        found = find_words(reading(catalog), "plain giraffe words", None)
    assert [(one.start, one.why.detail) for one in found] == [(0, "plain giraffe")]


# ---- any text may be typed

NASTY = st.text(
    st.one_of(
        st.sampled_from("\"'*()-+:^{}[]~.,;\\%_\x00\n\u0301 天気ก고éa1“”「」"),
        st.characters(),  # surrogates too
    ),
    max_size=60,
)


@given(NASTY)
@example('"')
@example('dog" OR "')
@example("NEAR(dog skateboard, 2)")
@example("text:dog AND NOT hill")
@example("dog\x00skateboard")
@example("\ud800dog")
@example("a*" * 40)
@example("x" * 5000)
@example("x" * 5000 + "*")
@example("天" * 500)
@example(" ".join(f"word{n}" for n in range(500)))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_an_error(reader: IndexReader, text: str) -> None:
    for one in find_words(reader, text, None):
        assert 0 < one.match < 1
        assert one.start < one.end


@given(st.text(max_size=300), st.text(min_size=1, max_size=5), st.integers(20, 200))
def test_a_shortened_line_fits_and_is_a_part_of_it(text: str, word: str, size: int) -> None:
    short = shortened(text, {word}, size)
    assert len(short) <= size
    assert short.strip("…") in text


def test_a_line_is_shortened_around_its_words() -> None:
    text = "word " * 50 + "an elephant here " + "word " * 50
    short = shortened(text, {"elephant"})
    assert "elephant" in short
    assert short.startswith("…word ")
    assert short.endswith(" word…")


def test_units_are_read_from_the_notation() -> None:
    shape = [
        (u.kind, u.text, u.required) for u in parse_words('the "big dog" skat* 天气预报 猫 runs')
    ]
    assert shape == [
        ("phrase", "big dog", True),
        ("prefix", "skat*", False),
        ("run", "天气预", False),
        ("run", "气预报", False),
        ("run", "猫", False),
        ("word", "runs", False),
    ]
