"""Networks, in torch: backbones, video-text models, and what they are built of.

    from scenewise.models import create_model, list_models, load_pretrained

    network = create_model("timesformer_base", num_frames=8, num_classes=10)
    network = load_pretrained("TimeSformer_divST_8x32_224_K400.pyth")

Importing this package loads no network and no torch; names are looked up when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenewise.models.registry import create_model, list_models, model_card
    from scenewise.models.weights.load import load_pretrained, load_weights
    from scenewise.models.weights.own import save_pretrained

_HOME = {
    "create_model": "scenewise.models.registry",
    "list_models": "scenewise.models.registry",
    "load_pretrained": "scenewise.models.weights.load",
    "load_weights": "scenewise.models.weights.load",
    "model_card": "scenewise.models.registry",
    "save_pretrained": "scenewise.models.weights.own",
}

__all__ = [
    "create_model",
    "list_models",
    "load_pretrained",
    "load_weights",
    "model_card",
    "save_pretrained",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'scenewise.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
