"""From the name of an audio encoder to the encoder.

There is one family, CLAP: a folder with a checkpoint in Hugging Face layout, or a name of the hub.
No audio encoder is embedded, and none is downloaded unless the user names it.
"""

from __future__ import annotations

from pathlib import Path

from scenewise.encoders.audio import AudioEncoder, AudioSpec
from scenewise.encoders.clap import ClapEncoder
from scenewise.encoders.hub import model_type
from scenewise.encoders.spec import Report
from scenewise.errors import EncoderError


def load_audio_encoder(
    name: str,
    *,
    runtime: str = "onnxruntime",
    device: str = "auto",
    threads: int = 1,
    cache_dir: Path | None = None,
    progress: Report | None = None,
) -> AudioEncoder:
    """The audio encoder of a folder or hub name, prepared first where it is not.

    ``cache_dir`` None is the cache folder of the settings. Raises UnknownEncoderError for a name
    that is neither, EncoderError where it cannot be prepared or loaded.
    """
    return ClapEncoder.load(
        name,
        runtime=runtime,
        device=device,
        threads=threads,
        cache_dir=_cache_dir(cache_dir),
        progress=progress,
    )


def describe_audio_encoder(name: str, *, cache_dir: Path | None = None) -> AudioSpec:
    """What this audio encoder is, without loading a network or fetching anything."""
    return ClapEncoder.describe(name, cache_dir=_cache_dir(cache_dir))


def is_audio_encoder(name: str, *, cache_dir: Path | None = None, fetch: bool = False) -> bool:
    """Whether this folder or hub name is an audio encoder, as far as this machine knows.

    ``fetch`` asks the hub for the settings of a name that is not here.
    """
    if is_audio_prepared(name, cache_dir=cache_dir):
        return True
    try:
        return model_type(name, local_files_only=not fetch) == "clap"
    except EncoderError:
        return False  # whoever loads it says what is wrong with it


def is_audio_prepared(name: str, *, cache_dir: Path | None = None) -> bool:
    """Whether this audio encoder can be loaded without exporting or fetching anything."""
    try:
        return ClapEncoder.is_prepared(name, cache_dir=_cache_dir(cache_dir))
    except EncoderError:
        return False  # the folder is no longer whole


def _cache_dir(cache_dir: Path | None) -> Path:
    if cache_dir is not None:
        return cache_dir
    from scenewise.config import load_settings

    return load_settings().cache
