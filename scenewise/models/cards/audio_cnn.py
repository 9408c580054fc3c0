"""Cards of the convolutional networks that read sound."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_PLOT = "utils/plot_for_paper.py of qiuqiangkong/audioset_tagging_cnn"
# frames are spectra, 100 a second; size is the number of mel bins
_SPECTRA = Input(frames=1001, size=64, mean=(0.0,), std=(1.0,), channels="mel", seconds=10.0)
_CNN = Card(
    name="audio_cnn",
    family="audio_cnn",
    kind="audio",
    summary="CNN10 of PANNs over log-mel spectra or sound at 32 kHz; also CNN6 and CNN14",
    builder="scenewise.models.audio.audio_cnn:audio_cnn",
    paper=("PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern Recognition"),
    year=2020,
    url="https://arxiv.org/abs/1912.10211",
    code="qiuqiangkong/audioset_tagging_cnn",
    licence="not stated in the repository, whose code is MIT",
    proof="the official code, from samples on",
    parameters=5_219_279,
    multiply_adds=13_015_920_128,
    input=_SPECTRA,
    layouts="scenewise.models.audio.audio_cnn:LAYOUTS",
    results=(
        Result("AudioSet", "mAP", 0.343, "variant cnn6", _PLOT),
        Result("AudioSet", "mAP", 0.380, "variant cnn10", _PLOT),
        Result("AudioSet", "mAP", 0.431, "variant cnn14", _PLOT),
    ),
    notes=("takes spectra (B, bins, frames) or samples (B, N); logits are of a sigmoid each",),
)
CARDS = (
    _CNN,
    replace(
        _CNN,
        name="audio_cnn_tiny",
        summary="CNN10 with an eighth of the channels",
        builder="scenewise.models.audio.audio_cnn:audio_cnn_tiny",
        licence="none published",
        parameters=78_642,
        multiply_adds=20_561_024,
        input=replace(_SPECTRA, frames=101, seconds=1.0),
        results=(),
        tiny=True,
    ),
)
