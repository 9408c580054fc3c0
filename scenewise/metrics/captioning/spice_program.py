"""SPICE (Anderson et al., 2016), by its Java program inside pycocoevalcap.

The program parses captions with Stanford CoreNLP 3.6.0, whose two jars of half a gigabyte are not
part of pycocoevalcap: it would download them. That is never let happen here; it runs where the
user has put them. ``scene_graphs`` scores scene graphs that are there already, without Java.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from pathlib import Path

from scenewise.errors import MetricError, MissingExtraError
from scenewise.metrics.captioning.java import java_program, program_folder
from scenewise.metrics.captioning.pairs import CaptionPairs, Scored

_JAR = "spice-1.0.jar"
_MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
_WAY_OUT = "leave SPICE out"
_START_SECONDS = 600.0
_CAPTION_SECONDS = 5.0  # parsing one caption and its references, without a cache


def spice(pairs: CaptionPairs, timeout_seconds: float | None = None) -> Scored:
    """SPICE, from 0 to 1; the corpus's is the mean.

    Raises MissingExtraError where Java, pycocoevalcap or CoreNLP's jars are missing, MetricError
    where the program fails. ``timeout_seconds`` None allows ten minutes and five seconds for each
    caption.
    """
    folder = program_folder("spice", _WAY_OUT)
    java = java_program("spice", _WAY_OUT)
    missing = [name for name in _MODELS if not (folder / "lib" / name).is_file()]
    if missing:
        raise MissingExtraError(
            f"SPICE needs {' and '.join(missing)} in {folder / 'lib'}; put them there from "
            "Stanford's stanford-corenlp-full-2015-12-09.zip (nothing is downloaded by itself), "
            f"or {_WAY_OUT}."
        )
    if timeout_seconds is None:
        timeout_seconds = _START_SECONDS + _CAPTION_SECONDS * len(pairs.ids)
    with tempfile.TemporaryDirectory() as scratch:
        found = _run(java, folder, Path(scratch), pairs, timeout_seconds)
    return _read(found, pairs)


def _run(
    java: str, folder: Path, scratch: Path, pairs: CaptionPairs, timeout_seconds: float
) -> str:
    asked = [
        {"image_id": number, "test": " ".join(test), "refs": [" ".join(one) for one in references]}
        for number, (test, references) in enumerate(
            zip(pairs.predictions, pairs.references, strict=True)
        )
    ]
    (scratch / "in.json").write_text(json.dumps(asked), encoding="utf-8")
    command = [java, "-Dfile.encoding=UTF-8", "-Duser.language=en", "-Xmx8G", "-jar", _JAR]
    command += [str(scratch / "in.json"), "-out", str(scratch / "out.json"), "-subset", "-silent"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise MetricError(
            f"the SPICE program was stopped after {timeout_seconds:.0f} s; give it more with "
            "timeout_seconds."
        ) from None
    if done.returncode or not (scratch / "out.json").is_file():
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise MetricError(f"the SPICE program failed: {said[0] if said else 'it did not say why'}")
    return (scratch / "out.json").read_text(encoding="utf-8")


def _read(found: str, pairs: CaptionPairs) -> Scored:
    try:
        scores = {
            int(one["image_id"]): float(one["scores"]["All"]["f"]) for one in json.loads(found)
        }
        single = [scores[number] for number in range(len(pairs.ids))]
    except (ValueError, KeyError, TypeError) as error:
        raise MetricError(f"the SPICE program's answer cannot be read ({error}).") from None
    nothing = sum(map(math.isnan, single))
    if nothing:
        raise MetricError(f"the SPICE program gave no number for {nothing} of the captions.")
    return Scored(math.fsum(single) / len(single), dict(zip(pairs.ids, single, strict=True)))
