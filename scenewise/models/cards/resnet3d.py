"""Cards of the residual networks of three axes."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_PLACE = "scenewise.models.backbones.resnet3d_sizes"
_HARA_INPUT = Input(
    frames=16,
    size=112,
    mean=(0.4345, 0.4051, 0.3775),
    std=(0.2768, 0.2713, 0.2737),
    resize_shortest=112,
)
_TRAN_INPUT = Input(
    frames=16,
    size=112,
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
    resize_shortest=128,
    seconds=16 / 15,
)
_HARA = Card(
    name="resnet3d_18",
    family="resnet3d",
    kind="backbone",
    summary="Hara's 3D ResNet, 18 layers",
    builder=f"{_PLACE}:resnet3d_18",
    paper="Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?",
    year=2018,
    url="https://arxiv.org/abs/1711.09577",
    code="kenshohara/3D-ResNets-PyTorch",
    licence="MIT",
    proof="the official code",
    parameters=33_563_004,
    multiply_adds=8_308_160_512,
    input=_HARA_INPUT,
    layouts="scenewise.models.backbones.resnet3d_layouts:LAYOUTS",
)
_TRAN = replace(
    _HARA,
    name="r3d_18",
    family="r2plus1d",
    summary="Tran's 3D ResNet, 18 layers",
    builder=f"{_PLACE}:r3d_18",
    paper="A Closer Look at Spatiotemporal Convolutions for Action Recognition",
    url="https://arxiv.org/abs/1711.11248",
    code="pytorch/vision",
    licence="BSD-3-Clause",
    proof="torchvision's own code",
    parameters=33_371_472,
    multiply_adds=40_696_553_472,
    input=_TRAN_INPUT,
)


def _torchvision(top1: float, top5: float) -> tuple[Result, ...]:
    return tuple(
        Result(
            "Kinetics-400",
            metric,
            value,
            "16 frames at 15 a second, 5 clips of a video, torchvision's weights",
            "torchvision/models/video/resnet.py of pytorch/vision",
        )
        for metric, value in (("top-1", top1), ("top-5", top5))
    )


CARDS = (
    _HARA,
    *(
        replace(
            _HARA,
            name=f"resnet3d_{depth}",
            summary=f"Hara's 3D ResNet, {depth} layers",
            builder=f"{_PLACE}:resnet3d_{depth}",
            parameters=parameters,
            multiply_adds=multiply_adds,
        )
        for depth, parameters, multiply_adds in (
            (34, 63_872_636, 12_696_451_072),
            (50, 47_633_276, 10_069_925_888),
            (101, 86_679_420, 13_891_330_048),
            (152, 118_838_140, 18_611_888_128),
            (200, 128_037_756, 25_805_119_488),
        )
    ),
    replace(
        _HARA,
        name="resnet3d_tiny",
        summary="a block a stage and an eighth of the channels",
        builder=f"{_PLACE}:resnet3d_tiny",
        licence="none published",
        parameters=233_474,
        multiply_adds=73_663_104,
        input=replace(_HARA_INPUT, frames=8, size=64, resize_shortest=None),
        tiny=True,
    ),
    replace(_TRAN, results=_torchvision(63.200, 83.479)),
    replace(
        _TRAN,
        name="mc3_18",
        summary="Tran's 3D ResNet whose later stages look at instants alone",
        builder=f"{_PLACE}:mc3_18",
        parameters=11_695_440,
        multiply_adds=43_342_635_008,
        results=_torchvision(63.960, 84.130),
    ),
    replace(
        _TRAN,
        name="r2plus1d_18",
        summary="filters of space, then of time, 18 layers",
        builder=f"{_PLACE}:r2plus1d_18",
        parameters=31_505_325,
        multiply_adds=40_519_080_960,
        results=_torchvision(67.463, 86.175),
    ),
    replace(
        _TRAN,
        name="r2plus1d_34",
        summary="filters of space, then of time, 34 layers",
        builder=f"{_PLACE}:r2plus1d_34",
        parameters=63_697_175,
        multiply_adds=152_355_715_072,
        code="facebookresearch/VMZ",
        licence="Apache-2.0",
        proof="the official code, and mmaction2's",
        input=replace(_TRAN_INPUT, frames=32, seconds=None),
        results=tuple(
            Result(
                "Kinetics-400",
                metric,
                value,
                "variant mmaction2, 32 frames, every second one, 224 pixels, its own weights",
                "configs/recognition/r2plus1d/metafile.yml of open-mmlab/mmaction2",
            )
            for metric, value in (("top-1", 75.46), ("top-5", 92.28))
        ),
        notes=(
            "variant vmz is the authors' code, mmaction2 another network of that name",
            "VMZ sets a momentum of 0.9 for its norms, which in torch is Caffe2's 0.1; here it "
            "is torch's 0.1",
        ),
    ),
    replace(
        _TRAN,
        name="r2plus1d_tiny",
        summary="R(2+1)D with a block a stage and an eighth of the channels",
        builder=f"{_PLACE}:r2plus1d_tiny",
        licence="none published",
        proof="the code of the published sizes, which it shares",
        parameters=226_920,
        multiply_adds=59_052_672,
        input=replace(_TRAN_INPUT, frames=8, size=64, resize_shortest=None, seconds=None),
        tiny=True,
    ),
)
