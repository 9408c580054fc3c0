"""A network of transformers with a checkpoint's weights, whole or not at all.

It knows torch and transformers, and is imported at preparation only; it knows no family.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from scenewise.encoders.hub import Checkpoint
from scenewise.errors import EncoderError, first_line


def load_pretrained(kind: Any, checkpoint: Checkpoint, side: str) -> Any:
    """An instance of the class ``kind`` in fp32; ``side`` names what words are compared with.

    Raises EncoderError where a weight is missing, has another shape, or cannot be read.
    """
    safe = checkpoint.weights[0].suffix == ".safetensors"
    with quiet():
        try:
            network, report = kind.from_pretrained(
                checkpoint.folder,
                local_files_only=True,
                use_safetensors=safe,
                weights_only=True,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, and refused below
            )
        except Exception as error:  # damaged files raise whatever their reader raises
            raise EncoderError(
                f"{checkpoint.name}: the weights cannot be loaded: {first_line(error)}. "
                "Fetch the checkpoint again."
            ) from error
    mismatched = sorted(str(entry[0]) for entry in report["mismatched_keys"])
    if mismatched:
        raise EncoderError(
            f"{checkpoint.name}: {len(mismatched)} weights have another shape than config.json "
            f"says, such as {mismatched[0]}; take both from one checkpoint."
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise EncoderError(
            f"{checkpoint.name}: {len(missing)} weights are missing, such as {missing[0]}; "
            f"a checkpoint with both {side} and its text side is needed."
        )
    return network


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and log lines of transformers: what matters is raised."""
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
