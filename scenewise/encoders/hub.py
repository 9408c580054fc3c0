"""Where a checkpoint's files are: a folder, or a repository of the Hugging Face hub.

It knows file names, downloads and content hashes; it knows nothing of what the files mean. A
repository is only asked for when the user names it, and only the files that scenewise reads are
fetched. The hub's own settings hold: HF_HUB_OFFLINE, HF_TOKEN, HF_HOME, HF_ENDPOINT.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from scenewise.config import expand_user
from scenewise.encoders.cache import file_sha256
from scenewise.encoders.spec import Report
from scenewise.errors import EncoderError, UnknownEncoderError
from scenewise.models.weights.download import EXAMPLE, HUB_NAME, download_snapshot, hub_errors

SETTINGS_FILES = ("config.json", "preprocessor_config.json", "processor_config.json")
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
)
CARD = "README.md"
SAFE_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
# read with weights_only=True, which runs no code of the file
PICKLED_WEIGHTS = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin")

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with a checkpoint in Hugging Face layout, and the name it was asked for by."""

    name: str  # absolute folder, or "owner/name", or "owner/name@revision"
    folder: Path
    weights: tuple[Path, ...]  # shards in order, without an index
    commit: str | None = None  # of the hub repository, 40 hex digits

    def files(self) -> tuple[Path, ...]:
        """Every file that vectors depend on; the model card is not among them."""
        named = (self.folder / name for name in (*SETTINGS_FILES, *TOKENIZER_FILES))
        return (*(path for path in named if path.is_file()), *self.weights)

    def stamps(self) -> dict[str, list[int]]:
        """Size and time of change of each file: equal stamps spare a new hash."""
        return {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in self.files()}

    def image_hash(self) -> str:
        """64 hex digits of what stored vectors depend on: settings and weights."""
        named = (self.folder / name for name in SETTINGS_FILES)
        return _hash_of((*(path for path in named if path.is_file()), *self.weights))

    def text_hash(self) -> str:
        """64 hex digits of the tokenizer's files."""
        named = (self.folder / name for name in TOKENIZER_FILES)
        return _hash_of(tuple(path for path in named if path.is_file()))


def canonical_name(name: str) -> str:
    """An absolute path for a folder, so that it holds from any folder; a hub name as it is."""
    return str(expand_user(name).resolve()) if _is_folder(name) else name


def is_hub_name(name: str) -> bool:
    """Whether it reads ``owner/name`` or ``owner/name@revision`` and no such folder is here."""
    return HUB_NAME.fullmatch(name) is not None and not _is_folder(name)


def resolve(
    name: str,
    *,
    progress: Report | None = None,
    local_files_only: bool = False,
    example: str = EXAMPLE,
) -> Checkpoint:
    """The checkpoint of this name; downloads what is missing where the name is of the hub.

    ``local_files_only`` takes the hub's cache as it is; ``example`` is a name that messages give as
    one that fits. Raises UnknownEncoderError for a name that is neither, EncoderError where files
    are missing or the hub does not give them.
    """
    if _is_folder(name):
        folder = expand_user(name).resolve()
        _require_config(folder, str(folder))
        return Checkpoint(str(folder), folder, _weights(folder, str(folder)))
    match = HUB_NAME.fullmatch(name)
    if match is None:
        raise UnknownEncoderError(
            f"The encoder {name!r} is neither a folder nor a hub name; give a folder with a "
            f"checkpoint in Hugging Face layout, or a name such as {example}."
        )
    repository, revision = match["repository"], match["revision"]
    if progress is not None and not local_files_only:
        progress(f"looking for {name} on the hub, or in its local cache")
    patterns = (*SETTINGS_FILES, *TOKENIZER_FILES, CARD, *SAFE_WEIGHTS)
    with hub_errors(name, repository, local_files_only, example):
        folder = download_snapshot(repository, revision, patterns, local_files_only)
        if not _holds(folder, SAFE_WEIGHTS):
            folder = download_snapshot(repository, revision, PICKLED_WEIGHTS, local_files_only)
    _require_config(folder, name)
    commit = folder.name if _COMMIT.fullmatch(folder.name) else None
    return Checkpoint(name, folder, _weights(folder, name), commit)


def model_type(name: str, *, local_files_only: bool) -> str | None:
    """What config.json of a folder or hub name says that it is; None where there is none to read.

    Of the hub, this one file is fetched, unless ``local_files_only``. Raises EncoderError where the
    hub does not give it.
    """
    if _is_folder(name):
        folder = expand_user(name)
    else:
        match = HUB_NAME.fullmatch(name)
        if match is None:
            return None
        repository = match["repository"]
        with hub_errors(name, repository, local_files_only):
            folder = download_snapshot(
                repository, match["revision"], (SETTINGS_FILES[0],), local_files_only
            )
    try:
        shape = json.loads((folder / SETTINGS_FILES[0]).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    found = shape.get("model_type") if isinstance(shape, dict) else None
    return found if isinstance(found, str) else None


def _is_folder(name: str) -> bool:
    return bool(name) and expand_user(name).is_dir()  # "" would be the current folder


def _require_config(folder: Path, name: str) -> None:
    if not (folder / "config.json").is_file():
        raise EncoderError(
            f"{name} holds no config.json: a checkpoint in Hugging Face layout needs "
            "config.json, the weights, the processor's settings and a tokenizer."
        )


def _holds(folder: Path, patterns: tuple[str, ...]) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)


def _weights(folder: Path, name: str) -> tuple[Path, ...]:
    """The files of the weights; one file before shards, safetensors before anything else."""
    for single, index, _ in (SAFE_WEIGHTS, PICKLED_WEIGHTS):
        if (folder / single).is_file():
            return (folder / single,)
        if (folder / index).is_file():
            return _shards(folder / index, name)
    raise EncoderError(
        f"{name} holds no weights: allowed are {SAFE_WEIGHTS[0]} or {PICKLED_WEIGHTS[0]}, also in "
        "shards with their index; complete the folder."
    )


def _shards(index: Path, name: str) -> tuple[Path, ...]:
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise EncoderError(
            f"{name}: {index.name} is not an index of shards; fetch it again."
        ) from error
    shards = tuple(index.parent / Path(str(shard)).name for shard in names)
    absent = [shard.name for shard in shards if not shard.is_file()]
    if absent or not shards:
        raise EncoderError(
            f"{name}: {index.name} names {', '.join(absent[:3]) or 'no file'}, which the folder "
            "lacks; complete it."
        )
    return shards


def _hash_of(paths: tuple[Path, ...]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.name}\0{file_sha256(path)}\0".encode())
    return total.hexdigest()
