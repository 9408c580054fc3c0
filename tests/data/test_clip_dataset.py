"""Which frames a dataset shows, known from the numbers that they carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numbered_films import BYTES, RATE, SIDE, clips, labelled, numbered, shown, tone

from scenewise.data.clip_dataset import ClipDataset, TextDataset
from scenewise.data.example import Place
from scenewise.data.rows import CaptionRow, LabelRow, MomentRow, QuestionRow
from scenewise.data.settings import AugmentSettings
from scenewise.data.text_tokens import FileTokens, write_word_tokenizer
from scenewise.errors import DataError, UsageError
from scenewise.media.decode import VideoReader
from scenewise.media.sampling import uniform
from scenewise.media.target import Target
from scenewise.types import Segment

Films = dict[str, Path]


def frames_at(times: Any) -> list[int]:
    """The number of the frame that is shown at each instant of an even film."""
    return [int(time * RATE + 1e-4) for time in times]


@pytest.mark.parametrize(
    ("span", "options", "expected"),
    [
        # 50 frames in 5 s: middles at 0.625, 1.875, 3.125, 4.375
        pytest.param(None, {}, [6, 18, 31, 43], id="segments"),
        pytest.param(Segment(2.0, 4.0), {}, [22, 27, 32, 37], id="segments of a span"),
        pytest.param(Segment(4.2, 99.0), {}, [43, 45, 47, 49], id="a span past the end"),
        # two of the four seconds: 2.25 to 3.75 in steps of a half
        pytest.param(
            Segment(1.0, 5.0), {"sampling": "dense"}, [22, 27, 32, 37], id="dense in the middle"
        ),
        pytest.param(
            Segment(3.0, 4.0), {"sampling": "rate", "fps": 3.0}, [30, 33, 36, 30], id="rate repeats"
        ),
    ],
)
def test_frames_in_testing(
    films: Films, span: Segment | None, options: dict[str, Any], expected: list[int]
) -> None:
    dataset = clips([LabelRow("a", ("thing",), span)], films, **options)
    example = dataset[0]
    assert shown(example.clip) == expected
    assert example.times is not None
    assert frames_at(example.times.tolist()) == expected


@pytest.mark.parametrize("sampling", ["segments", "dense"])
@pytest.mark.parametrize("span", [None, Segment(2.5, 4.9)])
def test_frames_in_training_are_those_of_their_times(
    films: Films, sampling: str, span: Segment | None
) -> None:
    dataset = clips([LabelRow("a", ("thing",), span)], films, train=True, sampling=sampling, seed=4)
    seen = set()
    for epoch in range(5):
        example = dataset[Place(epoch, 0)]
        assert example.times is not None
        assert shown(example.clip) == frames_at(example.times.double().tolist())
        seen.add(tuple(shown(example.clip)))
    assert len(seen) > 1
    low, high = (0, 49) if span is None else (25, 48)
    assert all(low <= number <= high for numbers in seen for number in numbers)


def test_chance_is_of_seed_epoch_and_row_alone(films: Films) -> None:
    augment = AugmentSettings(crop="resized", flip=0.5, brightness=0.4, erase=0.5)
    rows = labelled("a", "b", "a")

    def clip(number: int, epoch: int, seed: int = 0) -> torch.Tensor:
        found = clips(rows, films, train=True, augment=augment, seed=seed)[
            Place(epoch, number)
        ].clip
        assert found is not None
        return found

    assert torch.equal(clip(1, 3), clip(1, 3))
    others = [clip(0, 3), clip(2, 3), clip(1, 4), clip(1, 3, seed=1)]
    assert not any(torch.equal(clip(1, 3), other) for other in others)


def test_a_film_of_variable_frame_rate(tmp_path: Path) -> None:
    times = np.cumsum([0.0, *np.tile([0.05, 0.4, 0.1], 10)]).tolist()
    film = numbered(tmp_path / "v.mp4", len(times), times=times)
    example = clips(labelled("v"), {"v": film}, frames=6)[0]
    assert example.times is not None
    expected = [
        int(np.searchsorted(times, time + 1e-4, side="right")) - 1
        for time in example.times.double().tolist()
    ]
    assert shown(example.clip) == expected


@pytest.mark.parametrize("short", ["loop", "pad"])
def test_a_video_with_too_few_frames(films: Films, short: str) -> None:
    example = clips(labelled("short"), films, sampling="dense", short=short, frames=20)[0]
    assert example.clip is not None
    assert example.clip_mask is not None
    # 0.3 s, in steps of 0.1 from 0.05 on: each of its frames once
    if short == "loop":
        assert shown(example.clip) == [number % 3 for number in range(20)]
        assert bool(example.clip_mask.all())
    else:
        assert shown(example.clip[:3]) == [0, 1, 2]
        assert example.clip_mask.tolist() == [True] * 3 + [False] * 17
        assert not bool(example.clip[3:].any())


def test_testing_sees_what_the_encoders_see(tmp_path: Path) -> None:
    film = numbered(tmp_path / "wide.mp4", 20, width=150)
    for shortest in (None, 120):
        pixels = replace(BYTES, target=Target(SIDE, SIDE, "crop", shortest, "bicubic"))
        example = clips(labelled("w"), {"w": film}, pixels=pixels)[0]
        assert example.clip is not None
        with VideoReader(film) as reader:
            frames = reader.read(uniform(reader.duration, 4), pixels.target)
            expected = np.stack([frame.image for frame in frames])
        ours = example.clip.permute(0, 2, 3, 1).round().to(torch.uint8).numpy()
        assert np.array_equal(ours, expected)


def test_views_and_crops_are_rows_of_one_video(tmp_path: Path, films: Films) -> None:
    film = numbered(tmp_path / "wide.mp4", 50, width=2 * SIDE)
    dataset = clips(labelled("a", "w"), {**films, "w": film}, sampling="dense", views=2, crops=3)
    assert len(dataset) == 12
    examples = [dataset[number] for number in range(12)]
    assert [one.row for one in examples] == [0] * 6 + [1] * 6
    assert [one.view for one in examples] == list(range(6)) * 2
    # two windows of 2 s at both ends, three crops of each
    assert [shown(one.clip) for one in examples[:6]] == [[2, 7, 12, 17]] * 3 + [
        [32, 37, 42, 47]
    ] * 3
    left, centre, right = (one.clip for one in examples[6:9])
    assert left is not None
    assert centre is not None
    assert right is not None
    half = SIDE // 2
    assert torch.equal(left[..., half:], centre[..., :half])
    assert torch.equal(centre[..., half:], right[..., :half])


# what cannot be read


def test_a_broken_file_is_named(films: Films) -> None:
    with pytest.raises(DataError, match=r"row 1 \(broken\): .*broken.mp4") as caught:
        clips(labelled("a", "broken"), films, train=True)[1]
    assert "broken = 'replace'" in str(caught.value)


def test_a_broken_file_is_replaced_by_the_same_row_each_time(films: Films) -> None:
    rows = labelled("a", "broken", "b", "short")
    dataset = clips(rows, films, train=True, broken="replace")
    again = clips(rows, films, train=True, broken="replace")
    taken = set()
    for epoch in range(12):
        example = dataset[Place(epoch, 1)]
        assert example.row == again[Place(epoch, 1)].row != 1
        assert all("broken.mp4" in note for note in example.notes)
        assert example.notes
        taken.add(example.row)
    assert len(taken) > 1
    assert dataset[Place(0, 0)].notes == ()


def test_in_testing_nothing_is_replaced(films: Films) -> None:
    dataset = clips(labelled("broken", "a"), films, broken="replace")
    left_out = dataset.try_example(0)
    assert not left_out.readable
    assert "broken.mp4" in left_out.notes[0]
    with pytest.raises(DataError, match="row 0"):
        dataset[0]
    assert dataset.try_example(1).readable


def test_only_broken_files_are_an_error_at_last(films: Films) -> None:
    with pytest.raises(DataError, match="11 rows in turn"):
        clips(labelled("broken"), films, train=True, broken="replace")[0]


def test_a_span_after_the_end_is_named(films: Films) -> None:
    row = LabelRow("a", ("thing",), Segment(7.0, 9.0))
    with pytest.raises(DataError, match=r"row 0 \(a\): .*7 to 9 s begins after"):
        clips([row], films)[0]


def test_what_is_wrong_before_any_video_is_opened(films: Films) -> None:
    with pytest.raises(DataError, match="No file is known for the video 'c'"):
        clips(labelled("c"), films)
    with pytest.raises(DataError, match="has no row"):
        clips([], films)
    with pytest.raises(UsageError, match="tempo stretches steps"):
        clips(labelled("a"), films, train=True, augment=AugmentSettings(tempo=1.5))
    with pytest.raises(UsageError, match="size is 64"):
        clips(labelled("a"), films, size=64)
    with pytest.raises(DataError, match="'cat' is none of the 1 classes"):
        clips([LabelRow("a", ("cat",))], films)[0]


# sound


def test_sound_is_always_as_long_and_said_to_be_absent(films: Films) -> None:
    dataset = clips(
        [LabelRow("heard", ("thing",), Segment(4.5, 5.0)), *labelled("a")],
        films,
        sound_rate=8000,
        sound_seconds=0.75,
    )
    heard, silent = dataset[0], dataset[1]
    assert heard.sound is not None
    assert silent.sound is not None
    assert heard.sound.shape == silent.sound.shape == (6000,)
    assert (heard.has_sound, silent.has_sound) == (True, False)
    # half a second of the span is there; a hum of amplitude 0.25
    assert float(heard.sound[500:3500].square().mean().sqrt()) == pytest.approx(0.177, abs=0.01)
    assert not bool(heard.sound[4000:].any())
    assert not bool(silent.sound.any())


def test_sound_alone_is_the_sound_that_comes_with_pictures(films: Films) -> None:
    rows = [LabelRow("heard", ("thing",), Segment(1.0, 3.0)), *labelled("a")]
    with_pictures = clips(rows, films, sound_rate=8000, sound_seconds=0.75)
    alone = ClipDataset(rows, films, replace(with_pictures.recipe, pixels=None))
    for number in range(2):
        both, heard = with_pictures[number], alone[number]
        assert heard.clip is None
        assert heard.sound is not None
        assert both.sound is not None
        assert torch.equal(heard.sound, both.sound)
        assert (heard.has_sound, heard.duration) == (both.has_sound, both.duration)
    with pytest.raises(UsageError, match="set sound_rate"):
        replace(clips(rows, films).recipe, pixels=None)


def test_sound_that_begins_late_is_silent_before(tmp_path: Path) -> None:
    samples = np.zeros((1, 32_000), np.float32)
    samples[:, 16_000:] = tone(1.0).samples
    film = numbered(tmp_path / "late.mp4", 20, sound=replace(tone(1.0), samples=samples))
    dataset = clips(labelled("l"), {"l": film}, sound_rate=16_000, sound_seconds=2.0)
    sound = dataset[0].sound
    assert sound is not None
    assert float(sound[:15_000].abs().max()) < 0.01
    assert float(sound[17_000:30_000].abs().max()) > 0.2
    # a second from the middle of the two: half of it is silent
    middle = clips(labelled("l"), {"l": film}, sound_rate=16_000, sound_seconds=1.0)[0].sound
    assert middle is not None
    assert float(middle[:7_000].abs().max()) < 0.01
    assert float(middle[9_000:15_000].abs().max()) > 0.2


# rows of every kind


@pytest.fixture
def words(tmp_path: Path) -> FileTokens:
    texts = ["a red ball", "a blue box", "what is it", "ball", "box"]
    return FileTokens(write_word_tokenizer(tmp_path / "t.json", texts), length=6)


def test_captions_are_drawn_in_training_and_first_in_testing(
    films: Films, words: FileTokens
) -> None:
    rows = [CaptionRow("a", ("a red ball", "a blue box"))]
    train = clips(rows, films, train=True, tokenize=words)
    drawn = [train[Place(epoch, 0)].learnt.ids for epoch in range(12)]
    known = [words([text])[0][0] for text in rows[0].captions]
    found = {
        next(n for n, ids in enumerate(known) if torch.equal(ids, got))
        for got in drawn
        if got is not None
    }
    assert found == {0, 1}
    first = clips(rows, films, tokenize=words)[0].learnt
    assert first.ids is not None
    assert first.text_mask is not None
    assert torch.equal(first.ids, known[0])
    assert first.text_mask.tolist() == [True] * 3 + [False] * 3


def test_an_evaluation_reads_all_captions(words: FileTokens) -> None:
    rows = [CaptionRow("a", ("ball", "box")), CaptionRow("b", ("red",))]
    texts = TextDataset(rows, words)
    assert [texts[number].row for number in range(len(texts))] == [0, 0, 1]


def test_moments_and_questions(films: Films, words: FileTokens) -> None:
    moment = MomentRow(
        "a",
        "a red ball",
        (Segment(1, 2), Segment(3, 4.5)),
        5.0,
        saliency={1: (4, 2, 3)},
        clip_seconds=1.0,
    )
    example = clips([moment], films, tokenize=words)[0]
    assert example.learnt.spans is not None
    assert example.learnt.spans.tolist() == [[1, 2], [3, 4.5]]
    assert example.duration == pytest.approx(5.0)
    assert example.learnt.saliency is not None
    assert example.learnt.saliency.isnan().tolist() == [True, False, True, True, True]
    assert float(example.learnt.saliency[1]) == 3
    choice = QuestionRow("a", "what is it", ("box",), ("ball", "box"))
    learnt = clips([choice], films, tokenize=words)[0].learnt
    assert learnt.target is not None
    assert learnt.choices is not None
    assert int(learnt.target) == 1
    assert learnt.choices.shape == (2, 6)
    said = QuestionRow("a", "what is it", ("box", "ball", "ball"))
    found = clips([said], films, tokenize=words, classes=("box", "ball"))[0].learnt.target
    withheld = clips([QuestionRow("a", "what is it")], films, classes=("box",))[0].learnt.target
    assert found is not None
    assert withheld is not None
    assert (int(found), int(withheld)) == (1, -100)


def test_several_labels_become_shares(films: Films) -> None:
    rows = [LabelRow("a", ("x", "z")), LabelRow("b", ("y",)), LabelRow("b", ())]
    dataset = clips(rows, films, classes=("x", "y", "z"))
    targets = [dataset[number].learnt.target for number in range(3)]
    assert [t.tolist() for t in targets if t is not None] == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_a_class_with_a_direction_keeps_it(films: Films) -> None:
    augment = AugmentSettings(flip=1.0, keep_direction=("*LEFT*",))
    for label, same in (("turn left", True), ("jump", False)):
        dataset = clips(
            [LabelRow("a", (label,))],
            films,
            train=True,
            augment=augment,
            sampling="uniform",
            classes=(label,),
        )
        plain = clips([LabelRow("a", (label,))], films, sampling="uniform", classes=(label,))
        ours, theirs = dataset[0].clip, plain[0].clip
        assert ours is not None
        assert theirs is not None
        assert torch.equal(ours if same else ours.flip(-1), theirs)


@pytest.mark.shared
def test_odd_and_broken_files_give_a_clip_or_one_sentence(shared_dir: Path) -> None:
    folder = shared_dir / "media" / "format"
    videos = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    dataset = clips(labelled(*videos), videos, broken="replace", sound_rate=8000)
    readable = 0
    for number, row in enumerate(dataset.rows):
        example = dataset.try_example(number)
        readable += example.readable
        if example.readable:
            assert example.clip is not None
            assert example.clip.shape == (4, 3, SIDE, SIDE)
        else:
            assert example.notes[0].startswith(f"row {number} ({row.video}): ")
    assert readable > len(videos) / 2
