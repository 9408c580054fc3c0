"""Checkpoints of FrozenBiLM: whole, or what was trained alone, over DeBERTa's own file.

It knows names and shapes of tensors.
"""

from __future__ import annotations

from pathlib import Path

from scenewise.errors import NetworkError
from scenewise.models.video_text.frozen_bilm import FrozenBiLM
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout
from scenewise.models.weights.load import load_weights


def load_in_parts(network: FrozenBiLM, language_model: str | Path, trained: str | Path) -> None:
    """DeBERTa's own weights, then a checkpoint of the trained parameters alone.

    Most published checkpoints of FrozenBiLM are of this kind. Raises NetworkError where the two
    together leave something out, or bring what the network has no place for.
    """
    reports = [load_weights(network, source, strict=False) for source in (language_model, trained)]
    absent = set(reports[0].missing) & set(reports[1].missing)
    absent = {name for name in absent if not name.startswith("answer_")}
    odd = [key for report in reports for key in (*report.unexpected, *report.mismatched)]
    if absent or odd:
        example = next(iter(sorted(absent) or odd))
        raise NetworkError(
            f"{language_model} and {trained} do not make up the network: {len(absent)} tensors "
            f"are in neither and {len(odd)} do not fit (such as {example}); give DeBERTa's weights "
            "and a checkpoint that was trained over them."
        )


def _identify(state: State, _config: Config) -> Identified | None:
    projection = state["deberta.embeddings.linear_video.weight"]
    if projection.shape[0] != 1536:
        return None
    answers = state["answer_bias"].shape[0] if "answer_bias" in state else 0
    return Identified("frozen_bilm", {"feature_dim": projection.shape[1], "num_answers": answers})


# tables of indices, and a decoder that the official code keeps for its names alone
_IGNORED = (r".*\.position_ids", r"lm_predictions\.lm_head\.decoder\..*")

LAYOUTS = (
    Layout(
        name="official",
        signature=(
            r"deberta\.embeddings\.linear_video\.weight",
            r"deberta\.encoder\.layer\.0\.attention\.output\.adapter\.down\.weight",
        ),
        ignore=_IGNORED,
        identify=_identify,
    ),
    Layout(
        name="deberta",
        signature=(
            r"deberta\.embeddings\.word_embeddings\.weight",
            r"deberta\.encoder\.layer\.0\.attention\.self\.query_proj\.weight",
            r"lm_predictions\.lm_head\.dense\.weight",
        ),
        absent=(r".*\.adapter\..*",),
        ignore=(*_IGNORED, r"mask_predictions\..*", r"deberta\.pooler\..*", r"pooler\..*"),
        identify=lambda _state, _config: None,  # a language model by itself
    ),
)
