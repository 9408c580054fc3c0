"""Cards of CLAP's sound side."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input

# frames are spectra, 100 a second, in decibel; size is the number of mel bins
_SPECTRA = Input(frames=1001, size=64, mean=(0.0,), std=(1.0,), channels="mel", seconds=10.0)
_CLAP = Card(
    name="clap_audio",
    family="clap_audio",
    kind="audio",
    summary="CLAP's sound side: HTS-AT and a projection to the space of texts",
    builder="scenewise.models.audio.clap_audio:clap_audio",
    paper="Large-scale Contrastive Language-Audio Pretraining with Feature Fusion and "
    "Keyword-to-Caption Augmentation",
    year=2023,
    url="https://arxiv.org/abs/2211.06687",
    code="LAION-AI/CLAP",
    licence="Apache-2.0",
    proof="transformers' ClapModel, whose parts these are",
    parameters=28_190_872,
    multiply_adds=5_908_332_544,
    input=_SPECTRA,
    layouts="scenewise.models.audio.clap_audio:LAYOUTS",
    notes=(
        "of a whole CLAP checkpoint only the sound side is read",
        "checkpoints with feature fusion are of another network and are refused",
    ),
)
CARDS = (
    _CLAP,
    replace(
        _CLAP,
        name="clap_audio_tiny",
        summary="CLAP's sound side with two stages of one block",
        builder="scenewise.models.audio.clap_audio:clap_audio_tiny",
        licence="none published",
        parameters=25_126,
        multiply_adds=1_972_224,
        input=replace(_SPECTRA, frames=201, size=16, seconds=2.0),
        tiny=True,
        notes=(),
    ),
)
