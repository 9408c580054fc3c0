"""Detectors in Hugging Face layout: random ones that are written to disk, read as published ones.

What boxes mean is checked twice: against transformers' own post-processing, and against the
published rule, written out in numpy.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scenewise.encoders.detectors import DetectedBox, HuggingFaceDetector, load_detector
from scenewise.errors import EncoderError, MissingExtraError, UsageError

PICTURES = [
    np.random.default_rng(seed).integers(0, 256, (60, 100, 3), dtype=np.uint8) for seed in (0, 1)
]
CLASSES = {0: "N/A", 1: "person", 2: "red car", 3: "dog"}


def _spread(network: Any) -> Any:
    """Weights large enough that boxes and classes differ from query to query."""
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() > 1 and "backbone" not in name:
                weight.normal_(std=0.5)
    return network


@pytest.fixture(scope="module")
def detectors(
    tmp_path_factory: pytest.TempPathFactory, write_clip_tokenizer: Callable[[Path], int]
) -> dict[str, Path]:
    import transformers as hf

    root = tmp_path_factory.mktemp("detectors")
    names = {"id2label": CLASSES, "label2id": {name: place for place, name in CLASSES.items()}}
    small: dict[str, Any] = {"d_model": 16, "num_queries": 8, **names}
    plain = {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None}
    shallow = hf.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic",
        out_features=["stage2"],
    )  # fmt: skip
    layers = {
        "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
    }  # fmt: skip
    detr = hf.DetrForObjectDetection(
        hf.DetrConfig(backbone_config=shallow, **plain, **layers, **small)
    )
    conditional = hf.ConditionalDetrForObjectDetection(
        hf.ConditionalDetrConfig(backbone_config=shallow, **plain, **layers, **small)
    )
    deep = hf.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    real_time = hf.RTDetrForObjectDetection(
        hf.RTDetrConfig(
            backbone_config=deep, **plain, encoder_hidden_dim=16, encoder_in_channels=[8, 8, 16],
            encoder_ffn_dim=16, encoder_attention_heads=2, decoder_in_channels=[16, 16, 16],
            decoder_ffn_dim=16, decoder_layers=1, decoder_attention_heads=2, decoder_n_points=2,
            hidden_expansion=0.5, num_denoising=0, **small,
        )
    )  # fmt: skip
    short = {"shortest_edge": 48, "longest_edge": 80}
    square = {"height": 64, "width": 64}
    made = {
        "detr": (detr, hf.DetrImageProcessorPil(size=short)),
        "conditional": (conditional, hf.ConditionalDetrImageProcessorPil(size=short)),
        "rt_detr": (real_time, hf.RTDetrImageProcessorPil(size=square)),
    }
    for name, (network, processor) in made.items():
        _spread(network).save_pretrained(root / name)
        processor.save_pretrained(root / name)
    (root / "owlv2").mkdir()
    words = write_clip_tokenizer(root / "owlv2")
    part = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }  # fmt: skip
    owl = hf.Owlv2ForObjectDetection(
        hf.Owlv2Config(
            text_config={
                **part, "vocab_size": words, "max_position_embeddings": 16,
                "bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": 0,
            },
            vision_config={**part, "image_size": 32, "patch_size": 16},
            projection_dim=16,
        )
    )  # fmt: skip
    _spread(owl).save_pretrained(root / "owlv2")
    size = {"height": 32, "width": 32}
    hf.Owlv2ImageProcessorPil(size=size).save_pretrained(root / "owlv2")
    return {folder.name: folder for folder in root.iterdir()}


def raw(folder: Path, **inputs: Any) -> tuple[Any, Any]:
    """The processor and the network's raw outputs for the pictures."""
    import torch
    import transformers as hf
    from PIL import Image

    processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    kind = hf.AutoModelForZeroShotObjectDetection if inputs else hf.AutoModelForObjectDetection
    network = kind.from_pretrained(folder).eval()
    images = [Image.fromarray(picture) for picture in PICTURES]
    with torch.no_grad():
        return processor, network(**processor(images=images, return_tensors="pt"), **inputs)


def corners(box: DetectedBox) -> tuple[float, float, float, float]:
    return box.left, box.top, box.left + box.width, box.top + box.height


def inside(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Corners, as fractions, of what lies in the picture."""
    return np.asarray(np.clip(boxes / [100, 60, 100, 60], 0, 1))


@pytest.mark.parametrize("name", ["detr", "conditional", "rt_detr"])
def test_boxes_are_those_of_transformers(detectors: dict[str, Path], name: str) -> None:
    detector = load_detector(str(detectors[name]), device="cpu")
    least = 0.3
    ours = detector.detect(PICTURES, detector.known_labels(()), least)
    processor, outputs = raw(detectors[name])
    theirs = processor.post_process_object_detection(
        outputs, threshold=least, target_sizes=[(60, 100)] * 2
    )
    assert sum(len(boxes) for boxes in ours) > 0
    for mine, his in zip(ours, theirs, strict=True):
        expected = [
            (CLASSES[int(label)], float(score), tuple(box))
            for label, score, box in zip(
                his["labels"], his["scores"], inside(his["boxes"].numpy()), strict=True
            )
            if CLASSES[int(label)] != "N/A" and box[2] > box[0] and box[3] > box[1]
        ]
        expected.sort(key=lambda entry: -entry[1])
        assert [box.label for box in mine] == [entry[0] for entry in expected]
        for box, (_, score, place) in zip(mine, expected, strict=True):
            assert box.probability == pytest.approx(score, abs=1e-5)
            assert corners(box) == pytest.approx(place, abs=1e-5)


def test_detr_s_rule_written_out(detectors: dict[str, Path]) -> None:
    """Softmax with a last class for nothing; centre and size as fractions (Carion et al. 2020)."""
    detector = load_detector(str(detectors["detr"]), device="cpu")
    _, outputs = raw(detectors["detr"])
    logits, boxes = outputs.logits[0].numpy(), outputs.pred_boxes[0].numpy().astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    best = shares[:, :-1].argmax(axis=1)
    least = 0.0
    expected = sorted(
        (
            (CLASSES[int(label)], float(share[label]), *place)
            for label, share, place in zip(best, shares, boxes, strict=True)
            if CLASSES[int(label)] != "N/A" and share[label] > least
        ),
        key=lambda entry: -entry[1],
    )
    mine = detector.detect(PICTURES[:1], detector.labels, least)[0]
    assert len(mine) == len(expected) > 0
    for box, (label, share, x, y, wide, high) in zip(mine, expected, strict=True):
        whole = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        assert box.label == label
        assert box.probability == pytest.approx(share, abs=1e-4)
        assert corners(box) == pytest.approx(tuple(np.clip(whole, 0, 1)), abs=1e-4)


def test_owlv2_is_asked_in_words(detectors: dict[str, Path]) -> None:
    """Its picture is padded to a square below and to the right: boxes are shares of that."""
    import transformers as hf

    detector = load_detector(str(detectors["owlv2"]), device="cpu")
    assert detector.is_open
    assert detector.labels == ()
    labels = detector.known_labels(["cat", "two dogs"])
    ours = detector.detect(PICTURES, labels, 0.0)
    tokenizer = hf.AutoTokenizer.from_pretrained(detectors["owlv2"])
    tokens = tokenizer(
        ["a photo of a cat", "a photo of two dogs"] * 2, padding="max_length", max_length=16,
        truncation=True, return_tensors="pt",
    )  # fmt: skip
    _, outputs = raw(
        detectors["owlv2"], input_ids=tokens.input_ids, attention_mask=tokens.attention_mask
    )
    for place, mine in enumerate(ours):
        logits = outputs.logits[place].numpy()
        scores = 1 / (1 + np.exp(-logits.max(axis=1)))
        x, y, wide, high = outputs.pred_boxes[place].numpy().astype(np.float64).T
        square = np.stack([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2], axis=1) * 100
        expected = {
            (labels[int(best)], round(float(score), 4), *np.round(box, 4).tolist())
            for best, score, box in zip(logits.argmax(axis=1), scores, inside(square), strict=True)
            if box[2] > box[0] and box[3] > box[1]
        }
        found = {
            (box.label, round(box.probability, 4), *np.round(corners(box), 4).tolist())
            for box in mine
        }
        assert found == expected
        assert found


def test_labels_filter_and_are_read_without_regard_to_case(detectors: dict[str, Path]) -> None:
    detector = load_detector(str(detectors["detr"]), device="cpu")
    assert detector.labels == ("person", "red car", "dog")  # N/A is no class
    assert detector.known_labels(["Red Car", "DOG"]) == ("red car", "dog")
    everything = detector.detect(PICTURES, detector.labels, 0.0)
    some = {box.label for boxes in everything for box in boxes}
    one = sorted(some)[0]
    only = detector.detect(PICTURES, (one,), 0.0)
    assert only == [tuple(box for box in boxes if box.label == one) for boxes in everything]


def test_an_unknown_label_is_refused_with_the_nearest(detectors: dict[str, Path]) -> None:
    detector = load_detector(str(detectors["detr"]), device="cpu")
    with pytest.raises(UsageError, match=r"knows no label 'persons'; the nearest .* are: person"):
        detector.known_labels(["persons"])
    with pytest.raises(UsageError, match="knows no label 'qqqq'"):
        detector.known_labels(["qqqq"])
    with pytest.raises(UsageError, match="is asked in words: give the labels"):
        load_detector(str(detectors["owlv2"]), device="cpu").known_labels([])


def test_old_settings_of_the_processor_are_read(detectors: dict[str, Path], tmp_path: Path) -> None:
    """As the first DETR's were written: a feature extractor with one size and a largest."""
    folder = tmp_path / "old"
    shutil.copytree(detectors["detr"], folder)
    settings = {
        "do_normalize": True, "do_resize": True, "feature_extractor_type": "DetrFeatureExtractor",
        "format": "coco_detection", "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225], "max_size": 80, "size": 48,
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")
    old = load_detector(str(folder), device="cpu")
    new = load_detector(str(detectors["detr"]), device="cpu")
    assert old.detect(PICTURES, old.labels, 0.3) == new.detect(PICTURES, new.labels, 0.3)


@pytest.mark.parametrize("name", ["", "nowhere", "a b/c"])
def test_a_name_that_is_neither_folder_nor_of_the_hub(name: str) -> None:
    with pytest.raises(UsageError, match="neither a folder nor a hub name"):
        load_detector(name)


def _change(folder: Path, **entries: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | entries), "utf-8")


def test_other_networks_and_broken_files_are_refused(
    detectors: dict[str, Path], tmp_path: Path
) -> None:
    def copy(name: str, source: str = "detr") -> Path:
        shutil.copytree(detectors[source], tmp_path / name)
        return tmp_path / name

    other = copy("other")
    _change(other, model_type="bert")
    with pytest.raises(EncoderError, match="model_type 'bert' is no detector"):
        load_detector(str(other))
    unset = copy("unset")
    (unset / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderError, match="settings of its processor cannot be used"):
        load_detector(str(unset))
    wide = copy("wide")
    _change(wide, num_queries=9)
    with pytest.raises(EncoderError, match="weights are missing or have another shape"):
        load_detector(str(wide))
    torn = copy("torn")
    (torn / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_detector(str(torn))
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match=r"no config\.json"):
        load_detector(str(tmp_path / "empty"))


def test_a_backbone_of_timm_needs_timm(detectors: dict[str, Path], tmp_path: Path) -> None:
    """As facebook/detr-resnet-50 is written."""
    folder = tmp_path / "timm"
    shutil.copytree(detectors["detr"], folder)
    _change(folder, use_timm_backbone=True, backbone="resnet50", backbone_config=None)
    with pytest.raises(MissingExtraError, match="needs timm, which is not installed"):
        load_detector(str(folder), device="cpu")


def test_a_gpu_that_is_not_there(detectors: dict[str, Path]) -> None:
    import torch

    if torch.cuda.is_available():
        assert load_detector(str(detectors["detr"]), device="cuda").device == "cuda"
    else:
        with pytest.raises(EncoderError, match="Device cuda is not there"):
            load_detector(str(detectors["detr"]), device="cuda")
    with pytest.raises(UsageError, match="device 'tpu' is unknown"):
        load_detector(str(detectors["detr"]), device="tpu")


def test_pictures_are_taken_one_by_one_on_a_processor(detectors: dict[str, Path]) -> None:
    detector = load_detector(str(detectors["rt_detr"]), device="cpu", threads=1)
    assert isinstance(detector, HuggingFaceDetector)
    assert detector.batch == 1
    together = detector.detect(PICTURES, detector.labels, 0.3)
    apart = [detector.detect([picture], detector.labels, 0.3)[0] for picture in PICTURES]
    for one, other in zip(together, apart, strict=True):
        assert [box.label for box in one] == [box.label for box in other]
        for mine, his in zip(one, other, strict=True):
            assert corners(mine) == pytest.approx(corners(his), abs=1e-4)
