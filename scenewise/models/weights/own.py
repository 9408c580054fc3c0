"""Our own format: a folder with ``config.json`` and ``model.safetensors``.

    {"format": "scenewise", "network": "timesformer_base", "options": {"num_frames": 8},
     "labels": ["abseiling", …]}

It knows this format alone. A folder that is to answer words also holds ``tokenizer.json``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from scenewise.errors import NetworkError
from scenewise.media.whole_file import flush
from scenewise.models.registry import created_as
from scenewise.models.weights.layout import Identified

OWN = "scenewise"  # the name of the format, and of the layout
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"


def save_pretrained(
    network: nn.Module,
    folder: str | Path,
    *,
    labels: Sequence[str] | None = None,
    tokenizer: str | Path | None = None,
    text: Mapping[str, Any] | None = None,
) -> Path:
    """Write a network that ``create_model`` made, so that ``load_pretrained`` makes it again.

    ``labels`` are the names of a classifier's classes, in their order; ``tokenizer`` is a
    ``tokenizer.json`` that belongs to the text side and is copied; ``text`` says how the text side
    reads words (``{"lower": true, "pad_id": 0, "length": 32}``). Files that are there are replaced,
    the settings last. Returns the folder.
    """
    from safetensors.torch import save_file

    made = created_as(network)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    # clones: safetensors refuses tensors that share their memory, such as tied embeddings
    state = {
        key: value.detach().clone().contiguous() for key, value in network.state_dict().items()
    }
    config: dict[str, Any] = {"format": OWN, "network": made.name, "options": dict(made.options)}
    if labels is not None:
        config["labels"] = list(labels)
    if text is not None:
        config["text"] = dict(text)
    written = json.dumps(config, indent=1, ensure_ascii=False)  # before a file is touched
    fresh = place / f".{WEIGHTS}.writing"
    save_file(state, fresh, metadata={"format": "pt"})
    fresh.replace(place / WEIGHTS)
    if tokenizer is not None and Path(tokenizer).resolve() != (place / TOKENIZER).resolve():
        shutil.copyfile(tokenizer, place / TOKENIZER)
    settings = place / ".config.json.writing"
    settings.write_text(written, encoding="utf-8")
    settings.replace(place / "config.json")
    flush(place)
    return place


def own_identity(config: Mapping[str, Any]) -> Identified | None:
    """Which network a config.json of our own names; None for any other config.json.

    Raises NetworkError where it is ours and damaged.
    """
    if config.get("format") != OWN:
        return None
    name, options = config.get("network"), config.get("options", {})
    if not isinstance(name, str) or not isinstance(options, dict):
        raise NetworkError(
            "config.json must name a network and its options, such as "
            '{"format": "scenewise", "network": "timesformer_base", "options": {}}.'
        )
    return Identified(name, options)
