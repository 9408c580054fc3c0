"""Networks that draw boxes around things: checkpoints of the DETR family, and OWL-ViT and OWLv2.

It knows pictures, labels and boxes; it knows no file of video and no time. A detector of the DETR
family (Carion et al. 2020, "End-to-End Object Detection with Transformers", and what grew from it:
Conditional, Deformable, DAB, RT-DETR, D-FINE, YOLOS) has a closed list of classes in its
``config.json``; OWL-ViT and OWLv2 (Minderer et al. 2022, 2023) are asked in words. Preprocessing
and the meaning of the outputs are those of the checkpoint's own processor in transformers, of
which the kinds that need no torchvision are taken. torch and transformers are loaded with the
detector, not with this module.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.config import expand_user
from scenewise.device import check_device
from scenewise.encoders.hub import Checkpoint, is_hub_name, resolve
from scenewise.encoders.huggingface_config import read_json
from scenewise.encoders.spec import Report
from scenewise.errors import EncoderError, MissingExtraError, UsageError, first_line

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB

OPEN_FAMILIES = ("owlv2", "owlvit")
CLOSED_FAMILIES = (
    "conditional_detr",
    "d_fine",
    "dab-detr",
    "deformable_detr",
    "detr",
    "lw_detr",
    "rf_detr",
    "rt_detr",
    "rt_detr_v2",
    "yolos",
)
LONGEST_EDGE = 1333  # pixels: no processor of these families asks for more
_NO_CLASSES = ("", "N/A", "no-object")
_NEAREST = 5  # names that a message offers
_CUDA_BATCH = 8
_COUNTERS = "num_batches_tracked"  # not part of what a network computes


@dataclass(frozen=True, slots=True)
class DetectedBox:
    """A thing in one picture. Lengths are fractions of the picture's width or height."""

    label: str
    probability: float
    left: float
    top: float
    width: float
    height: float


class HuggingFaceDetector:
    """A loaded detector. Use ``load_detector``."""

    def __init__(
        self, name: str, network: Any, processor: Any, tokenizer: Any, device: str, classes: Any
    ) -> None:
        self.name = name
        self.device = device
        self._network = network
        self._processor = processor
        self._tokenizer = tokenizer
        self._classes: dict[int, str] = classes

    @property
    def is_open(self) -> bool:
        """Whether it is asked in words, and not by a class of its list."""
        return self._tokenizer is not None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of a closed detector, in the order of its list; () for an open one."""
        return tuple(dict.fromkeys(name for name in self._classes.values() if _is_class(name)))

    @property
    def batch(self) -> int:
        """How many pictures it likes at once."""
        return _CUDA_BATCH if self.device == "cuda" else 1

    def known_labels(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """The labels as this detector writes them; of a closed one all its classes for none.

        Raises UsageError for a label that it does not know, with the nearest that it does.
        """
        if self.is_open:
            if not wanted:
                raise UsageError(
                    f"{self.name} is asked in words: give the labels, such as "
                    '--labels "person,red car".'
                )
            return tuple(wanted)
        by_name = {name.casefold(): name for name in self.labels}
        for label in wanted:
            if label.casefold() not in by_name:
                near = difflib.get_close_matches(label.casefold(), by_name, _NEAREST, 0.4)
                offered = [by_name[name] for name in near] or list(self.labels[:_NEAREST])
                raise UsageError(
                    f"{self.name} knows no label {label!r}; the nearest of its "
                    f"{len(by_name)} are: {', '.join(offered)}."
                )
        return tuple(by_name[label.casefold()] for label in wanted) or self.labels

    def detect(
        self, pictures: Sequence[Picture], labels: Sequence[str], least: float
    ) -> list[tuple[DetectedBox, ...]]:
        """For each picture (H, W, 3), all of one size, its boxes of at least this probability.

        ``labels`` are those of ``known_labels``. Best first; several boxes of one thing are the
        network's own and are left as they are.
        """
        import torch
        from PIL import Image

        from scenewise.encoders.pretrained import quiet

        images = [Image.fromarray(picture) for picture in pictures]
        with torch.inference_mode(), quiet():
            inputs = dict(self._processor(images=images, return_tensors="pt"))
            if self._tokenizer is not None:
                inputs |= self._tokens(labels, len(images))
            inputs = {name: value.to(self.device) for name, value in inputs.items()}
            outputs = self._network(**inputs)
            sizes = [picture.shape[:2] for picture in pictures]
            found = self._processor.post_process_object_detection(
                outputs, threshold=least, target_sizes=sizes
            )
        names = dict(enumerate(labels)) if self.is_open else self._classes
        return [
            _boxes(one, size, names, set(labels)) for one, size in zip(found, sizes, strict=True)
        ]

    def _tokens(self, labels: Sequence[str], count: int) -> dict[str, Any]:
        """The questions, once for each picture."""
        words = [f"a photo of {_with_article(label)}" for label in labels]
        length = self._network.config.text_config.max_position_embeddings
        tokens = self._tokenizer(
            words, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        return {name: tokens[name].repeat(count, 1) for name in ("input_ids", "attention_mask")}


def load_detector(
    name: str,
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: Report | None = None,
) -> HuggingFaceDetector:
    """The detector in a folder, or of this hub name, which the user names and so allows.

    ``threads`` None leaves torch's own number. Raises UsageError for a name that is neither,
    EncoderError for another kind of network or broken files, MissingExtraError where its code
    needs a package that is not installed.
    """
    check_device(device)
    if not name or not (expand_user(name).is_dir() or is_hub_name(name)):
        raise UsageError(
            f"The detector {name!r} is neither a folder nor a hub name; give a folder with a "
            "checkpoint in Hugging Face layout, or a name such as PekingU/rtdetr_r18vd."
        )
    checkpoint = resolve(name, progress=progress)
    config = read_json(checkpoint.folder / "config.json")
    family = str(config.get("model_type"))
    if family not in (*CLOSED_FAMILIES, *OPEN_FAMILIES):
        raise EncoderError(
            f"{checkpoint.name}: model_type {family!r} is no detector that can be used; allowed: "
            f"{', '.join((*CLOSED_FAMILIES, *OPEN_FAMILIES))}."
        )
    if progress is not None:
        progress(f"loading the detector {checkpoint.name}")
    network = _network(checkpoint, family).to(_place(device))
    if threads is not None:
        _limit_threads(threads)
    processor = _processor(checkpoint)
    tokenizer = _tokenizer(checkpoint) if family in OPEN_FAMILIES else None
    labels = {} if tokenizer is not None else dict(network.config.id2label)
    return HuggingFaceDetector(
        checkpoint.name, network, processor, tokenizer, _place(device), labels
    )


def _network(checkpoint: Checkpoint, family: str) -> Any:
    """The network with the checkpoint's weights, in fp32; every weight must be there."""
    import torch
    import transformers

    from scenewise.encoders.pretrained import quiet

    kind = (
        transformers.AutoModelForZeroShotObjectDetection
        if family in OPEN_FAMILIES
        else transformers.AutoModelForObjectDetection
    )
    with quiet():
        try:
            network, report = kind.from_pretrained(
                checkpoint.folder,
                local_files_only=True,
                use_safetensors=checkpoint.weights[0].suffix == ".safetensors",
                weights_only=True,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, and refused below
            )
        except ImportError as error:
            package = "timm" if "timm" in str(error) else "the package it names"
            raise MissingExtraError(
                f"{checkpoint.name}: its code needs {package}, which is not installed "
                f"({first_line(error)}); install it, or take a checkpoint whose backbone is part "
                "of transformers, such as PekingU/rtdetr_r18vd."
            ) from error
        except Exception as error:  # damaged files raise whatever their reader raises
            raise EncoderError(
                f"{checkpoint.name}: the detector cannot be loaded: {first_line(error)}. Fetch "
                "the checkpoint again."
            ) from error
    wrong = [str(entry[0]) for entry in report["mismatched_keys"]]
    wrong += [key for key in report["missing_keys"] if not key.endswith(_COUNTERS)]
    if wrong:
        raise EncoderError(
            f"{checkpoint.name}: {len(wrong)} weights are missing or have another shape than "
            f"config.json says, such as {sorted(wrong)[0]}; take both from one checkpoint."
        )
    return network.eval()


def _processor(checkpoint: Checkpoint) -> Any:
    """What makes pictures ready and outputs readable; of the kinds without torchvision."""
    import transformers

    from scenewise.encoders.pretrained import quiet

    with quiet():
        try:
            processor = transformers.AutoImageProcessor.from_pretrained(
                checkpoint.folder, local_files_only=True, backend="pil"
            )
        except Exception as error:  # whatever its reader raises for missing or foreign settings
            raise EncoderError(
                f"{checkpoint.name}: the settings of its processor cannot be used: "
                f"{first_line(error)}. Complete the folder with preprocessor_config.json."
            ) from error
    if not hasattr(processor, "post_process_object_detection"):
        raise EncoderError(
            f"{checkpoint.name}: its processor {type(processor).__name__} is not one of a "
            "detector; take preprocessor_config.json from the checkpoint of config.json."
        )
    return processor


def _tokenizer(checkpoint: Checkpoint) -> Any:
    import transformers

    from scenewise.encoders.pretrained import quiet

    with quiet():
        try:
            return transformers.AutoTokenizer.from_pretrained(
                checkpoint.folder, local_files_only=True
            )
        except Exception as error:  # whatever its reader raises for missing files
            raise EncoderError(
                f"{checkpoint.name}: its tokenizer cannot be used: {first_line(error)}. "
                "Complete the folder with the tokenizer's files."
            ) from error


def _place(device: str) -> str:
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise EncoderError(
            "Device cuda is not there: this machine has no NVIDIA GPU that torch can use; use "
            "--device cpu."
        )
    return "cuda" if device != "cpu" and there else "cpu"


def _limit_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)  # torch knows only one number for the whole process


def _boxes(
    found: dict[str, Any], size: tuple[int, int], names: dict[int, str], wanted: set[str]
) -> tuple[DetectedBox, ...]:
    """One picture's boxes of wanted labels, as fractions, inside the picture, best first."""
    height, width = size
    corners = found["boxes"].cpu().numpy().astype(np.float64) / (width, height, width, height)
    corners = np.clip(corners, 0.0, 1.0)
    scores = found["scores"].cpu().numpy().astype(np.float64)
    boxes = []
    for number in np.argsort(-scores, kind="stable").tolist():
        label = names.get(int(found["labels"][number]), "")
        left, top, right, low = corners[number].tolist()
        if label in wanted and right > left and low > top:
            probability = min(1.0, float(scores[number]))
            boxes.append(DetectedBox(label, probability, left, top, right - left, low - top))
    return tuple(boxes)


def _is_class(name: str) -> bool:
    return name not in _NO_CLASSES


def _with_article(label: str) -> str:
    first = label.split(" ", 1)[0].lower()
    if first in ("a", "an", "the", "some", "two", "several", "many"):
        return label
    return f"an {label}" if first[:1] in tuple("aeiou") else f"a {label}"
