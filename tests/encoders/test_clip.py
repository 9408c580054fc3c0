"""Random checkpoints of each family, on disk as published ones are, give transformers' vectors.

The networks are small, their weights large enough for every term to count: changing any one
group of parameters must change the vectors by far more than the tolerance.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
import transformers
from torch.nn import functional as F

from scenewise.encoders import clip_preparation
from scenewise.encoders.clip import XCLIP_NOTE, ClipEncoder
from scenewise.encoders.spec import EncoderSpec, FloatArray
from scenewise.errors import EncoderError, UsageError
from scenewise.media.scale import Scaler

TOLERANCE = 1e-4  # of unit vectors, largest difference of any number
QUERIES = ("a photo of a cat", "Two dogs run after a RED ball!", "the lake " * 60)
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """A family as it is written to disk, and its network for comparison."""

    name: str
    folder: Path
    network: Any
    frames: int  # per window


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks of this size only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cases(checkpoints: dict[str, Path]) -> dict[str, Case]:
    kinds = {"clip": "CLIP", "siglip": "Siglip", "siglip2": "Siglip2", "xclip": "XCLIP"}
    return {
        name: Case(
            name,
            checkpoints[name],
            getattr(transformers, f"{kind}Model").from_pretrained(checkpoints[name]).eval(),
            4 if name == "xclip" else 1,
        )
        for name, kind in kinds.items()
    }


@pytest.fixture
def cache(encoder_cache: Path) -> Path:
    return encoder_cache


@pytest.fixture(params=["clip", "siglip", "siglip2", "xclip"])
def case(request: pytest.FixtureRequest, cases: dict[str, Case]) -> Case:
    return cases[request.param]


@pytest.fixture
def encoder(case: Case, cache: Path) -> Iterator[ClipEncoder]:
    loaded = load(case.folder, cache)
    yield loaded
    loaded.close()


def load(folder: Path, cache: Path, progress: Callable[[str], None] | None = None) -> ClipEncoder:
    return ClipEncoder.load(
        str(folder),
        runtime="onnxruntime",
        device="cpu",
        threads=1,
        cache_dir=cache,
        progress=progress,
    )


def pictures(spec: EncoderSpec, windows: int, frames: int) -> Bytes:
    rng = np.random.default_rng(1)
    shape = (windows, frames, spec.target.height, spec.target.width, 3)
    coarse = rng.integers(0, 256, (windows, frames, 4, 4, 3), dtype=np.uint8)
    side = spec.target.height // 4
    smooth = coarse.repeat(side, axis=2).repeat(side, axis=3)
    assert smooth.shape == shape
    return smooth


def unit(features: Any) -> FloatArray:
    pooled: torch.Tensor = features.pooler_output
    vectors: FloatArray = F.normalize(pooled, dim=-1).detach().numpy()
    return vectors


def image_vectors(case: Case, frames: Bytes) -> FloatArray:
    """The windows (B, T, H, W, 3) through transformers' own processor and network."""
    processor = transformers_processor(case)
    network = case.network
    flat = [frame for window in frames for frame in window]
    with torch.no_grad():
        if case.name == "siglip2":
            return unit(network.get_image_features(**processor(flat, return_tensors="pt")))
        # already of the right size: only the numbers are prepared
        done = processor(flat, do_resize=False, do_center_crop=False, return_tensors="pt")
        pixels = done["pixel_values"]
        if case.name == "xclip":
            clips = pixels.reshape(len(frames), case.frames, *pixels.shape[1:])
            return unit(network.get_video_features(pixel_values=clips))
        return unit(network.get_image_features(pixel_values=pixels))


def transformers_processor(case: Case) -> Any:
    kinds = {
        "clip": transformers.CLIPImageProcessorPil,
        "siglip": transformers.SiglipImageProcessorPil,
        "siglip2": transformers.Siglip2ImageProcessorPil,
        "xclip": transformers.CLIPImageProcessorPil,
    }
    return kinds[case.name].from_pretrained(case.folder)


def text_vectors(case: Case, ids: npt.NDArray[np.int64]) -> FloatArray:
    with torch.no_grad():
        return unit(case.network.get_text_features(input_ids=torch.from_numpy(ids)))


def token_ids(case: Case, cache: Path, text: str) -> npt.NDArray[np.int64]:
    """Ids from transformers' tokenizer; SigLIP's needs sentencepiece, so ours stands in there."""
    if case.name == "siglip":
        from scenewise.encoders.tokens import TextTokens

        folder = prepared(case, cache).folder
        return TextTokens(folder / "tokenizer.json")(text).ids
    kind: Any = (
        transformers.Siglip2Tokenizer if case.name == "siglip2" else (transformers.CLIPTokenizer)
    )
    length = 64 if case.name == "siglip2" else 77
    made = kind.from_pretrained(case.folder)(
        text, padding="max_length", truncation=True, max_length=length
    )
    return np.asarray([made["input_ids"]], dtype=np.int64)


def prepared(case: Case, cache: Path) -> clip_preparation.Prepared:
    return clip_preparation.prepared_checkpoint(
        str(case.folder), runtime="onnxruntime", cache_dir=cache
    )


def test_pictures_become_the_vectors_of_transformers(case: Case, encoder: ClipEncoder) -> None:
    frames = pictures(encoder.spec, 5, case.frames)
    ours = encoder.encode_windows(frames)
    theirs = image_vectors(case, frames)
    assert ours.vectors.shape == theirs.shape == (5, encoder.spec.dimension)
    assert ours.vectors.dtype == np.float32
    np.testing.assert_allclose(ours.vectors, theirs, atol=TOLERANCE, rtol=0)
    # the comparison can tell pictures apart
    assert np.abs(theirs[0] - theirs[1]).max() > 100 * TOLERANCE


def test_words_become_the_vectors_of_transformers(
    case: Case, encoder: ClipEncoder, cache: Path
) -> None:
    rows = []
    for text in QUERIES:
        ours = encoder.encode_query(text).vector
        theirs = text_vectors(case, token_ids(case, cache, text))[0]
        np.testing.assert_allclose(ours, theirs, atol=TOLERANCE, rtol=0, err_msg=text)
        rows.append(theirs)
    assert np.abs(rows[0] - rows[1]).max() > 100 * TOLERANCE


def test_every_group_of_parameters_counts(case: Case, encoder: ClipEncoder, cache: Path) -> None:
    """Were one of them read wrongly, the two tests above would fail."""
    frames = pictures(encoder.spec, 2, case.frames)
    ids = token_ids(case, cache, QUERIES[0])
    image, text = encoder.encode_windows(frames).vectors, encoder.encode_query(QUERIES[0]).vector
    silent = []
    for name, parameter in case.network.named_parameters():
        side = name.split(".")[0]
        if side.startswith(("logit_", "prompts_")):
            continue  # the score's, and X-CLIP's conditioning, which is not part of these vectors
        if name.endswith("k_proj.bias"):
            continue  # adds the same to all scores of a softmax: without effect by construction
        if name.startswith(
            tuple(f"vision_model.encoder.layers.0.message_attn.{part}_proj" for part in "qk")
        ):
            continue  # before the first layer all frames have the same class token
        kept = parameter.data.clone()
        parameter.data = kept * 2 + 0.2 * torch.sign(kept)
        if side in ("text_model", "text_projection"):
            moved = np.abs(text_vectors(case, ids)[0] - text).max()
        else:
            moved = np.abs(image_vectors(case, frames) - image).max()
        parameter.data = kept
        if moved < 3 * TOLERANCE:
            silent.append((name, float(moved)))
    assert not silent


def test_the_spec_says_what_the_files_say(cases: dict[str, Case], cache: Path) -> None:
    specs = {name: load(case.folder, cache).spec for name, case in cases.items()}
    clip, xclip = specs["clip"], specs["xclip"]
    assert (clip.target.mode, clip.target.resize_shortest) == ("crop", 36)
    assert (clip.target.width, clip.target.height) == (32, 32)
    assert clip.target.interpolation == "bicubic"
    np.testing.assert_allclose(clip.mean, MEAN)
    np.testing.assert_allclose(clip.std, STD)
    assert (clip.frames_per_window, clip.window_seconds, clip.stride_seconds) == (1, None, None)
    assert specs["siglip"].target.mode == "squash"
    assert specs["siglip"].mean == (0.5, 0.5, 0.5)
    assert specs["siglip"].licence == "apache-2.0"
    assert specs["siglip2"].target.interpolation == "bilinear"
    assert specs["siglip2"].target.width == 32, "4 x 4 of at most 20 patches of 8"
    assert xclip.mean == (0.485, 0.456, 0.406)
    assert (xclip.frames_per_window, xclip.window_seconds, xclip.stride_seconds) == (4, 8.0, 4.0)
    for name, spec in specs.items():
        assert spec.name == str(cases[name].folder)
        assert EncoderSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
        assert replace(spec, licence="reworded").digest() == spec.digest()
    assert len({spec.digest() for spec in specs.values()}) == 4


@pytest.mark.parametrize("name", ["clip", "siglip", "siglip2", "xclip"])
def test_a_decoded_frame_is_prepared_as_the_published_processor_does(
    name: str, cases: dict[str, Case], cache: Path
) -> None:
    """Scaling is another filter's (swscale on YUV, not PIL on RGB): equal but for rounding."""
    encoder = load(cases[name].folder, cache)
    spec = encoder.spec
    across, down = (72, 72) if name == "siglip2" else (120, 72)  # NaFlex: see its target
    y, x = np.mgrid[0:down, 0:across]
    channels = (128 + 100 * np.sin(x / 13), 128 + 100 * np.cos(y / 11), 2 * (x + y) / 2)
    picture = np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv444p")
    ours = Scaler(spec.target).picture(frame)
    assert ours.shape == (32, 32, 3)
    done = transformers_processor(cases[name])([picture], return_tensors="pt")
    if name == "siglip2":
        patches = done["pixel_values"][0, :16].reshape(4, 4, 8, 8, 3)
        pixels = patches.permute(0, 2, 1, 3, 4).reshape(32, 32, 3).numpy()
    else:
        pixels = done["pixel_values"][0].permute(1, 2, 0).numpy()
    theirs = (pixels * np.asarray(spec.std) + np.asarray(spec.mean)) * 255
    difference = np.abs(ours - theirs)
    assert difference.mean() < 1.5
    assert difference.max() < 6
    assert np.abs(ours[:, :-1] - theirs[:, 1:]).mean() > 2, "a shift by one pixel would be seen"


def test_windows_of_several_frames_are_the_mean_of_frames(
    cases: dict[str, Case], cache: Path
) -> None:
    encoder = load(cases["siglip"].folder, cache)
    frames = pictures(encoder.spec, 3, 8)
    together = encoder.encode_windows(frames).vectors
    single = encoder.encode_windows(frames.reshape(24, 1, 32, 32, 3)).vectors
    mean = single.reshape(3, 8, -1).mean(axis=1)
    wanted = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(together, wanted, atol=1e-6)


def test_batches_of_any_size_give_the_same_vectors(cases: dict[str, Case], cache: Path) -> None:
    ready = prepared(cases["clip"], cache)
    frames = pictures(ready.spec, 7, 1)
    whole = ClipEncoder(ready, device="cpu", threads=1).encode_windows(frames).vectors
    tight = replace(ready, window_bytes=2**40)  # one picture at a time
    alone = ClipEncoder(tight, device="cpu", threads=1).encode_windows(frames).vectors
    np.testing.assert_allclose(whole, alone, atol=1e-6)


def test_a_picture_as_query_finds_itself(case: Case, encoder: ClipEncoder) -> None:
    frames = pictures(encoder.spec, 4, 1)
    windows = frames.repeat(case.frames, axis=1)
    features = encoder.encode_windows(windows)
    query = encoder.encode_image(frames[2, 0])
    scores = encoder.score(query, features)
    assert int(scores.argmax()) == 2
    assert scores[2] == pytest.approx(1.0, abs=1e-5)
    assert query.text == ""
    (why,) = encoder.explain(query, features)
    assert (why.kind, why.detail) == ("image", "the pictures agree at cosine 1.00")


def test_score_is_the_cosine_and_the_reason_names_the_best(
    case: Case, encoder: ClipEncoder
) -> None:
    features = encoder.encode_windows(pictures(encoder.spec, 3, case.frames))
    query = encoder.encode_query("a cat")
    scores = encoder.score(query, features)
    assert scores.shape == (3,)
    np.testing.assert_allclose(np.linalg.norm(features.vectors, axis=1), 1, atol=1e-5)
    assert np.linalg.norm(query.vector) == pytest.approx(1, abs=1e-5)
    assert scores.argsort().tolist() == (features.vectors @ query.vector).argsort().tolist()
    (why,) = encoder.explain(query, features)
    assert why.kind == "similarity"
    assert why.detail.endswith(f"{scores.max():.2f}")


def test_siglip_scale_and_bias_give_the_published_logits(
    cases: dict[str, Case], cache: Path
) -> None:
    case = cases["siglip"]
    encoder = load(case.folder, cache)
    frames = pictures(encoder.spec, 3, 1)
    ids = token_ids(case, cache, QUERIES[0])
    pixels = transformers_processor(case)(
        [window[0] for window in frames], do_resize=False, return_tensors="pt"
    )["pixel_values"]
    with torch.no_grad():
        wanted = case.network(input_ids=torch.from_numpy(ids), pixel_values=pixels)
    cosine = encoder.score(encoder.encode_query(QUERIES[0]), encoder.encode_windows(frames))
    ours = encoder.logit_scale * cosine + encoder.logit_bias
    np.testing.assert_allclose(ours, wanted.logits_per_text[0].numpy(), atol=1e-3)


def test_notes_say_what_was_cut_and_what_xclip_leaves_out(
    cases: dict[str, Case], cache: Path
) -> None:
    words = "the lake " * 60
    clip, xclip = (load(cases[name].folder, cache) for name in ("clip", "xclip"))
    assert clip.encode_query("a cat").notes == ()
    (note,) = clip.encode_query(words).notes
    assert note.startswith("the query was cut after 77 tokens: ")
    assert xclip.encode_query("a cat").notes == (XCLIP_NOTE,)
    assert len(xclip.encode_query(words).notes) == 2


def test_xclip_leaves_out_exactly_the_conditioning(cases: dict[str, Case], cache: Path) -> None:
    """With the prompt generator's weight at zero the published score is ours; otherwise not."""
    case = cases["xclip"]
    encoder = load(case.folder, cache)
    frames = pictures(encoder.spec, 3, 4)
    ours = encoder.score(encoder.encode_query(QUERIES[0]), encoder.encode_windows(frames))
    flat = [frame for window in frames for frame in window]
    pixels = transformers_processor(case)(
        flat, do_resize=False, do_center_crop=False, return_tensors="pt"
    )["pixel_values"].reshape(3, 4, 3, 32, 32)
    ids = torch.from_numpy(token_ids(case, cache, QUERIES[0]))
    alpha = case.network.prompts_generator.alpha
    kept = alpha.data.clone()
    scores = {}
    for name, value in (("without", torch.zeros_like(kept)), ("with", kept)):
        alpha.data = value
        with torch.no_grad():
            logits = case.network(input_ids=ids, pixel_values=pixels).logits_per_video[:, 0]
        scores[name] = (logits / encoder.logit_scale).numpy()
    alpha.data = kept
    np.testing.assert_allclose(ours, scores["without"], atol=TOLERANCE)
    assert np.abs(ours - scores["with"]).max() > 10 * TOLERANCE


def test_clip_pools_at_the_end_mark_in_old_and_new_configs(
    cases: dict[str, Case], cache: Path, tmp_path: Path
) -> None:
    """``eos_token_id`` 2 is the old mistake in config.json: the largest id is pooled then."""
    old = tmp_path / "old"
    shutil.copytree(cases["clip"].folder, old)
    settings = json.loads((old / "config.json").read_text("utf-8"))
    assert settings["text_config"]["eos_token_id"] != 2
    settings["text_config"]["eos_token_id"] = 2
    (old / "config.json").write_text(json.dumps(settings), "utf-8")
    new_vector = load(cases["clip"].folder, cache).encode_query("a cat").vector
    old_vector = load(old, cache).encode_query("a cat").vector
    np.testing.assert_allclose(old_vector, new_vector, atol=1e-6)


def test_openvino_gives_the_same_vectors(case: Case, encoder: ClipEncoder, cache: Path) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    compare_runtimes(case, encoder, cache, "openvino")


def test_torch_gives_the_same_vectors(cases: dict[str, Case], cache: Path) -> None:
    case = cases["xclip"]
    compare_runtimes(case, load(case.folder, cache), cache, "torch")


def compare_runtimes(case: Case, encoder: ClipEncoder, cache: Path, runtime: str) -> None:
    other = ClipEncoder.load(
        str(case.folder), runtime=runtime, device="cpu", threads=1, cache_dir=cache, progress=None
    )
    frames = pictures(encoder.spec, 3, case.frames)
    ours, theirs = encoder.encode_windows(frames), other.encode_windows(frames)
    np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=TOLERANCE)
    ours_text, theirs_text = (each.encode_query("a red ball") for each in (encoder, other))
    np.testing.assert_allclose(ours_text.vector, theirs_text.vector, atol=TOLERANCE)
    assert other.spec.runtime == runtime
    assert other.spec.digest() != encoder.spec.digest()
    other.close()


@pytest.mark.parametrize(
    ("name", "shape"),
    [("clip", (1, 1, 30, 32, 3)), ("clip", (1, 32, 32, 3)), ("xclip", (1, 3, 32, 32, 3))],
)
def test_frames_of_another_shape_are_refused(
    name: str, shape: tuple[int, ...], cases: dict[str, Case], cache: Path
) -> None:
    encoder = load(cases[name].folder, cache)
    with pytest.raises(EncoderError, match="takes uint8 pictures of the shape"):
        encoder.encode_windows(np.zeros(shape, np.uint8))


def test_an_empty_query_is_refused(cases: dict[str, Case], cache: Path) -> None:
    with pytest.raises(UsageError, match="empty"):
        load(cases["clip"].folder, cache).encode_query("  ")
