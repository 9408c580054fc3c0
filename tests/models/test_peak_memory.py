"""Facts about measured memory: it holds what must be there at once, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scenewise.errors import NetworkError
from scenewise.models import create_model, peak_memory


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the peak cannot be set back here"
)
def test_a_pass_takes_at_least_its_largest_layer() -> None:
    """In and out of c3d_tiny's first pooling: 8 x 8 x 64 x 64 floats and a quarter of them."""
    measured = peak_memory.peak_memory("c3d_tiny", frames=16)
    state = create_model("c3d_tiny", num_frames=16).state_dict()
    assert measured.weights_bytes == sum(tensor.nbytes for tensor in state.values())
    first = 8 * 16 * 64 * 64 * 4
    assert first * 5 / 4 < measured.forward_bytes < first * 40


def test_a_process_that_fails_is_one_sentence() -> None:
    with pytest.raises(NetworkError, match="timesformer_tiny cannot be measured") as caught:
        peak_memory.peak_memory("timesformer_tiny", size=70)
    assert "\n" not in str(caught.value)


def test_a_pass_that_takes_too_long_is_ended() -> None:
    with pytest.raises(NetworkError, match=r"more than 0\.01 s; give it fewer frames"):
        peak_memory.peak_memory("c3d_tiny", timeout=0.01)


def test_without_a_mark_that_falls_the_highest_of_the_process_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("no getrusage")
    monkeypatch.setattr(peak_memory, "_CLEAR", tmp_path / "no" / "clear_refs")
    before, how = peak_memory._start()
    assert how == "ru_maxrss"
    held = bytearray(50_000_000)
    assert peak_memory._peak(how) >= before
    assert len(held) == 50_000_000
