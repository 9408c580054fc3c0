"""Small weights that belong to a larger network: a folder with tensors and what they are.

    {"format": "scenewise-lora", "network": "timesformer_base", "settings": {"rank": 8}}

It knows the files of LoRA and adapters alike; it knows neither method.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scenewise.errors import NetworkError, TrainingError, first_line
from scenewise.media.whole_file import flush
from scenewise.models.registry import created_as


def write_extra(
    network: nn.Module, folder: str | Path, form: str, settings: Mapping[str, Any], state: State
) -> Path:
    """Write ``FORM.json`` and ``FORM.safetensors``; files that are there are replaced."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    said = {"format": f"scenewise-{form}", "network": _name(network), "settings": dict(settings)}
    weights = {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}
    fresh = place / f".{form}.safetensors.writing"
    save_file(weights, fresh, metadata={"format": "pt"})
    fresh.replace(place / f"{form}.safetensors")
    written = place / f".{form}.json.writing"
    written.write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")
    written.replace(place / f"{form}.json")
    flush(place)
    return place


def read_extra(network: nn.Module, folder: str | Path, form: str) -> tuple[dict[str, Any], State]:
    """Settings and tensors of a folder. Raises TrainingError for another form or network."""
    place = Path(folder)
    try:
        said = json.loads((place / f"{form}.json").read_text("utf-8"))
        state = load_file(place / f"{form}.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise TrainingError(
            f"{place} holds no {form}: {first_line(error)}; give a folder that training wrote."
        ) from error
    if not isinstance(said, dict) or said.get("format") != f"scenewise-{form}":
        raise TrainingError(f"{place / form}.json is of another form than scenewise-{form}.")
    theirs, ours = said.get("network"), _name(network)
    if theirs and ours and theirs != ours:
        raise TrainingError(f"{place} belongs to {theirs}, and the network here is {ours}.")
    return said.get("settings", {}), state


def put_in(network: nn.Module, state: State, names: set[str], folder: str | Path) -> None:
    """Put tensors in the places ``names``; raises TrainingError unless all agree."""
    there = dict(network.state_dict())
    differ = sorted(names ^ state.keys()) or sorted(
        name for name in names if there[name].shape != state[name].shape
    )
    if differ:
        raise TrainingError(
            f"{folder} does not fit this network: {len(differ)} tensors differ, {differ[0]} for "
            "one; make the network with the options that it was trained with."
        )
    network.load_state_dict(dict(state), strict=False)


def _name(network: nn.Module) -> str | None:
    try:
        return created_as(network).name
    except NetworkError:  # not of the registry
        return None


State = Mapping[str, Tensor]
