"""Questions about films of colours whose truth is known by construction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chat_server import Asked, Reply, chat_server, says
from colour_encoder import load_colours, load_wordless
from colour_films import write_colours

from scenewise.config import Settings
from scenewise.errors import LibraryNotFoundError, ModelError, UsageError
from scenewise.library import Library
from scenewise.tasks.ask import answer
from scenewise.tasks.questions import parse_question
from scenewise.types import Answer

SCENES = [("green", 3.0), ("red", 3.0), ("blue", 3.0), ("red", 2.0), ("yellow", 3.0)]
SUBTITLES = """1
00:00:01,000 --> 00:00:02,500
The price of the ticket is twelve pounds.

2
00:00:07,000 --> 00:00:08,500
My name is Ishmael.
"""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_colours(folder / "film.mp4", SCENES)
    (folder / "film.srt").write_text(SUBTITLES)
    write_colours(folder / "other.mp4", [("magenta", 2.0), ("white", 2.0)])
    for number in range(8):  # against which a colour can stand out
        write_colours(folder / f"dark{number}.mp4", [("black", 0.5 + number / 10)])
    return folder


@pytest.fixture(scope="module")
def library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    directory = tmp_path_factory.mktemp("library")
    with Library.open(directory, encoder="colours", load=load_colours) as opened:
        opened.index(films, workers=1)
        yield opened


def spans(answer: Answer) -> list[tuple[float, float]]:
    return sorted((moment.start, moment.end) for moment in answer.evidence)


# ---- one video


@pytest.mark.parametrize(
    ("question", "text", "evidence"),
    [
        ("Is there a red one?", "Yes: at 00:03.0-00:06.0 and 00:09.0-00:11.0.", 2),
        ("Does something blue appear?", "Yes: at 00:06.0-00:09.0.", 1),
        ("When is it yellow?", "At 00:11.0-00:14.0.", 1),
        ("How many times is a red one shown?", "2 times: at 00:03.0-00:06.0 and", 2),
        ("How often is there a green one", "Once: at 00:00.0-00:03.0.", 1),
        ("How long is the video?", "14.0 s.", 1),
        ("How long is it blue?", "About 3.0 s: at 00:06.0-00:09.0.", 1),
        ("How many shots are there?", "5.", 1),
        ("What happens after the blue one?", "A red (00:09.0-00:11.0).", 2),
        ("What comes before the yellow one?", "A red (00:09.0-00:11.0).", 2),
        ("What happens before the green one?", "Nothing: so the video begins.", 1),
        ("What happens after the yellow one?", "Nothing: there the video ends.", 1),
        ("Does the green one come before the blue one?", "Yes: the one at 00:00.0-", 2),
        ("Does the green one come after the blue one?", "No: the one at 00:06.0-", 2),
        ("Where is the yellow one?", "At 00:11.0-00:14.0.", 1),
        ("What does he say about the price?", "“The price of the ticket is twelve", 1),
        ("What is said?", "“The price of the ticket is twelve pounds.” … “My name is Ish", 2),
    ],
)
def test_what_is_known_is_said(library: Library, question: str, text: str, evidence: int) -> None:
    answer = library.ask(question, "film.mp4")
    assert answer.text is not None
    assert answer.text.startswith(text)
    assert len(answer.evidence) == evidence
    assert answer.confidence > 0.5
    assert [moment.rank for moment in answer.evidence] == list(range(1, evidence + 1))
    for moment in answer.evidence:
        assert 0 <= moment.start < moment.end <= 14.0
        assert Path(moment.path).name == "film.mp4"


def test_evidence_is_where_the_colour_is(library: Library) -> None:
    answer = library.ask("Is there a red one?", "film.mp4")
    assert spans(answer) == [(3.0, 6.0), (9.0, 11.0)]
    assert {why.detail for moment in answer.evidence for why in moment.why} == {"red"}


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("How many red ones are there?", "does not count"),
        ("Who is in the red one?", "who somebody is"),
        ("What colour is the car?", "colour"),
        ("Why is it red?", "reasons"),
        ("What sport is it?", "no kinds of sport"),
        ("Is there music?", "not listened to"),
        ("Ist da etwas Rotes", "no question in a form that is known"),
        ("What does she say about the weather?", "no line"),
        ("What is the age of the king?", "do not tell"),
    ],
)
def test_what_cannot_be_told_is_said_to_be_so(library: Library, question: str, why: str) -> None:
    answer = library.ask(question, "film.mp4")
    assert answer.text is None
    assert answer.confidence == 0.0
    assert answer.notes[0].startswith("cannot tell: ")
    assert why in answer.notes[0]


def test_what_is_not_there_is_not_claimed(library: Library) -> None:
    for question in ("Is there a cyan one?", "When is it cyan?", "Is there a magenta one?"):
        answer = library.ask(question, "film.mp4")
        assert answer.text is None or answer.text.startswith("No")
        assert not answer.text or answer.confidence > 0.5


def test_a_name_that_is_spoken_is_quoted_with_doubt(library: Library) -> None:
    answer = library.ask("What is the name of Ishmael?", "film.mp4")
    assert answer.text is not None
    assert "My name is Ishmael" in answer.text
    assert spans(answer) == [(7.0, 8.5)]
    assert answer.confidence <= 0.5


def test_a_deed_is_not_claimed_because_the_thing_is_there(library: Library) -> None:
    seen = library.ask("Is there a red one?", "film.mp4")
    done = library.ask("Does the red one explode?", "film.mp4")
    assert done.text is not None
    assert done.text.startswith("Perhaps, something like it is seen: at 00:03.0-00:06.0")
    assert done.confidence == seen.confidence / 2
    assert "no word for “explode”" in done.notes[-1]


# ---- choices


def test_the_choice_that_is_shown_wins(library: Library) -> None:
    answer = library.ask("What is it?", "other.mp4", choices=["cyan", " magenta ", "green"])
    assert answer.text == "magenta"
    assert sum(choice.probability for choice in answer.choices) == pytest.approx(1.0)
    assert answer.choices[0].probability == answer.confidence > 0.5
    assert spans(answer) == [(0.0, 2.0)]


def test_the_order_of_the_choices_does_not_matter(library: Library) -> None:
    one = library.ask("What is it?", "other.mp4", choices=["cyan", "magenta", "green"])
    two = library.ask("What is it?", "other.mp4", choices=["green", "magenta", "cyan"])
    assert one.text == two.text
    assert {c.name: c.probability for c in one.choices} == pytest.approx(
        {c.name: c.probability for c in two.choices}
    )


def test_choices_about_a_stretch_look_at_that_stretch(library: Library) -> None:
    after = library.ask("What happens after the green one?", "film.mp4", choices=["red", "blue"])
    before = library.ask("What comes before the red one?", "film.mp4", choices=["green", "yellow"])
    assert (after.text, before.text) == ("red", "green")


def test_yes_and_no_as_choices(library: Library) -> None:
    answer = library.ask("Is there a red one?", "film.mp4", choices=["No", "Yes"])
    assert answer.text == "Yes"
    assert [choice.name for choice in answer.choices] == ["Yes", "No"]


def test_one_or_the_other(library: Library) -> None:
    assert library.ask("Is it magenta or cyan?", "other.mp4").text == "magenta"


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ([], "no choice"),
        (["red"], r"one choice \('red'\) is no choice"),
        (["red", "Red"], "'Red' is given twice"),
        (["red", " "], "is empty"),
        ([str(number) for number in range(101)], "101 choices are too many"),
    ],
)
def test_choices_that_are_none_are_refused(
    library: Library, choices: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        library.ask("What is it?", "film.mp4", choices=choices)


# ---- an encoder that learnt from captions


def test_an_encoder_without_words_of_its_own_answers_too(films: Path, tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path)
    with Library.open(
        tmp_path / "none", encoder="wordless", load=load_wordless, settings=settings
    ) as opened:
        film = films / "film.mp4"
        seen = opened.ask("When is it blue?", film)
        assert spans(seen) == [(6.0, 9.0)]
        assert opened.ask("Does the blue one explode?", film).notes == ()
        witness = opened._witness(film)
        there = witness.seen("yellow", 1)
        sure = replace(witness, seen=lambda *_: [replace(hit, match=0.9) for hit in there])
        assert answer(parse_question("What colour is the car?"), sure).text == "Yellow."
        chosen = opened.ask("What is it?", films / "other.mp4", choices=["cyan", "magenta"])
        assert chosen.text == "magenta"
        (caption,) = opened.caption(film, motion=False).captions
        assert "text: “The price" in caption.text


# ---- a library


def test_a_library_names_its_videos(library: Library) -> None:
    answer = library.ask("In which video is there a magenta one?")
    assert answer.text is not None
    assert answer.text.startswith("In other.mp4 00:00.0-00:02.0")
    # an encoder without a background finds it, and is not sure enough to say yes
    doubtful = library.ask("Is there a magenta one?")
    assert doubtful.text is None
    assert Path(doubtful.evidence[0].path).name == "other.mp4"
    after = library.ask("What happens after the magenta one?")
    assert after.text == "A white (00:02.0-00:04.0)."


def test_questions_that_need_one_video_say_so(library: Library) -> None:
    for question in ("How long is the video?", "Is the red one before the blue one?"):
        answer = library.ask(question)
        assert answer.text is None
        assert "name" in answer.notes[0]


def test_without_a_library_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with (
        Library.open(tmp_path / "none", encoder="colours", load=load_colours) as empty,
        pytest.raises(LibraryNotFoundError),
    ):
        empty.ask("Is there a red one?")


@pytest.mark.parametrize("question", ["", "  ", "?!"])
def test_a_question_without_words_is_refused(library: Library, question: str) -> None:
    with pytest.raises(UsageError, match="holds no words"):
        library.ask(question, "film.mp4")


# ---- a language model


@pytest.fixture
def asking(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return library


def with_model(library: Library, url: str, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setattr(library, "_settings", Settings(model_url=url, cache=library.directory))
    return library


def test_times_that_a_model_invents_are_words_and_no_evidence(
    asking: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    invented = "A red one, at 47:11 and from 99:00 to 99:30."
    with chat_server(says(invented)) as server:
        answer = with_model(asking, server.url, monkeypatch).ask(
            "Is there a red one?", "film.mp4", model="seer"
        )
    assert (answer.text, answer.source) == (invented, "seer")
    assert spans(answer) == [(3.0, 6.0), (9.0, 11.0)]
    (asked,) = server.asked
    assert 2 <= len(asked.pictures) <= 8
    assert len(asked.texts) == len(asked.pictures) + 1
    assert "00:03.0-00:06.0: concept red" in asked.texts[-1]
    assert "My name is Ishmael." in asked.texts[-1]


def test_frames_of_evidence_are_what_a_model_sees(
    asking: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chat_server(says("Blue.")) as server:
        with_model(asking, server.url, monkeypatch).ask("Is there blue?", "film.mp4", model="seer")
    times = [text for text in server.asked[0].texts if text.startswith("Frame at ")]
    assert times
    assert all("Frame at 00:06" <= time <= "Frame at 00:09" for time in times)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Magenta", "magenta"),
        ("I think it is magenta.", "magenta"),
        ("B", "magenta"),
        ("(2)", "magenta"),
        ("b) magenta", "magenta"),
        ("purple", None),
        ("cyan or magenta", None),
        ("CANNOT TELL", None),
    ],
)
def test_a_model_chooses_among_the_choices(
    asking: Library, monkeypatch: pytest.MonkeyPatch, reply: str, text: str | None
) -> None:
    with chat_server(says(reply)) as server:
        answer = with_model(asking, server.url, monkeypatch).ask(
            "What is it?", "other.mp4", choices=["cyan", "magenta"], model="seer"
        )
    assert answer.text == text
    assert "- magenta" in server.asked[0].texts[-1]
    assert {choice.name for choice in answer.choices} == {"cyan", "magenta"}
    assert (text is None) == bool(answer.notes)


def test_a_model_is_asked_about_a_library(asking: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_number(asked: Asked) -> Reply:
        return says(f"{len(asked.pictures)} pictures")

    with chat_server(by=by_number) as server:
        answer = with_model(asking, server.url, monkeypatch).ask(
            "Tell me about magenta", model="seer"
        )
    assert answer.text is not None
    assert answer.evidence
    assert Path(answer.evidence[0].path).name == "other.mp4"
    assert "of other.mp4" in server.asked[0].texts[-1]


def test_a_model_that_fails_is_an_error_and_no_answer(
    asking: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chat_server(Reply(body=b"?")) as server, pytest.raises(ModelError, match="not JSON"):
        with_model(asking, server.url, monkeypatch).ask("Is it red?", "film.mp4", model="seer")


def test_a_model_of_ones_own_needs_no_endpoint(library: Library) -> None:
    class Parrot:
        name = "parrot"

        def reply(self, prompt: str, frames: object, *, instruction: str = "") -> str:
            return "Polly."

        def close(self) -> None:
            raise AssertionError("it is not ours to close")

    answer = library.ask("Is there a red one?", "film.mp4", model=Parrot())
    assert (answer.text, answer.source) == ("Polly.", "parrot")
