"""What networks cost, as ``scenewise models flops`` says it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scenewise.cli.main import main
from scenewise.models import model_card, peak_memory


def answer(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capfd.readouterr()
    assert main(["models", "flops", *arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_a_network_and_its_modules(capfd: pytest.CaptureFixture[str]) -> None:
    shape = answer(capfd, "c3d")
    card = model_card("c3d")
    assert (shape["multiply_adds"], shape["parameters"]) == (card.multiply_adds, card.parameters)
    assert (shape["frames"], shape["size"], shape["memory"]) == (16, 112, None)
    assert main(["models", "flops", "c3d"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[:3] == [
        "c3d, 16 frames of 112 pixels",
        "parameters: 79,991,015",
        "multiply-adds: 38,548,959,232",
    ]
    rows = [line.split("\t") for line in lines[3:]]
    assert rows[0] == ["module", "kind", "parameters", "multiply-adds", "share"]
    assert [row[0] for row in rows[1:]] == [
        module["name"] for module in shape["modules"] if module["name"]
    ]
    assert rows[2][:2] == ["conv2", "Conv3d"]


def test_frames_size_and_depth(capfd: pytest.CaptureFixture[str]) -> None:
    shape = answer(capfd, "c3d_tiny", "--frames", "16", "--size", "32")
    assert (shape["frames"], shape["size"]) == (16, 32)
    assert main(["models", "flops", "c3d_tiny", "--depth", "0"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 3


def test_without_a_name_attentions_are_compared(capfd: pytest.CaptureFixture[str]) -> None:
    shape = answer(capfd)
    assert (shape["patches"], shape["tokens"], shape["clip"]["size"]) == (196, 3136, 224)
    assert all(scheme["formula"] == scheme["counted"] for scheme in shape["schemes"])
    assert main(["models", "flops"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("16 frames of 224 pixels, 196 patches each")
    divided = next(line for line in lines if line.startswith("divided")).split("\t")
    assert divided[2::2] == ["93.2%", "12.9%", "12.8%"]
    assert answer(capfd, "--frames", "4", "--size", "64")["tokens"] == 64


def test_memory_is_measured_where_it_is_asked_for(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def measure(name: str, **options: Any) -> peak_memory.PeakMemory:
        asked.append((name, options))
        return peak_memory.PeakMemory(2_000_000, 34_000_000, "VmHWM")

    monkeypatch.setattr(peak_memory, "peak_memory", measure)
    assert answer(capfd, "c3d_tiny", "--memory")["memory"]["forward_bytes"] == 34_000_000
    assert main(["models", "flops", "c3d_tiny", "--memory", "--frames", "16"]) == 0
    assert "2.0 MB of weights, 34.0 MB more in a pass (VmHWM)" in capfd.readouterr().out
    assert asked[1] == ("c3d_tiny", {"frames": 16, "size": None})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("c3d_huge",), "There is no network 'c3d_huge'"),
        (("clip4clip_tiny", "--size", "70"), "does not take 8 frames of 70 pixels"),
        (("--size", "100"), "a multiple of 16"),
        (("--memory",), "--memory measures one network"),
        (("c3d", "--frames", "none"), "not a whole number"),
    ],
)
def test_what_is_refused(
    arguments: tuple[str, ...], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "flops", *arguments]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert message in printed.err
