"""A checkpoint is prepared once, whole or not at all; a wrong one is refused in one sentence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import numpy.typing as npt
import pytest
import torch
import transformers

from scenewise.encoders.clip import ClipEncoder
from scenewise.encoders.load import describe, prepare
from scenewise.encoders.spec import EncoderSpec
from scenewise.errors import EncoderError, ScenewiseError

FAMILIES = ("clip", "siglip", "siglip2", "xclip")


def load(folder: Path, cache: Path, progress: Callable[[str], None] | None = None) -> ClipEncoder:
    return ClipEncoder.load(
        str(folder),
        runtime="onnxruntime",
        device="cpu",
        threads=1,
        cache_dir=cache,
        progress=progress,
    )


def pictures(spec: EncoderSpec) -> npt.NDArray[np.uint8]:
    shape = (2, spec.frames_per_window, spec.target.height, spec.target.width, 3)
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def copy_of(checkpoint: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint, folder)
    return folder


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    shape = json.loads(path.read_text("utf-8"))
    change(shape)
    path.write_text(json.dumps(shape), "utf-8")


def test_a_tokenizer_without_the_end_mark_is_refused(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(checkpoints["clip"], tmp_path)
    edit(folder / "config.json", lambda shape: shape["text_config"].update(eos_token_id=5))
    with pytest.raises(EncoderError, match="does not end a text with id 5"):
        load(folder, tmp_path / "cache")


def test_a_second_load_prepares_nothing_and_other_weights_give_another_digest(
    checkpoints: dict[str, Path], encoder_cache: Path, tmp_path: Path
) -> None:
    folder = copy_of(checkpoints["clip"], tmp_path)
    lines: list[str] = []
    original = load(checkpoints["clip"], encoder_cache)
    first = load(folder, encoder_cache, lines.append)
    assert lines == [], "the same content under another path is already prepared"
    assert first.spec.revision == original.spec.revision
    network = transformers.CLIPModel.from_pretrained(folder)
    network.visual_projection.weight.data[0, 0] += 0.5
    network.save_pretrained(folder)
    changed = load(folder, encoder_cache, lines.append)
    assert any("exporting the image side" in line for line in lines)
    assert changed.spec.digest() != first.spec.digest()
    assert replace(changed.spec, revision=first.spec.revision) == first.spec
    frames = pictures(first.spec)
    difference = changed.encode_windows(frames).vectors - first.encode_windows(frames).vectors
    assert np.abs(difference).max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prepared_checkpoint_needs_neither_torch_nor_transformers(
    family: str, checkpoints: dict[str, Path], encoder_cache: Path
) -> None:
    folder = checkpoints[family]
    frames = load(folder, encoder_cache).spec.frames_per_window
    program = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from scenewise.encoders.clip import ClipEncoder\n"
        f"name, cache = {str(folder)!r}, Path({str(encoder_cache)!r})\n"
        "encoder = ClipEncoder.load(name, runtime='onnxruntime', device='cpu', threads=1,\n"
        "                           cache_dir=cache, progress=None)\n"
        "query = encoder.encode_query('a cat')\n"
        f"features = encoder.encode_windows(np.zeros((1, {frames}, 32, 32, 3), np.uint8))\n"
        "encoder.explain(query, features)\n"
        "print(sorted({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.stdout.strip() == "[]"


def test_a_hub_name_is_asked_for_once(
    checkpoints: dict[str, Path], encoder_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, asked = "owner/tiny-clip", []

    def give(repository: str, **_: Any) -> str:
        asked.append(repository)
        return str(checkpoints["clip"])

    def refuse(*_: Any, **__: Any) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no network")

    options: dict[str, Any] = {"runtime": "onnxruntime", "cache_dir": encoder_cache}
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(EncoderError, match=f"run scenewise models prepare {name}"):
        ClipEncoder.describe(name, **options)
    with pytest.raises(EncoderError, match=f"run scenewise models prepare {name}@v1.0"):
        describe(f"{name}@v1.0", cache_dir=encoder_cache)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    spec = prepare(name, device="cpu", **options)
    local = load(checkpoints["clip"], encoder_cache).spec
    assert spec == replace(local, name=name)
    assert asked == [name]
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    again = ClipEncoder.load(name, device="cpu", threads=1, progress=None, **options)
    assert again.spec == spec == describe(name, **options)
    assert again.encode_query("a cat").vector.shape == (spec.dimension,)
    with pytest.raises(EncoderError, match="the hub cannot be reached"):
        ClipEncoder.prepare(name, device="cpu", progress=None, **options)


def processor_file(folder: Path) -> Path:
    return folder / "preprocessor_config.json"


BREAKAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "holds no config.json"),
    "config is no JSON": (
        lambda folder: (folder / "config.json").write_text("{"),
        "is not readable JSON",
    ),
    "another network": (
        lambda folder: edit(folder / "config.json", lambda s: s.update(model_type="bert")),
        "model_type 'bert'; allowed: clip, siglip, siglip2, xclip",
    ),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "holds no weights"),
    "weights cut short": (
        lambda folder: os.truncate(folder / "model.safetensors", 2000),
        "the weights cannot be loaded",
    ),
    "weights of another shape": (
        lambda folder: edit(
            folder / "config.json", lambda s: s["text_config"].update(intermediate_size=64)
        ),
        "weights have another shape than config.json says, such as",
    ),
    "a layer is missing": (
        lambda folder: edit(
            folder / "config.json", lambda s: s["vision_config"].update(num_hidden_layers=3)
        ),
        "weights are missing, such as vision_model.encoder.layers.2",
    ),
    "no processor": (
        lambda folder: processor_file(folder).unlink(),
        "neither preprocessor_config.json nor processor_config.json",
    ),
    "pictures of another size": (
        lambda folder: edit(
            processor_file(folder),
            lambda s: s.update(crop_size={"height": 24, "width": 24}),
        ),
        "24x24, but the network was built for 32x32",
    ),
    "a filter that is not offered": (
        lambda folder: edit(processor_file(folder), lambda s: s.update(resample=1)),
        "resample = 1, which cannot be followed",
    ),
    "a mean of two numbers": (
        lambda folder: edit(processor_file(folder), lambda s: s.update(image_mean=[0.5, 0.5])),
        "three numbers",
    ),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "holds no tokenizer"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_wrong_folder_is_one_sentence(
    breakage: str, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    damage, message = BREAKAGES[breakage]
    folder = copy_of(checkpoints["clip"], tmp_path)
    damage(folder)
    with pytest.raises(ScenewiseError) as caught:
        load(folder, tmp_path / "cache")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.onnx")), "nothing half made is left"


def test_weights_of_the_older_layout_are_read_without_unpickling(
    checkpoints: dict[str, Path], encoder_cache: Path, tmp_path: Path
) -> None:
    folder = copy_of(checkpoints["clip"], tmp_path)
    network = transformers.CLIPModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    encoder = load(folder, tmp_path / "cache")
    frames = pictures(encoder.spec)
    np.testing.assert_allclose(
        encoder.encode_windows(frames).vectors,
        load(checkpoints["clip"], encoder_cache).encode_windows(frames).vectors,
        atol=1e-6,
    )


class Malicious:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return (os.mkdir, (str(self.path),))  # type: ignore[return-value]  # a pickle's own shape


def test_a_pickle_that_would_run_code_is_refused(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(checkpoints["clip"], tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Malicious(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="the weights cannot be loaded"):
        load(folder, tmp_path / "cache")
    assert not (tmp_path / "ran").exists()


def test_a_description_needs_no_preparation(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    described = ClipEncoder.describe(
        str(checkpoints["clip"]), runtime="onnxruntime", cache_dir=tmp_path
    )
    assert not list(tmp_path.rglob("*.onnx"))
    assert described.dimension == 24


@pytest.mark.parametrize("family", FAMILIES)
def test_description_and_prepared_encoder_agree(
    family: str, checkpoints: dict[str, Path], encoder_cache: Path, tmp_path: Path
) -> None:
    name = str(checkpoints[family])
    spec = load(checkpoints[family], encoder_cache).spec
    for runtime in ("onnxruntime", "torch"):
        for cache in (encoder_cache, tmp_path):
            described = ClipEncoder.describe(name, runtime=runtime, cache_dir=cache)
            assert described.to_dict() == {**spec.to_dict(), "runtime": runtime}
