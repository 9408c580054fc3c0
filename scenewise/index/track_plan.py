"""Which tracks of text and sound are wanted of every video, and what each is made by.

It is pure data: a library keeps it as a setting, and it travels to worker processes. It loads no
model and opens no video.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self, get_args

from scenewise.config import expand_user
from scenewise.encoders.spec import Report
from scenewise.errors import UsageError
from scenewise.index.records import TextKind, TrackKind
from scenewise.media.sidecars import sidecar_stamp

SETTING = "tracks"  # the key under which a library keeps its plan
SUBTITLES_SPEC = "subtitles 1"
OFF = "none"
READABLE: tuple[TextKind, ...] = ("ocr", "speech")  # what is read on request; subtitles always are


@dataclass(frozen=True, slots=True)
class TrackPlan:
    """What is taken from a video beside its pictures. None: not wanted."""

    sound: bool = True
    ocr_fps: float | None = None  # frames per second that are looked at for text
    speech_model: str | None = None  # a folder or a hub name
    speech_language: str | None = None  # such as "en"; None: the model tells
    audio_encoder: str | None = None  # a folder or a hub name
    # where prepared networks lie, for this run; None: as the settings say
    cache: Path | None = field(default=None, compare=False)

    @classmethod
    def subtitles_only(cls) -> Self:
        """What a second look at known videos reads again."""
        return cls(sound=False)

    @property
    def text(self) -> tuple[TextKind, ...]:
        """What is read beside subtitles."""
        wanted = {"ocr": self.ocr_fps is not None, "speech": self.speech_model is not None}
        return tuple(kind for kind in READABLE if wanted[kind])

    def specs(self, sidecars: Sequence[Path]) -> dict[TrackKind, str]:
        """What makes each wanted track of a video that has these text files beside it.

        A track with another spec is made again: after an upgrade of what reads it, another model,
        or an edited subtitle file. Raises as ``programs`` does.
        """
        return {"subtitle": subtitle_spec(sidecars), **self.programs()}

    def programs(self) -> dict[TrackKind, str]:
        """What makes the tracks that depend on no other file, the cheap ones first.

        Loads nothing, and so tells before anything is decoded what cannot be made here: raises
        MissingExtraError for a package that is not installed, UsageError for a folder without a
        model, EncoderError for an audio encoder that is none or not on this machine.
        """
        specs: dict[TrackKind, str] = {}
        if self.sound:
            from scenewise.media.sounds import SOUND_SPEC

            specs["sound"] = SOUND_SPEC
        if self.ocr_fps is not None:
            from scenewise.media.ocr import ocr_spec

            specs["ocr"] = f"{ocr_spec()}, fps {self.ocr_fps:g}"
        if self.speech_model is not None:
            from scenewise.media.speech import speech_spec

            specs["speech"] = speech_spec(self.speech_model, self.speech_language)
        if self.audio_encoder is not None:
            from scenewise.encoders.load_audio import describe_audio_encoder

            described = describe_audio_encoder(self.audio_encoder, cache_dir=self.cache)
            specs["audio"] = f"clap {described.digest()}"
        return specs

    def prepare(self, report: Report | None = None) -> None:
        """Export and fetch what the plan names, once, before workers ask for it at the same time.

        Raises UnknownEncoderError, EncoderError.
        """
        if self.audio_encoder is not None:
            from scenewise.encoders.load_audio import load_audio_encoder

            load_audio_encoder(self.audio_encoder, cache_dir=self.cache, progress=report).close()

    def to_setting(self) -> str:
        """As a library keeps it."""
        shape = asdict(self)
        del shape["cache"]
        return json.dumps(shape, sort_keys=True)

    @classmethod
    def from_setting(cls, text: str | None) -> Self:
        """The inverse of ``to_setting``; of a library that has no such setting, the default."""
        return cls() if text is None else cls(**json.loads(text))


def subtitle_spec(sidecars: Sequence[Path]) -> str:
    """What subtitles are made from: names, sizes and dates of the files beside a video."""
    stamps = sorted({stamp for path in sidecars if (stamp := sidecar_stamp(path))})
    return "; ".join([SUBTITLES_SPEC, *stamps])


@dataclass(frozen=True, slots=True)
class TrackWish:
    """What a person asks for at one run. None leaves what the library has."""

    text: tuple[str, ...] | None = None  # ocr, speech; none or () turns both off
    speech_model: str | None = None
    speech_language: str | None = None
    audio_encoder: str | None = None  # "none" turns it off

    @classmethod
    def of(
        cls,
        text: str | Sequence[str] | None,
        speech_model: str | Path | None = None,
        speech_language: str | None = None,
        audio_encoder: str | Path | None = None,
    ) -> Self:
        """From what ``Library.index`` takes; ``text`` may be one string with commas."""
        names = text.split(",") if isinstance(text, str) else text
        return cls(
            None if names is None else tuple(name.strip().lower() for name in names),
            None if speech_model is None else _place_or_name(speech_model),
            speech_language,
            None if audio_encoder is None else _place_or_name(audio_encoder),
        )

    def applied_to(self, plan: TrackPlan, fps: float) -> TrackPlan:
        """The library's plan from now on; ``fps`` is how often pictures are looked at for text.

        Raises UsageError where the wishes do not fit together.
        """
        wanted = set(plan.text) if self.text is None else self._kinds()
        model = self.speech_model or plan.speech_model
        if "speech" in wanted and model is None:
            raise UsageError(
                "speech is written down by a Whisper model, and none comes with scenewise: name "
                "one with --speech-model, a folder in faster-whisper's layout or a hub name such "
                "as Systran/faster-whisper-small."
            )
        if "speech" not in wanted and (self.speech_model or self.speech_language):
            raise UsageError(
                "a speech model or language is of no use where speech is not read; "
                "add --text speech."
            )
        if self.audio_encoder is not None:
            encoder = None if self.audio_encoder == OFF else self.audio_encoder
            plan = replace(plan, audio_encoder=encoder)
        return replace(
            plan,
            # the rate stays as it was begun, whatever happens to the windows of the pictures
            ocr_fps=(plan.ocr_fps or fps) if "ocr" in wanted else None,
            speech_model=model if "speech" in wanted else None,
            speech_language=(self.speech_language or plan.speech_language)
            if "speech" in wanted
            else None,
        )

    def _kinds(self) -> set[str]:
        names = set(self.text or ()) - {""}
        allowed = {*READABLE, OFF}
        if not names <= allowed or (OFF in names and len(names) > 1):
            raise UsageError(
                f"text = {','.join(self.text or ())!r} is not allowed; give ocr, speech, both with "
                f"a comma, or {OFF}."
            )
        return names & set(get_args(TextKind))


def _place_or_name(model: str | Path) -> str:
    """A folder by its whole path, since the next run may start elsewhere; else a hub name."""
    folder = expand_user(model)
    return str(folder.resolve()) if folder.is_dir() else str(model)
