"""From the name of a checkpoint to its folder of prepared files, made once for each content.

It knows names, contents and keys; what is prepared, and how, each family says. A name that led to
a content before is believed as long as its files have their sizes and time stamps, so that a
search reads neither the weights nor the hub (``identity``).

    CACHE/<family>/<key>/             what ``build`` wrote
    CACHE/<family>/names/<hash>.json  which content a name led to
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scenewise.encoders.cache import cached_folder, find_folder
from scenewise.encoders.hub import Checkpoint
from scenewise.encoders.identity import Identity, Looked, identity_of, look_at, remembered
from scenewise.encoders.spec import Report
from scenewise.models.weights.download import EXAMPLE


@dataclass(frozen=True, slots=True)
class Preparation:
    """How one family prepares a checkpoint.

    ``key`` names the folder of a content: all that its files depend on. ``check`` raises for a
    checkpoint of another kind, before gigabytes are hashed. ``build`` fills an empty folder.
    """

    root: Path  # the family's folder in the cache
    key: Callable[[Identity], str]
    check: Callable[[Path], object]
    build: Callable[[Path, Looked], None]
    hashes: Callable[[Checkpoint], Identity] = identity_of
    example: str = EXAMPLE  # a name of the kind that is meant, for messages

    def find(self, name: str) -> Path | None:
        """The whole folder of a (canonical) name that was prepared before; builds nothing."""
        identity = remembered(self.root, name)
        return None if identity is None else find_folder(self.root, self.key(identity))

    def look(self, name: str, progress: Report | None, *, local_files_only: bool = False) -> Looked:
        """The checkpoint of a name, its files read anew."""
        return look_at(
            self.root,
            name,
            self.check,
            progress,
            local_files_only=local_files_only,
            example=self.example,
            hashes=self.hashes,
        )

    def make(self, name: str, progress: Report | None, *, look_again: bool = False) -> Path:
        """The folder of a name, built first where it is not there.

        ``look_again`` asks the hub and reads all files anew, instead of trusting what is known.
        Raises UnknownEncoderError, EncoderError and what ``check`` and ``build`` raise.
        """
        found = None if look_again else self.find(name)
        if found is not None:
            return found
        looked = self.look(name, progress)
        return cached_folder(
            self.root,
            self.key(looked.identity),
            lambda folder: self.build(folder, looked),
            thorough=look_again,
            progress=progress,
        )
