"""Cards of CLIP4Clip."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

PIXELS = Input(
    frames=12,
    size=224,
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    resize_shortest=224,
    seconds=12.0,
)
_FRAMES = (
    "frames are taken at 1 a second; of a video with more than 12, 12 at even distances are kept"
)
_MEAN_POOL = Card(
    name="clip4clip_mean_pool",
    family="clip4clip",
    kind="video-text",
    summary="CLIP on every frame, the mean compared with the sentence",
    builder="scenewise.models.video_text.clip4clip:clip4clip_mean_pool",
    paper="CLIP4Clip: An Empirical Study of CLIP for End to End Video Clip Retrieval",
    year=2021,
    url="https://arxiv.org/abs/2104.08860",
    code="ArrowLuo/CLIP4Clip",
    licence="none published",
    proof="the official code",
    parameters=151_277_313,
    multiply_adds=52_905_738_240,
    input=PIXELS,
    text_length=32,
    layouts="scenewise.models.video_text.clip4clip_layouts:LAYOUTS",
    results=(
        Result(
            "MSR-VTT 1k-A",
            "text-to-video R@1",
            43.1,
            "trained on 9k, 12 frames, ViT-B/32, frames averaged at their own lengths",
            "README of open-mmlab/mmaction2, configs/retrieval/clip4clip",
        ),
    ),
    notes=(
        _FRAMES,
        "weights of mmaction2 (Apache-2.0) and weights that were trained there want "
        "normalise_frames=False",
    ),
)
CARDS = (
    _MEAN_POOL,
    replace(
        _MEAN_POOL,
        name="clip4clip_seq_lstm",
        summary="CLIP on every frame, then an LSTM over the frames",
        parameters=153_417_985,
        multiply_adds=52_930_904_064,
        builder="scenewise.models.video_text.clip4clip:clip4clip_seq_lstm",
        layouts="scenewise.models.video_text.clip4clip_layouts:SEQ_LSTM",
        results=(),
        notes=(_FRAMES,),
    ),
    replace(
        _MEAN_POOL,
        name="clip4clip_seq_transformer",
        summary="CLIP on every frame, then four transformer blocks over the frames",
        parameters=163_926_273,
        multiply_adds=53_057_323_008,
        builder="scenewise.models.video_text.clip4clip:clip4clip_seq_transformer",
        layouts="scenewise.models.video_text.clip4clip_layouts:SEQ_TRANSFORMER",
        results=(),
        notes=(_FRAMES,),
    ),
    replace(
        _MEAN_POOL,
        name="clip4clip_tight_transformer",
        summary="CLIP on every frame; sentence and frames are read together",
        parameters=164_190_466,
        multiply_adds=52_905_738_240,
        builder="scenewise.models.video_text.clip4clip:clip4clip_tight_transformer",
        results=(),
        notes=(
            _FRAMES,
            "multiply_adds are those of the video; every pair of sentence and video costs a pass "
            "of four blocks more",
        ),
    ),
    replace(
        _MEAN_POOL,
        name="clip4clip_tiny",
        summary="CLIP4Clip with two narrow blocks a tower, any of its heads",
        parameters=996_865,
        multiply_adds=67_375_104,
        builder="scenewise.models.video_text.clip4clip:clip4clip_tiny",
        input=replace(PIXELS, frames=8, size=64, resize_shortest=None, seconds=None),
        results=(),
        notes=(),
        tiny=True,
    ),
)
