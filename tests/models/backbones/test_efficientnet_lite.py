"""Facts about EfficientNet-Lite: equal to another implementation, term by term, and to its labels.

The other implementation is the package efficientnet_lite_pytorch. All comparisons with random
weights run in float64, where equal networks agree to about 1e-12.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from scenewise.media.scale import load_picture
from scenewise.media.target import Target
from scenewise.models.backbones.efficientnet_lite import (
    CROP_PADDING,
    PIXEL_MEAN,
    PIXEL_STD,
    VARIANTS,
    EfficientNetLite,
    InvertedResidual,
    SamePaddingConv2d,
    Stage,
    load_lite0,
)
from scenewise.models.weights.packaged import EFFICIENTNET_LITE0

AGREEMENT = 1e-9


def random_state(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """Weights of a size that keeps activations between the corners of ReLU6, so all count."""
    random = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in network.state_dict().items():
        shape = tensor.shape
        if name.endswith("num_batches_tracked"):
            state[name] = tensor
        elif name.endswith("running_var"):
            state[name] = torch.rand(shape, generator=random, dtype=torch.float64) + 0.5
        elif name.endswith("running_mean"):
            state[name] = 0.3 * torch.randn(shape, generator=random, dtype=torch.float64)
        elif tensor.ndim == 1 and name.endswith("weight"):  # of batch norm
            state[name] = torch.rand(shape, generator=random, dtype=torch.float64) + 0.5
        elif tensor.ndim == 1:
            state[name] = 0.5 * torch.randn(shape, generator=random, dtype=torch.float64) + 0.5
        else:
            fan_in = tensor[0].numel()
            state[name] = torch.randn(shape, generator=random, dtype=torch.float64) / fan_in**0.5
    return state


def pair(variant: str, seed: int = 0) -> tuple[EfficientNetLite, nn.Module]:
    theirs: nn.Module = EfficientNet.from_name(f"efficientnet-{variant}").double().eval()
    ours = EfficientNetLite(variant).double().eval()
    state = random_state(theirs, seed)
    theirs.load_state_dict(state, strict=True)
    ours.load_state_dict(state, strict=True)
    return ours, theirs


@pytest.mark.parametrize("variant", VARIANTS)
def test_equal_to_the_other_implementation(variant: str) -> None:
    ours, theirs = pair(variant)
    size = VARIANTS[variant].image_size
    images = torch.randn(1, 3, size, size, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(images)
        logits = ours(images)
    assert expected.std() > 0.01, "a network whose output is flat would compare nothing"
    torch.testing.assert_close(logits, expected, atol=AGREEMENT, rtol=AGREEMENT)


@pytest.fixture(scope="module")
def lite0() -> tuple[EfficientNetLite, Tensor, Tensor]:
    """Ours, an image, and what the other implementation says of it."""
    ours, theirs = pair("lite0", seed=1)
    images = torch.randn(1, 3, 224, 224, dtype=torch.float64)
    with torch.no_grad():
        return ours, images, theirs(images)


GROUPS = sorted(
    {
        re.sub(r"_blocks\.\d+\.", "_blocks.*.", name)
        for name in EfficientNetLite("lite0").state_dict()
        if not name.endswith("num_batches_tracked")
    }
)


@pytest.mark.parametrize("group", GROUPS)
def test_every_kind_of_parameter_counts(
    lite0: tuple[EfficientNetLite, Tensor, Tensor], group: str
) -> None:
    ours, images, expected = lite0
    state = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    pattern = re.escape(group).replace(r"\*", r"\d+")
    members = [name for name in state if re.fullmatch(pattern, name)]
    chosen = members[len(members) // 2]  # one block is enough to break it
    changed = {**state, chosen: state[chosen] * 1.01 + 0.001}
    try:
        ours.load_state_dict(changed)
        with torch.no_grad():
            assert (ours(images) - expected).abs().max() > 1000 * AGREEMENT
    finally:
        ours.load_state_dict(state)


@pytest.fixture(scope="module")
def published() -> EfficientNetLite:
    return load_lite0(EFFICIENTNET_LITE0.verify())


def picture(package: str, path: str) -> Tensor:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0]) / path
    pixels = load_picture(file, Target(224, 224, "crop", 224 + CROP_PADDING))
    return torch.from_numpy((pixels.astype(np.float32) - PIXEL_MEAN) / PIXEL_STD).permute(2, 0, 1)


# ImageNet's own numbering; a photograph may fairly show more than one class
PHOTOGRAPHS = [
    ("skimage", "data/chelsea.png", {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
    ("skimage", "data/coffee.png", {967, 968, 504}),  # espresso, cup, coffee mug
    ("skimage", "data/rocket.jpg", {657, 744}),  # missile, projectile
    ("skimage", "data/camera.png", {872}),  # tripod
    ("skimage", "data/motorcycle_left.png", {665, 670}),  # moped, motor scooter
    ("sklearn", "datasets/images/china.jpg", {698}),  # palace
    ("sklearn", "datasets/images/flower.jpg", {985}),  # daisy
]


@pytest.mark.parametrize(("package", "path", "classes"), PHOTOGRAPHS)
def test_published_weights_know_photographs(
    published: EfficientNetLite, package: str, path: str, classes: set[int]
) -> None:
    with torch.no_grad():
        probabilities = published(picture(package, path)[None]).softmax(dim=1)[0]
    assert int(probabilities.argmax()) in classes
    assert probabilities.max() > 0.25


def test_published_weights_agree_with_the_other_implementation(
    published: EfficientNetLite,
) -> None:
    theirs = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=str(EFFICIENTNET_LITE0.locate())
    ).eval()
    images = torch.stack([picture(package, path) for package, path, _ in PHOTOGRAPHS])
    with torch.no_grad():
        torch.testing.assert_close(published(images), theirs(images), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [7, 8, 13])
def test_same_padding_keeps_the_ceiling(kernel: int, stride: int, size: int) -> None:
    convolution = SamePaddingConv2d(1, 1, kernel, stride=stride, bias=False)
    output = convolution(torch.ones(1, 1, size, size + 1))
    assert output.shape[2:] == (-(-size // stride), -(-(size + 1) // stride))


def test_stochastic_depth_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    stage = Stage(repeats=1, kernel=3, stride=1, expansion=2, channels=8)
    block = InvertedResidual(8, 8, stage, stride=1, drop_rate=0.25).double()
    x = torch.randn(400, 8, 4, 4, dtype=torch.float64)
    block.eval()
    with torch.no_grad():
        branch = block(x) - x
        block.training = True  # the batch norms stay as they are
        trained = block(x) - x
    skipped = trained.flatten(1).abs().amax(dim=1) == 0
    torch.testing.assert_close(trained[~skipped], branch[~skipped] / 0.75)
    assert 0.15 < skipped.double().mean() < 0.35
