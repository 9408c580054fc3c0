"""Cards of AST."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

# frames are spectra, 100 a second; size is the number of mel bins
_SPECTRA = Input(
    frames=1024,
    size=128,
    mean=(-4.2677393,),
    std=(2 * 4.5689974,),
    channels="mel",
    seconds=10.24,
)
_SOURCE = "README of YuanGongND/ast"
_AST = Card(
    name="ast_base",
    family="ast",
    kind="audio",
    summary="a vision transformer over overlapping patches of a spectrum",
    builder="scenewise.models.audio.ast:ast_base",
    paper="AST: Audio Spectrogram Transformer",
    year=2021,
    url="https://arxiv.org/abs/2104.01778",
    code="YuanGongND/ast",
    licence="BSD-3-Clause",
    proof="transformers' ASTForAudioClassification",
    parameters=86_594_063,
    multiply_adds=130_514_373_888,
    input=_SPECTRA,
    layouts="scenewise.models.audio.ast:LAYOUTS",
    results=(
        Result("AudioSet", "mAP", 0.459, "full training set, weights averaged", _SOURCE),
        Result("AudioSet", "mAP", 0.450, "full training set, one model", _SOURCE),
    ),
    notes=(
        "spectra are Kaldi's at 16 kHz, (B, bins, frames), and logits are of a sigmoid each",
        "weights of ten seconds fit other lengths as well, by num_frames",
    ),
)
CARDS = (
    _AST,
    replace(
        _AST,
        name="ast_tiny",
        summary="AST with three blocks of width 96",
        builder="scenewise.models.audio.ast:ast_tiny",
        licence="none published",
        parameters=367_690,
        multiply_adds=24_259_776,
        input=replace(_SPECTRA, frames=128, size=64, seconds=1.28),
        results=(),
        tiny=True,
        notes=(),
    ),
)
