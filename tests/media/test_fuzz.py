"""The fuzzing script on 50 files: broken files give frames or an error of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import fuzz_media


@pytest.mark.slow
def test_fifty_broken_files(tmp_path: Path) -> None:
    findings = fuzz_media.fuzz(tmp_path, files=50, seed=1, seconds=20.0)
    assert findings.bad == []
    assert sum(findings.answers.values()) == 50
    # both ends are met: some mutants still give frames, some are refused
    assert findings.answers["frames"] > 5
    assert findings.answers["UnreadableMediaError"] > 0


def test_mutants_are_seeded_and_differ() -> None:
    data = bytes(range(256)) * 200
    assert fuzz_media.mutate(data, 3) == fuzz_media.mutate(data, 3)
    mutants = [fuzz_media.mutate(data, seed)[0] for seed in range(40)]
    assert sum(mutant != data for mutant in mutants) >= 38


def test_boxes_are_found() -> None:
    boxes = (16).to_bytes(4, "big") + b"ftypisom" + bytes(4) + (8).to_bytes(4, "big") + b"free"
    assert fuzz_media.box_edges(bytearray(boxes)) == [0, 16, 24]
    assert fuzz_media.box_edges(bytearray(b"RIFFxxxxAVI ")) == [0]
