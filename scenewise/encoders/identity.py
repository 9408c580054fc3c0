"""Which content the name of a checkpoint stands for, remembered from the last look.

It knows names, hashes and time stamps; it knows no network and nothing of what is prepared. A
folder's files are compared by size and time stamp, a hub name is taken as it was when it was last
looked at: a search reads neither the weights nor the hub.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scenewise.encoders.hub import Checkpoint, is_hub_name, resolve
from scenewise.encoders.spec import Report
from scenewise.models.weights.download import EXAMPLE


@dataclass(frozen=True, slots=True)
class Identity:
    """Hashes of what vectors depend on."""

    content_hash: str  # of settings and weights
    text_hash: str  # of the tokenizer's files


@dataclass(frozen=True, slots=True)
class Looked:
    """A checkpoint whose files were just read."""

    identity: Identity
    checkpoint: Checkpoint


def identity_of(checkpoint: Checkpoint) -> Identity:
    """The hashes of a checkpoint in Hugging Face layout."""
    return Identity(checkpoint.image_hash(), checkpoint.text_hash())


def remembered(root: Path, name: str) -> Identity | None:
    """What the (canonical) name led to the last time; None where that may no longer hold."""
    try:
        entry = json.loads(_name_file(root, name).read_text("utf-8"))
        if entry["name"] != name:
            return None
        identity = Identity(str(entry["image_hash"]), str(entry["text_hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never asked for, or not a file of ours
    if is_hub_name(name):
        return identity
    checkpoint = resolve(name)
    return identity if entry.get("stamps") == checkpoint.stamps() else None


def look_at(
    root: Path,
    name: str,
    check: Callable[[Path], object],
    progress: Report | None,
    *,
    local_files_only: bool = False,
    example: str = EXAMPLE,
    hashes: Callable[[Checkpoint], Identity] = identity_of,
) -> Looked:
    """Find the files, download where needed, hash them, and remember the result.

    ``check`` raises for another kind of network, before gigabytes are hashed. ``example`` is a name
    of the kind that is meant. ``hashes`` makes the identity of files that were found.
    """
    checkpoint = resolve(
        name, progress=progress, local_files_only=local_files_only, example=example
    )
    check(checkpoint.folder)
    stamps = checkpoint.stamps()
    identity = hashes(checkpoint)
    entry = {
        "name": name,
        "image_hash": identity.content_hash,
        "text_hash": identity.text_hash,
        "commit": checkpoint.commit,
        "stamps": stamps,
    }
    file = _name_file(root, name)
    with contextlib.suppress(OSError):  # a read-only cache only means that it is hashed again
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(entry, indent=1), encoding="utf-8")
        fresh.replace(file)
    return Looked(identity, checkpoint)


def short_hash(text: str) -> str:
    """16 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _name_file(root: Path, name: str) -> Path:
    return root / "names" / f"{short_hash(name)}.json"
