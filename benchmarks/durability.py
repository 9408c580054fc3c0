"""kill -9 at random moments: is anything lost, partial, or back from the dead?

    python -m benchmarks.durability --kills 100 [--films 10] [--json out.json]

A child process changes a library without end: it commits, changes, fails, loses and removes
videos, re-indexes everything with another encoder and switches, and rebuilds the vector files
(exact, RaBitQ, IVF-PQ). Before each step it writes the step into a journal, after each step that
it is done. The parent kills the child with SIGKILL after a random number of steps and a random
time, replays the journal on a plain model, and compares: a step that was done must be there, the
step that was under way must be there wholly or not at all, and nothing else may be there. Every
vector is compared with the one that was committed, the database is checked in full, and searches
must give what the model gives. The next child goes on with the same library.

``--films`` kills the program itself (``scenewise index`` on small films) in the same manner.
SIGKILL says nothing of power loss; that a commit reaches the disk is SQLite's synchronous=FULL.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.durability_child import (
    DIMENSION,
    Model,
    Size,
    Step,
    model_to_json,
    video_of,
)
from benchmarks.durability_tally import Tally
from benchmarks.machine import describe_machine
from benchmarks.synthetic_windows import content_hash, query_vectors, synthetic_spec
from scenewise.errors import ScenewiseError
from scenewise.index.catalog import ORDINAL_BITS, Catalog
from scenewise.index.vectors import VectorIndex, problems, refresh

PHASES = ("indexing", "re-indexing", "deleting", "index rebuilding")


def run_kills(
    folder: Path, kills: int, *, seed: int, size: Size, phases: tuple[str, ...] = PHASES
) -> dict[str, Tally]:
    """Kill a child so many times, in turn in each phase; raise nothing, tell all."""
    rng = random.Random(seed)
    tallies = {phase: Tally() for phase in phases}
    model = Model()
    library = folder / "library"
    with Catalog.open(library, write=True, create=True) as catalog:
        catalog.begin(synthetic_spec(DIMENSION, "0"), "fps=2")
    for number in range(kills):
        phase = phases[number % len(phases)]
        tally = tallies[phase]
        journal = folder / f"journal-{number}"
        _kill_one(library, journal, phase, rng, size, model)
        done, under_way = read_journal(journal)
        tally.kills += 1
        tally.steps += len(done)
        for step in done:
            model = model.after(step)
        candidates = [model] if under_way is None else [model, model.after(under_way)]
        tally.hit[under_way[0] if under_way else "between steps"] += 1
        found = check(library, candidates, size, tally.faults, f"kill {number} ({phase})")
        if found is None:
            break  # the model is lost, and with it what comes after
        tally.kept += found
        model = candidates[found]
    return tallies


def _kill_one(
    library: Path, journal: Path, phase: str, rng: random.Random, size: Size, model: Model
) -> None:
    arguments = {
        "folder": str(library),
        "journal": str(journal),
        "phase": phase,
        "seed": rng.randrange(2**31),
        "size": [size.paths, size.windows],
        "model": model_to_json(model),
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.durability_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        child.stdin.write(json.dumps(arguments))
        child.stdin.close()
        if rng.random() < 0.9:  # else it may be hit while it opens the library or refills it
            first = child.stdout.readline()
            if first != "ready\n":
                raise RuntimeError(f"the child ended by itself, with code {child.wait()}")
            for _ in range(rng.randrange(2 if phase == "index rebuilding" else 40)):
                child.stdout.readline()
        # long enough for a step of this kind to be anywhere in its course
        time.sleep(rng.random() * (0.5 if phase == "index rebuilding" else 0.03))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()


def read_journal(path: Path) -> tuple[list[Step], Step | None]:
    """The steps that were done, and the one under way."""
    done: list[Step] = []
    under_way: Step | None = None
    for line in path.read_text().splitlines() if path.exists() else []:
        entry = json.loads(line)
        if entry == "done":
            assert under_way is not None
            done.append(under_way)
            under_way = None
        else:
            under_way = entry
    return done, under_way


def check(
    library: Path, candidates: list[Model], size: Size, faults: list[str], where: str
) -> int | None:
    """Which candidate the library equals, as a reader finds it and then as a writer does."""
    try:
        return _check(library, candidates, size, faults, where)
    except ScenewiseError as error:  # it must open and answer: refusing is a fault too
        faults.append(f"{where}: {error}")
        return None


def _check(
    library: Path, candidates: list[Model], size: Size, faults: list[str], where: str
) -> int | None:
    found = None
    for write in (False, True):
        with Catalog.open(library, write=write) as catalog:
            picture = picture_of(catalog)
            pictures = [model.picture() for model in candidates]
            if picture not in pictures:
                faults.append(f"{where}: {difference(pictures[0], picture)}")
                return None
            # the last one: a step that changes nothing counts as done
            found = len(pictures) - 1 - pictures[::-1].index(picture)
            faults += [f"{where}: {problem}" for problem in catalog.problems()]
            faults += [f"{where}: {p}" for p in wrong_vectors(catalog, candidates[found], size)]
            faults += [f"{where}: {p}" for p in wrong_answers(library, catalog)]
            if write:
                active = catalog.active()
                assert active is not None
                refresh(library, catalog, active.id)
                faults += [f"{where}: {p}" for p in problems(library, catalog, active.id)]
                faults += [f"{where}, rebuilt: {p}" for p in wrong_answers(library, catalog)]
    return found


def picture_of(catalog: Catalog) -> dict[str, Any]:
    """What a library says it holds."""
    known = catalog.known()
    hash_of = {chunk_path: entry.content_hash for chunk_path, entry in known.items()}
    chunks = {}
    generations = {"active": catalog.active(), "filling": catalog.filling()}
    for generation in generations.values():
        if generation is not None:
            rows = catalog.chunks(catalog.chunk_ids(generation.id).tolist())
            chunks[generation.spec.revision] = {hash_of[chunk.path] for chunk in rows.values()}
    return {
        **{
            state: None if generation is None else generation.spec.revision
            for state, generation in generations.items()
        },
        "places": {path: value for path, value in hash_of.items() if value is not None},
        "missing": {path for path, entry in known.items() if entry.missing},
        "failed": {path for path, entry in known.items() if entry.content_hash is None},
        "chunks": chunks,
    }


def difference(expected: dict[str, Any], got: dict[str, Any]) -> str:
    """In which parts two pictures differ."""
    return "; ".join(
        f"{part}: expected {expected[part]!r}, got {got[part]!r}"[:400]
        for part in expected
        if expected[part] != got[part]
    )


def wrong_vectors(catalog: Catalog, model: Model, size: Size) -> list[str]:
    """Chunks whose rows are not those that were committed."""
    wrong = []
    path_of = {content_hash(*content): path for path, content in model.places.items()}
    content_of = {content_hash(*content): content for content in model.places.values()}
    for generation in (catalog.active(), catalog.filling()):
        if generation is None:
            continue
        chunks = catalog.chunks(catalog.chunk_ids(generation.id).tolist())
        by_path = {path: entry.content_hash for path, entry in catalog.known().items()}
        for chunk_id, rows in catalog.vectors_after(generation.id, 0):
            key = cast(str, by_path[chunks[chunk_id].path])
            revision = int(generation.spec.revision)
            video = video_of(path_of[key], content_of[key], revision, size.windows)
            if not np.array_equal(rows, video.features.vectors.astype(np.float16)):
                wrong.append(f"chunk {chunk_id} holds other vectors than were committed")
            if catalog.texts(chunk_id) != video.texts:
                wrong.append(f"chunk {chunk_id} holds other words than were committed")
    return wrong


def wrong_answers(library: Path, catalog: Catalog) -> list[str]:
    """Searches that differ from a plain scan of the catalogue's rows."""
    active = catalog.active()
    assert active is not None
    index = VectorIndex.open(library, catalog, active.id)
    exact = index.status().kind in (None, "exact")
    parts = list(catalog.vectors_after(active.id, 0))
    if not parts:
        return []
    ids = np.concatenate([(chunk << ORDINAL_BITS) | np.arange(len(rows)) for chunk, rows in parts])
    matrix = np.concatenate([rows for _, rows in parts]).astype(np.float64)
    wrong = []
    for query in query_vectors(3, 50, 20, DIMENSION):
        products = matrix @ query.astype(np.float64)
        best = np.sort(products)[::-1][:10]
        found, scores = index.search(query, 10)
        if not set(found.tolist()) <= set(ids.tolist()):
            wrong.append("a search returned windows that are not in the library")
        elif len(found) != len(best):
            wrong.append(f"a search returned {len(found)} windows of {len(best)}")
        elif exact and not np.allclose(scores, best, atol=1e-6):
            wrong.append("an exact search missed better windows")
    return wrong


def to_markdown(tallies: dict[str, Tally]) -> str:
    lines = [
        "| phase | kills | steps done | step under way (kept wholly) | faults |",
        "|---|---|---|---|---|",
    ]
    for phase, tally in tallies.items():
        hit = ", ".join(f"{name} {count}" for name, count in tally.hit.most_common())
        lines.append(
            f"| {phase} | {tally.kills} | {tally.steps} | {hit} ({tally.kept}) "
            f"| {len(tally.faults)} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--films", type=int, default=0, help="kills of scenewise index itself")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--paths", type=int, default=100)
    parser.add_argument("--windows", type=int, default=120, help="per video")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    size = Size(options.paths, options.windows)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tallies = run_kills(Path(folder), options.kills, seed=options.seed, size=size)
    if options.films:
        from benchmarks.durability_films import run_film_kills

        with tempfile.TemporaryDirectory() as folder:
            tallies["scenewise index"] = run_film_kills(
                Path(folder), options.films, seed=options.seed
            )
    print(
        f"{describe_machine()}; seed {options.seed}; {options.paths} videos of "
        f"{options.windows} windows; {time.perf_counter() - started:.0f} s\n"
    )
    print(to_markdown({name: tally for name, tally in tallies.items() if tally.kills}))
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    for fault in faults:
        print(f"FAULT {fault}")
    if options.json:
        shape = {
            "machine": describe_machine(),
            "seed": options.seed,
            "phases": {phase: vars(tally) for phase, tally in tallies.items()},
        }
        options.json.write_text(json.dumps(shape, indent=1))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
