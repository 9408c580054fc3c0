"""kill -9 of the program itself: ``scenewise index`` on small films, hit at random moments.

The truth is a library that was filled without being disturbed. After each kill the disturbed
library must open, pass the full check, hold only whole videos (as many windows as the truth has,
with the same vectors), and never fewer than after the kill before; in the end one more run must
make it equal to the truth.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.durability_tally import Tally
from scenewise.encoders.spec import FloatArray
from scenewise.errors import ScenewiseError
from scenewise.index.catalog import Catalog
from scenewise.media.film import noise_picture, write_film

FILMS = 12
ROOT = Path(__file__).parents[1]
Contents = dict[str, FloatArray]  # path to the vectors of its windows


def write_films(folder: Path) -> None:
    """Small films of 4 s, each of another picture that moves."""
    folder.mkdir()
    for number in range(FILMS):
        picture = noise_picture(number)
        frames = (np.roll(picture, shift, axis=1) for shift in range(100))
        write_film(folder / f"film{number}.mp4", frames)


def index_command(films: Path, library: Path) -> list[str]:
    return [sys.executable, "-m", "scenewise", "index", str(films), "--library", str(library)]


def contents_of(library: Path) -> Contents:
    """What a library holds. Raises errors of scenewise where it does not open."""
    with Catalog.open(library) as catalog:
        active = catalog.active()
        if active is None:
            return {}
        chunks = catalog.chunks(catalog.chunk_ids(active.id).tolist())
        return {chunk.path: catalog.features(chunk.id).vectors for chunk in chunks.values()}


def run_film_kills(folder: Path, kills: int, *, seed: int) -> Tally:
    """Kill ``scenewise index`` so many times; the library is begun anew whenever it is full."""
    films, library = folder / "films", folder / "library"
    write_films(films)
    started = time.perf_counter()
    subprocess.run(index_command(films, folder / "truth"), check=True, cwd=ROOT)
    whole_seconds = time.perf_counter() - started
    truth = contents_of(folder / "truth")
    assert len(truth) == FILMS
    rng = random.Random(seed)
    tally = Tally()
    before: Contents = {}
    for number in range(kills):
        child = subprocess.Popen(
            index_command(films, library),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        time.sleep(rng.random() * whole_seconds)
        os.kill(child.pid, signal.SIGKILL)
        ended = child.wait() != -signal.SIGKILL
        tally.kills += 1
        tally.hit["after its end" if ended else "under way"] += 1
        before = _check(library, before, truth, tally, f"kill {number} (scenewise index)")
        tally.steps += len(before)
        if len(before) == FILMS:
            shutil.rmtree(library)
            before = {}
    subprocess.run(index_command(films, library), check=True, cwd=ROOT)
    if set(_check(library, before, truth, tally, "the last run")) != set(truth):
        tally.faults.append("the last run did not complete the library")
    return tally


def _check(library: Path, before: Contents, truth: Contents, tally: Tally, where: str) -> Contents:
    if not (library / "catalog.db").exists():
        if before:
            tally.faults.append(f"{where}: the catalogue is gone")
        return {}
    try:
        with Catalog.open(library) as catalog:
            tally.faults += [f"{where}: {problem}" for problem in catalog.problems()]
        found = contents_of(library)
    except ScenewiseError as error:
        tally.faults.append(f"{where}: {error}")
        return before
    for path, vectors in found.items():
        if path not in truth or not np.array_equal(vectors, truth[path]):
            tally.faults.append(f"{where}: {path} is not as it should be")
    tally.faults += [f"{where}: {path} was lost" for path in set(before) - set(found)]
    return found
