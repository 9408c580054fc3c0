"""Modules of torchvision/models/video, run from its source with stand-ins for what they import.

Its package as a whole wants an extension that was built for one torch. The source is a checkout
of pytorch/vision, or its wheel unpacked.
"""

from __future__ import annotations

import importlib
import sys
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any


class _Weights:
    def __init__(self, **facts: Any) -> None:
        self.meta, self.url = facts.get("meta", {}), facts.get("url", "")


class _WeightsEnum(Enum):
    @property
    def url(self) -> str:
        return str(self.value.url)

    @classmethod
    def verify(cls, given: object) -> object:
        return given


def _unchanged(*_given: object, **_named: object) -> Any:
    return lambda function: function


_STANDINS: dict[str, dict[str, Any]] = {
    "transforms": {},
    "transforms._presets": {"VideoClassification": object},
    "utils": {
        "_log_api_usage_once": lambda _made: None,
        "_make_ntuple": lambda x, n: tuple(x) if isinstance(x, list | tuple) else (x,) * n,
    },
    "models._api": {
        "register_model": _unchanged,
        "Weights": _Weights,
        "WeightsEnum": _WeightsEnum,
    },
    "models._meta": {"_KINETICS400_CATEGORIES": []},
    "models._utils": {
        "_ovewrite_named_param": None,
        "handle_legacy_interface": _unchanged,
        "_ModelURLs": dict,
    },
}


def video_module(name: str) -> Any:
    """``resnet`` or ``s3d`` of the checkout that is on the path."""
    root = next(Path(place, "torchvision") for place in sys.path if _has_source(place))
    before = set(sys.modules)
    for package in ("", ".models", ".models.video", ".ops"):
        made = ModuleType(f"torchvision{package}")
        made.__path__ = [str(root.joinpath(*package.split(".")))]
        sys.modules[made.__name__] = made
    for place, names in _STANDINS.items():
        made = ModuleType(f"torchvision.{place}")
        made.__dict__.update(names)
        sys.modules[made.__name__] = made
    try:
        return importlib.import_module(f"torchvision.models.video.{name}")
    finally:
        for left in set(sys.modules) - before:
            if left.startswith("torchvision"):
                del sys.modules[left]


def _has_source(place: str) -> bool:
    return Path(place, "torchvision", "models", "video", "resnet.py").is_file()
