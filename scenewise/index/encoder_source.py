"""Where a library gets its encoder from, and whether it is the one that its vectors came from.

It knows names, specs and settings; how a network is loaded, ``encoders`` knows.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scenewise.config import Settings, expand_user
from scenewise.encoders.spec import Encoder, EncoderSpec
from scenewise.errors import EncoderMismatchError
from scenewise.index.calibration import Calibrator
from scenewise.index.catalog import Generation
from scenewise.index.worker import EncoderFactory

if TYPE_CHECKING:  # who searches needs none
    from scenewise.encoders.video_classifier import VideoClassifier

logger = logging.getLogger(__name__)


class EncoderLoader(Protocol):
    """Makes an encoder from its name: ``load_encoder``, or your own function for your network.

    Worker processes import it, so it has to be a function of a module.
    """

    def __call__(
        self,
        name: str,
        *,
        runtime: str,
        device: str,
        threads: int,
        cache_dir: Path | None,
        progress: Callable[[str], None] | None = None,
    ) -> Encoder:
        """The encoder of this name; UnknownEncoderError where there is none."""
        ...


class EncoderSource:
    """Loads the encoder when it is first needed, and keeps the last one."""

    def __init__(self, settings: Settings, load: EncoderLoader) -> None:
        self._settings = settings
        self._load = load
        self._loaded: tuple[str, str, Encoder] | None = None
        self._calibrated: tuple[Encoder, Calibrator] | None = None
        self._guard = threading.RLock()

    def get(self, name: str, runtime: str) -> Encoder:
        """The encoder of this name, prepared first where it is not."""
        with self._guard:
            if self._loaded is not None and self._loaded[:2] == (name, runtime):
                return self._loaded[2]
            encoder = self._load(
                name,
                runtime=runtime,
                device=self._settings.device,
                threads=self.threads,
                cache_dir=self._settings.cache,
                progress=logger.info,
            )
            self.close()
            self._loaded = (name, runtime, encoder)
            return encoder

    def of(self, generation: Generation) -> Encoder:
        """The encoder that a generation was filled with.

        Raises EncoderMismatchError where what has this name today gives other vectors.
        """
        spec = generation.spec
        encoder = self.get(spec.name, spec.runtime)
        if encoder.spec.digest() != spec.digest():
            raise EncoderMismatchError(
                f"the library was filled by the encoder {_identity(spec)}, and here that name "
                f"is {_identity(encoder.spec)}; go over to it with "
                f"scenewise reindex --encoder {spec.name}."
            )
        return encoder

    def calibrator(self, encoder: Encoder) -> Calibrator:
        """What turns this encoder's scores into ``match``; made once."""
        with self._guard:
            if self._calibrated is None or self._calibrated[0] is not encoder:
                self._calibrated = (encoder, Calibrator(encoder))
            return self._calibrated[1]

    def video_classifier(self, name: str) -> VideoClassifier:
        """A network that classifies clips, prepared first where it is not."""
        from scenewise.encoders.video_classifier import load_video_classifier

        return load_video_classifier(
            name,
            runtime=self._settings.runtime,
            device=self._settings.device,
            threads=self.threads,
            cache_dir=self._settings.cache,
            progress=logger.info,
        )

    def factory(self, spec: EncoderSpec) -> EncoderFactory:
        """What a worker process calls to have the same encoder, with threads of its own."""
        return partial(
            self._load,
            spec.name,
            runtime=spec.runtime,
            device=self._settings.device,
            threads=self.threads,
            cache_dir=self._settings.cache,
        )

    @property
    def cache(self) -> Path:
        """The folder of prepared networks."""
        return self._settings.cache

    @property
    def threads(self) -> int:
        """Of each network."""
        return self._settings.threads or 1  # one video per worker is what uses the cores

    def close(self) -> None:
        """Release the encoder that is loaded."""
        with self._guard:
            if self._loaded is not None:
                self._loaded[2].close()
                self._loaded = self._calibrated = None


def check_name(wanted: str, generation: Generation) -> None:
    """Raise EncoderMismatchError where a library belongs to an encoder of another name."""
    name = generation.spec.name
    folder = expand_user(wanted)
    same_folder = folder.is_dir() and os.path.realpath(folder) == os.path.realpath(name)
    if wanted != name and not same_folder:
        raise EncoderMismatchError(
            f"this library belongs to the encoder {name}, not to {wanted}; open it without "
            f"naming an encoder, name another library, or run scenewise reindex --encoder {wanted}."
        )


def _identity(spec: EncoderSpec) -> str:
    return f"{spec.name} ({spec.runtime}, {spec.precision}, revision {spec.revision[:12]})"
