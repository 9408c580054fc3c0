"""Which tracks a library goes on with, and what is refused before anything is decoded."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenewise.errors import UsageError
from scenewise.index.track_plan import TrackPlan, TrackWish

BOTH = TrackPlan(ocr_fps=1.0, speech_model="some/model", speech_language="de")


@pytest.mark.parametrize(
    ("plan", "wish", "wanted"),
    [
        (TrackPlan(), TrackWish(), TrackPlan()),
        (BOTH, TrackWish(), BOTH),
        (TrackPlan(), TrackWish.of("ocr"), TrackPlan(ocr_fps=2.0)),
        (TrackPlan(), TrackWish.of(" OCR, speech", "a/b"),
         TrackPlan(ocr_fps=2.0, speech_model="a/b")),
        (TrackPlan(), TrackWish.of(["speech"], "a/b", "en"),
         TrackPlan(speech_model="a/b", speech_language="en")),
        # what is not named is turned off
        (BOTH, TrackWish.of("ocr"), TrackPlan(ocr_fps=1.0)),
        (BOTH, TrackWish.of("speech"), TrackPlan(speech_model="some/model", speech_language="de")),
        (BOTH, TrackWish.of("none"), TrackPlan()),
        (BOTH, TrackWish.of(()), TrackPlan()),
        # another model, the rest as it was
        (BOTH, TrackWish.of(None, "c/d"),
         TrackPlan(ocr_fps=1.0, speech_model="c/d", speech_language="de")),
        (TrackPlan(audio_encoder="x"), TrackWish.of("ocr"),
         TrackPlan(ocr_fps=2.0, audio_encoder="x")),
        (TrackPlan(audio_encoder="x"), TrackWish.of(None, None, None, "none"), TrackPlan()),
    ],
)  # fmt: skip
def test_a_wish_changes_what_it_names(plan: TrackPlan, wish: TrackWish, wanted: TrackPlan) -> None:
    assert wish.applied_to(plan, 2.0) == wanted
    assert TrackPlan.from_setting(wanted.to_setting()) == wanted


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (TrackWish.of("speech"), "none comes with scenewise: name one with --speech-model"),
        (TrackWish.of("pictures"), "'pictures' is not allowed; give ocr, speech"),
        (TrackWish.of("ocr,none"), "'ocr,none' is not allowed"),
        (TrackWish.of("subtitle"), "not allowed"),
        (TrackWish.of(None, "a/b"), "add --text speech"),
        (TrackWish.of("ocr", None, "en"), "add --text speech"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(wish: TrackWish, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        wish.applied_to(TrackPlan(), 2.0)


def test_a_models_folder_is_kept_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whisper").mkdir()
    monkeypatch.chdir(tmp_path)
    assert TrackWish.of("speech", "whisper").speech_model == str((tmp_path / "whisper").resolve())
    assert TrackWish.of("speech", "org/name").speech_model == "org/name"


def test_each_track_says_what_makes_it(tmp_path: Path) -> None:
    sidecar = tmp_path / "film.srt"
    sidecar.write_text("words")
    specs = TrackPlan(ocr_fps=2.0, speech_model="a/b").specs([sidecar])
    assert list(specs) == ["subtitle", "sound", "ocr", "speech"]
    assert "film.srt 5 " in specs["subtitle"]
    assert "a/b" in specs["speech"]
    assert specs["ocr"] != TrackPlan(ocr_fps=1.0).specs([])["ocr"]
    assert set(TrackPlan.subtitles_only().specs([])) == {"subtitle"}


def test_a_library_without_the_setting_has_the_default() -> None:
    assert TrackPlan.from_setting(None) == TrackPlan()
