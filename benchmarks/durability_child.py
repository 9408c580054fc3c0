"""The child of ``durability``: changes a library without end, and writes down what it does.

Started with a JSON of its arguments on stdin. It knows what a library must hold after each step
(``Model``: plain sets and dicts), so that the parent can replay the journal on the same model.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from benchmarks.synthetic_windows import content_hash, encoded_video, synthetic_spec
from scenewise.index.catalog import Catalog, Generation
from scenewise.index.derived_files import BUILDS_FOLDER, MANIFEST_FILE
from scenewise.index.records import EncodedVideo, FileStamp
from scenewise.index.vectors import AnnKind, refresh

Content = tuple[int, int]  # number and version of a made-up video
Step = list[Any]  # name and arguments, fit for JSON
DIMENSION = 32


@dataclass(frozen=True)
class Size:
    """How large a library the steps keep."""

    paths: int
    windows: int


@dataclass(frozen=True)
class Model:
    """What a library must hold: plain sets and dicts, replaced and never changed."""

    active: int = 0  # revision of the encoder
    filling: int | None = None
    places: dict[str, Content] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    chunks: dict[int, frozenset[Content]] = field(default_factory=lambda: {0: frozenset()})

    def after(self, step: Step) -> Model:
        """The model with one step done."""
        name, *values = step
        if name == "rebuild":
            return self
        if name == "begin":
            return replace(self, filling=values[0], chunks={**self.chunks, values[0]: frozenset()})
        if name == "switch":
            kept = {self.filling: self.chunks[cast(int, self.filling)]}
            return replace(
                self, active=cast(int, self.filling), filling=None, chunks=cast(Any, kept)
            )
        if name == "commit":
            path, number, version, revision = values
            content = (number, version)
            chunks = {**self.chunks, revision: self.chunks[revision] | {content}}
            new = replace(
                self,
                places={**self.places, path: content},
                missing=self.missing - {path},
                failed=self.failed - {path},
                chunks=chunks,
            )
        elif name == "fail":
            places = {path: c for path, c in self.places.items() if path != values[0]}
            new = replace(
                self,
                places=places,
                missing=self.missing - {values[0]},
                failed=self.failed | {values[0]},
            )
        elif name == "vanish":
            new = replace(self, missing=self.missing | {values[0]})
        elif name == "remove":
            places = {path: c for path, c in self.places.items() if c != tuple(values)}
            new = replace(self, places=places)
        else:
            raise ValueError(f"no step is called {name}")
        return new._without_placeless()

    def _without_placeless(self) -> Model:
        live = {c for path, c in self.places.items() if path not in self.missing}
        places = {
            path: c for path, c in self.places.items() if path not in self.missing or c not in live
        }
        placed = frozenset(places.values())
        return replace(
            self,
            places=places,
            missing=self.missing & frozenset(places),
            chunks={revision: contents & placed for revision, contents in self.chunks.items()},
        )

    def picture(self) -> dict[str, Any]:
        """The same shape as ``picture_of`` gives of a library."""
        return {
            "active": str(self.active),
            "filling": None if self.filling is None else str(self.filling),
            "places": {path: content_hash(*c) for path, c in self.places.items()},
            "missing": set(self.missing),
            "failed": set(self.failed),
            "chunks": {
                str(revision): {content_hash(*c) for c in contents}
                for revision, contents in self.chunks.items()
            },
        }


@lru_cache(maxsize=4096)
def video_of(path: str, content: Content, revision: int, windows: int) -> EncodedVideo:
    """What a worker would hand over; the vectors depend on the encoder's revision too."""
    return encoded_video(
        content[0],
        windows=windows,
        dimension=DIMENSION,
        path=path,
        version=content[1],
        seed=revision,
    )


class Worker:
    """Does steps on a library, and writes down which."""

    def __init__(self, folder: Path, model: Model, size: Size, journal: Path) -> None:
        self.folder = folder
        self.model = model
        self.size = size
        self.journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.catalog = Catalog.open(folder, write=True)
        self.next_number = max([c[0] for c in model.places.values()], default=0) + 1000

    def do(self, step: Step) -> None:
        """One step, from the line before to the line after."""
        os.write(self.journal, (json.dumps(step) + "\n").encode())
        self._do(step)
        os.write(self.journal, b'"done"\n')
        self.model = self.model.after(step)

    def _do(self, step: Step) -> None:
        name, *values = step
        if name == "commit":
            path, number, version, revision = values
            video = video_of(path, (number, version), revision, self.size.windows)
            self.catalog.commit_video(self._generation(revision).id, video)
        elif name == "fail":
            self.catalog.commit_failure(FileStamp(values[0], 1, 1), "it breaks")
        elif name == "vanish":
            self.catalog.mark_missing([values[0]])
        elif name == "remove":
            self.catalog.remove([content_hash(*values)[:16]])
        elif name == "begin":
            self.catalog.begin(synthetic_spec(DIMENSION, str(values[0])), "fps=2")
        elif name == "switch":
            self.catalog.switch(self._generation(cast(int, self.model.filling)).id)
        elif name == "rebuild":
            for manifest in self.folder.glob(f"{BUILDS_FOLDER}/g*/{MANIFEST_FILE}"):
                manifest.unlink()  # so that a rebuild is due
            kind = cast(AnnKind, values[0])
            refresh(self.folder, self.catalog, self._generation(self.model.active).id, kind)

    def _generation(self, revision: int) -> Generation:
        for generation in (self.catalog.active(), self.catalog.filling()):
            if generation is not None and generation.spec.revision == str(revision):
                return generation
        raise RuntimeError(f"no generation of revision {revision}")

    def new_content(self) -> Content:
        self.next_number += 1
        return (self.next_number, 0)

    def fill(self) -> Iterator[Step]:
        """Commits until every path has a video."""
        for number in range(self.size.paths):
            path = f"/videos/{number}.mp4"
            if path not in self.model.places:
                yield ["commit", path, *self.new_content(), self.model.active]

    def steps(self, phase: str, rng: random.Random) -> Iterator[Step]:
        """Steps of one phase, without end."""
        while True:
            if phase == "re-indexing":
                yield from self._reindex()
            elif phase == "index rebuilding":
                yield ["rebuild", rng.choice(["exact", "rabitq", "ivfpq"])]
                yield self._change(rng)
            elif phase == "deleting":
                yield from self._delete(rng)
            else:
                yield self._change(rng)

    def _change(self, rng: random.Random) -> Step:
        path = f"/videos/{rng.randrange(self.size.paths)}.mp4"
        chance = rng.random()
        if chance < 0.1:
            return ["fail", path]
        if chance < 0.2 and path in self.model.places:
            return ["vanish", path]
        if chance < 0.3 and self.model.places:  # a copy of what lies elsewhere
            copied = rng.choice(sorted(self.model.places.values()))
            return ["commit", path, *copied, self.model.active]
        return ["commit", path, *self.new_content(), self.model.active]

    def _delete(self, rng: random.Random) -> Iterator[Step]:
        contents = sorted(set(self.model.places.values()))
        for content in rng.sample(contents, len(contents) // 2):
            if content in self.model.places.values():
                yield ["remove", *content]
        yield from self.fill()

    def _reindex(self) -> Iterator[Step]:
        if self.model.filling is None:
            yield ["begin", self.model.active + 1]
        revision = cast(int, self.model.filling)
        for path, content in sorted(self.model.places.items()):
            if path not in self.model.missing and content not in self.model.chunks[revision]:
                yield ["commit", path, *content, revision]
        yield ["switch"]


def run_child(folder: Path, journal: Path, phase: str, seed: int, size: Size, model: Model) -> None:
    """Change the library until killed; a line on stdout for every step."""
    worker = Worker(folder, model, size, journal)
    for step in worker.fill():
        worker.do(step)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for step in worker.steps(phase, random.Random(seed)):
        worker.do(step)
        sys.stdout.write(".\n")
        sys.stdout.flush()


def model_to_json(model: Model) -> dict[str, Any]:
    return {
        "active": model.active,
        "filling": model.filling,
        "places": model.places,
        "missing": sorted(model.missing),
        "failed": sorted(model.failed),
        "chunks": {str(r): sorted(contents) for r, contents in model.chunks.items()},
    }


def model_from_json(shape: dict[str, Any]) -> Model:
    return Model(
        active=shape["active"],
        filling=shape["filling"],
        places={path: (c[0], c[1]) for path, c in shape["places"].items()},
        missing=frozenset(shape["missing"]),
        failed=frozenset(shape["failed"]),
        chunks={
            int(r): frozenset((c[0], c[1]) for c in contents)
            for r, contents in shape["chunks"].items()
        },
    )


if __name__ == "__main__":
    given = json.loads(sys.stdin.read())
    run_child(
        Path(given["folder"]),
        Path(given["journal"]),
        given["phase"],
        given["seed"],
        Size(*given["size"]),
        model_from_json(given["model"]),
    )
