"""From the name of an encoder to the encoder.

It knows which names there are and which module answers to them; it imports that module only when
it is asked for. A family is a class with ``load``, ``prepare`` and ``describe`` (``Family``).

    "concept"          the embedded default: scenewise.encoders.concept
    a folder           a checkpoint in Hugging Face layout: scenewise.encoders.clip
                       or in our own format: scenewise.encoders.network
    "owner/name"       the former from the hub, which the user names and so allows
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol, cast

from scenewise.config import expand_user
from scenewise.encoders.hub import is_hub_name
from scenewise.encoders.network_folder import is_network_folder
from scenewise.encoders.spec import Encoder, EncoderSpec, Report
from scenewise.errors import UnknownEncoderError

CONCEPT = "concept"
FAMILIES = {  # "module:class", imported when asked for
    CONCEPT: "scenewise.encoders.concept:ConceptEncoder",
    "clip": "scenewise.encoders.clip:ClipEncoder",
    "network": "scenewise.encoders.network:NetworkEncoder",
}


class Family(Protocol):
    """What a class must offer to be reached from here; ``name`` is what the user typed."""

    @classmethod
    def load(
        cls,
        name: str,
        *,
        runtime: str,
        device: str,
        threads: int,
        cache_dir: Path,
        progress: Report | None,
    ) -> Encoder:
        """The encoder, prepared first where it is not; networks may load later."""
        ...

    @classmethod
    def prepare(
        cls,
        name: str,
        *,
        runtime: str,
        device: str,
        cache_dir: Path,
        progress: Report | None,
    ) -> EncoderSpec:
        """Export what is missing or damaged, and check all of it."""
        ...

    @classmethod
    def describe(cls, name: str, *, runtime: str, cache_dir: Path) -> EncoderSpec:
        """The spec, at once: no session, no weights, no download."""
        ...

    @classmethod
    def is_prepared(cls, name: str, *, runtime: str, cache_dir: Path) -> bool:
        """Whether ``load`` would find everything in the cache."""
        ...


def load_encoder(
    name: str,
    *,
    runtime: str = "onnxruntime",
    device: str = "auto",
    threads: int = 1,
    cache_dir: Path | None = None,
    progress: Report | None = None,
) -> Encoder:
    """The encoder of this name, prepared first where it is not (``progress`` says so).

    ``cache_dir`` None is the cache folder of the settings. Raises UnknownEncoderError, and
    EncoderError where it cannot be prepared or loaded.
    """
    return _family(name).load(
        name,
        runtime=runtime,
        device=device,
        threads=threads,
        cache_dir=_cache_dir(cache_dir),
        progress=progress,
    )


def prepare(
    name: str,
    *,
    runtime: str = "onnxruntime",
    device: str = "auto",
    cache_dir: Path | None = None,
    progress: Report | None = None,
) -> EncoderSpec:
    """Export and check what this encoder needs, so that later calls start at once."""
    return _family(name).prepare(
        name, runtime=runtime, device=device, cache_dir=_cache_dir(cache_dir), progress=progress
    )


def describe(
    name: str, *, runtime: str = "onnxruntime", cache_dir: Path | None = None
) -> EncoderSpec:
    """What this encoder is, without loading a network or fetching anything."""
    return _family(name).describe(name, runtime=runtime, cache_dir=_cache_dir(cache_dir))


def is_prepared(name: str, *, runtime: str = "onnxruntime", cache_dir: Path | None = None) -> bool:
    """Whether this encoder can be loaded without preparing, exporting or fetching anything."""
    return _family(name).is_prepared(name, runtime=runtime, cache_dir=_cache_dir(cache_dir))


def _family(name: str) -> type[Family]:
    if name == CONCEPT:
        place = FAMILIES[CONCEPT]
    elif name and is_network_folder(expand_user(name)):
        place = FAMILIES["network"]
    elif (name and expand_user(name).is_dir()) or is_hub_name(name):
        place = FAMILIES["clip"]
    else:
        raise UnknownEncoderError(
            f"The encoder {name!r} is unknown; allowed: {CONCEPT}, a folder with a checkpoint in "
            "Hugging Face layout or of scenewise models convert, or a hub name such as "
            "google/siglip2-base-patch16-224."
        )
    module, _, attribute = place.partition(":")
    return cast(type[Family], getattr(importlib.import_module(module), attribute))


def _cache_dir(cache_dir: Path | None) -> Path:
    if cache_dir is not None:
        return cache_dir
    from scenewise.config import load_settings

    return load_settings().cache
