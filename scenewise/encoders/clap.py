"""CLAP checkpoints in Hugging Face layout as audio encoders: sound and words in one space.

It knows how a checkpoint is prepared (two ONNX files, a tokenizer, a description in the cache,
under a key made of the content of its files) and how it embeds. It knows no video files and no
index. Once prepared, neither torch nor transformers nor the network is used.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenewise.encoders.audio import AudioQuery, AudioSpec, Samples
from scenewise.encoders.cache import cached_folder, find_folder
from scenewise.encoders.clap_features import ClapConfig, log_mel_window, read_clap_config
from scenewise.encoders.hub import Checkpoint, canonical_name
from scenewise.encoders.huggingface_config import read_licence
from scenewise.encoders.identity import Identity, look_at, remembered, short_hash
from scenewise.encoders.runtimes import Session, batches, open_session
from scenewise.encoders.spec import FloatArray, Report
from scenewise.encoders.tokens import TOKENIZER, TextTokens
from scenewise.errors import EncoderError, UsageError

AUDIO_SIDE = "audio.onnx"
TEXT_SIDE = "text.onnx"
DESCRIPTION = "encoder.json"
EXAMPLE = "laion/clap-htsat-unfused"  # a hub name of this family, for messages
# raised by hand when our code would give other vectors for the same checkpoint
AUDIO_CODE_VERSION = 1
TEXT_CODE_VERSION = 1
_WINDOW_BYTES = 60 * 2**20  # of one window's intermediate results in the published sizes
_PROBES = ("a dog barks", "rain falls on a roof")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A folder of the cache, and what its description says."""

    folder: Path
    spec: AudioSpec
    config: ClapConfig


class ClapEncoder:
    """A prepared checkpoint. Sound side, text side and tokenizer load when first used."""

    def __init__(self, prepared: Prepared, *, runtime: str, device: str, threads: int) -> None:
        self.spec = prepared.spec
        self._prepared = prepared
        self._runtime, self._device, self._threads = runtime, device, threads
        self._audio_side: Session | None = None
        self._text_side: Session | None = None
        self._tokens: TextTokens | None = None

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
    ) -> ClapEncoder:
        """The encoder of a folder or hub name, prepared first where it is not.

        Raises UnknownEncoderError, and EncoderError where the checkpoint cannot be used.
        """
        if runtime == "torch":
            raise UsageError(
                "an audio encoder does not run by the runtime torch; allowed: onnxruntime, "
                "openvino."
            )
        prepared = prepared_clap(name, cache_dir=cache_dir, progress=progress)
        return cls(prepared, runtime=runtime, device=device, threads=threads)

    @classmethod
    def describe(cls, name: str, *, cache_dir: Path) -> AudioSpec:
        """The spec, from the cache or from the checkpoint's own files; downloads nothing."""
        name = canonical_name(name)
        root = cache_dir / "clap"
        identity = remembered(root, name)
        if identity is not None and (found := find_folder(root, _key(identity))) is not None:
            return _read(found, name).spec
        looked = look_at(root, name, read_clap_config, None, local_files_only=True, example=EXAMPLE)
        config = read_clap_config(looked.checkpoint.folder)
        return _spec(name, config, looked.identity, looked.checkpoint.folder)

    @classmethod
    def is_prepared(cls, name: str, *, cache_dir: Path) -> bool:
        """Whether it lies whole in the cache, for the checkpoint as it was prepared."""
        root = cache_dir / "clap"
        identity = remembered(root, canonical_name(name))
        return identity is not None and find_folder(root, _key(identity)) is not None

    def encode_audio(self, windows: Sequence[Samples]) -> FloatArray:
        """B windows (n,) float32 at ``spec.sample_rate`` of at most a window to (B, D).

        A shorter one is repeated or padded as the checkpoint says. Raises EncoderError for any
        other shape.
        """
        if self._audio_side is None:
            self._audio_side = self._open(AUDIO_SIDE)
        config = self._prepared.config
        vectors = np.empty((len(windows), self.spec.dimension), np.float32)
        for part in batches(len(windows), item_bytes=_WINDOW_BYTES):
            try:
                spectra = np.stack([log_mel_window(window, config) for window in windows[part]])
            except ValueError as error:
                raise EncoderError(f"{self.spec.name}: {error}.") from error
            (vectors[part],) = self._audio_side.run({"spectra": spectra})
        return vectors

    def encode_text(self, text: str) -> AudioQuery:
        """Words to a unit vector; a text beyond the network's length is cut, and a note says so.

        Raises UsageError for an empty text.
        """
        if not text.strip():
            raise UsageError("The query is empty; say in words what is to be heard.")
        if self._tokens is None:
            self._tokens = TextTokens(self._prepared.folder / TOKENIZER)
        if self._text_side is None:
            self._text_side = self._open(TEXT_SIDE)
        tokens = self._tokens(text)
        (vectors,) = self._text_side.run({"input_ids": tokens.ids})
        vector = np.asarray(vectors[0], np.float32)
        return AudioQuery(tokens.text, vector, tokens.notes, self.spec.digest())

    def close(self) -> None:
        """Release both sessions; they open again when needed."""
        for session in (self._audio_side, self._text_side):
            if session is not None:
                session.close()
        self._audio_side = self._text_side = None

    def _open(self, file: str) -> Session:
        return open_session(
            self._prepared.folder / file,
            runtime=self._runtime,
            device=self._device,
            threads=self._threads,
        )


def prepared_clap(name: str, *, cache_dir: Path, progress: Report | None = None) -> Prepared:
    """The prepared folder of this name, made first where it is not there."""
    name = canonical_name(name)
    root = cache_dir / "clap"
    identity = remembered(root, name)
    if identity is not None and (found := find_folder(root, _key(identity))) is not None:
        return _read(found, name)
    looked = look_at(root, name, read_clap_config, progress, example=EXAMPLE)

    def build(folder: Path) -> None:
        _build(folder, looked.checkpoint, looked.identity, progress)

    return _read(cached_folder(root, _key(looked.identity), build, progress=progress), name)


def _build(
    folder: Path, checkpoint: Checkpoint, identity: Identity, progress: Report | None
) -> None:
    """Export both sides into ``folder``, with the tokenizer and the description."""
    import torch

    from scenewise.encoders import clap_towers
    from scenewise.encoders.export import export_onnx

    def report(line: str) -> None:
        if progress is not None:
            progress(f"preparing {checkpoint.name}: {line}")

    config = read_clap_config(checkpoint.folder)
    clap_towers.convert_tokenizer(checkpoint.folder, folder / TOKENIZER)
    _limit_tokens(folder / TOKENIZER, config, checkpoint.name)
    report("reading the weights")
    network = clap_towers.load_network(checkpoint, config)
    tokens = TextTokens(folder / TOKENIZER)
    probes = [tokens(probe).ids for probe in _PROBES]
    length = max(2, min(ids.shape[1] for ids in probes))
    example_ids = torch.from_numpy(np.concatenate([_sized(ids, length) for ids in probes]))
    report("exporting the sound side (once)")
    spectra = torch.randn(
        (2, config.frames, config.mel_bins), generator=torch.Generator().manual_seed(0)
    )
    export_onnx(
        clap_towers.AudioTower(network).eval(),
        (20 * spectra - 40,),
        folder / AUDIO_SIDE,
        input_names=("spectra",),
        output_names=("vectors",),
    )
    report("exporting the text side (once)")
    export_onnx(
        clap_towers.TextTower(network, config).eval(),
        (example_ids,),
        folder / TEXT_SIDE,
        input_names=("input_ids",),
        output_names=("vectors",),
        dynamic_axes={"input_ids": {1: "length"}},
    )
    spec = _spec(checkpoint.name, config, identity, checkpoint.folder)
    description = {"spec": spec.to_dict(), "config": dataclasses.asdict(config)}
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")


def _sized(ids: Any, length: int) -> Any:
    """Token ids (1, L) as (1, length): repeated where there are too few."""
    return np.tile(ids, (1, -(-length // ids.shape[1])))[:, :length]


def _limit_tokens(path: Path, config: ClapConfig, name: str) -> None:
    """Cut texts at the network's length, and leave them as short as they are."""
    import tokenizers

    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises plain Exception for any damage
        raise EncoderError(f"{name}: the tokenizer is not readable; fetch it again.") from error
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values())
    if largest >= config.vocabulary_size:
        raise EncoderError(
            f"{name}: the tokenizer gives ids up to {largest}, but the network knows "
            f"{config.vocabulary_size}; take tokenizer and weights from one checkpoint."
        )
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=config.text_length)
    tokenizer.save(str(path))


def _spec(name: str, config: ClapConfig, identity: Identity, folder: Path) -> AudioSpec:
    seconds = config.window_samples / config.sample_rate
    return AudioSpec(
        name=name,
        revision=short_hash(f"{AUDIO_CODE_VERSION} {identity.content_hash}"),
        dimension=config.dimension,
        sample_rate=config.sample_rate,
        window_seconds=seconds,
        hop_seconds=seconds / 2,
        licence=read_licence(folder),
    )


def _key(identity: Identity) -> str:
    content = f"{AUDIO_CODE_VERSION} {identity.content_hash}"
    return short_hash(f"{content} {TEXT_CODE_VERSION} {identity.text_hash}")


def _read(folder: Path, name: str) -> Prepared:
    """The description of a prepared folder; the name is the caller's."""
    shape: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    spec = AudioSpec(**shape["spec"])
    return Prepared(folder, dataclasses.replace(spec, name=name), ClapConfig(**shape["config"]))
