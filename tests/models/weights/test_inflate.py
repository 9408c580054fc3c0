"""Facts about inflation: a clip that stands still gives the picture's response."""

from __future__ import annotations

import pytest
import torch
from einops import repeat
from seeded import seeded_input
from torch import nn

from scenewise.errors import NetworkError
from scenewise.models.weights.inflate import inflate, inflate_state


@pytest.mark.parametrize("how", ["repeat", "centre"])
@pytest.mark.parametrize("time", [1, 3, 4, 7])
def test_a_still_clip_gives_the_pictures_response(how: str, time: int) -> None:
    weight = seeded_input("weight", (5, 3, 3, 3))
    picture = seeded_input("picture", (2, 3, 9, 9))
    clip = repeat(picture, "b c h w -> b c t h w", t=time + 2)
    wanted = nn.functional.conv2d(picture, weight)
    made = nn.functional.conv3d(clip, inflate(weight, time, how))  # type: ignore[arg-type]
    for instant in made.unbind(2):
        assert torch.allclose(instant, wanted, atol=1e-5)


def test_the_centre_sees_one_frame_and_repeat_sees_all() -> None:
    weight = torch.ones(1, 1, 1, 1)
    assert inflate(weight, 5, "centre").flatten().tolist() == [0, 0, 1, 0, 0]
    assert inflate(weight, 4, "centre").flatten().tolist() == [0, 0, 1, 0]
    assert inflate(weight, 4).flatten().tolist() == [0.25] * 4


def test_a_state_is_inflated_where_time_is_missing() -> None:
    wanted = {
        "conv.weight": torch.zeros(4, 3, 5, 2, 2),
        "norm.weight": torch.zeros(4),
        "head.weight": torch.zeros(7, 4, 1, 1, 1),
        "time.weight": torch.zeros(1),
    }
    pictures = {
        "conv.weight": torch.ones(4, 3, 2, 2),
        "norm.weight": torch.ones(4),
        "head.weight": torch.ones(7, 4),
        "other": torch.ones(1),
    }
    made = inflate_state(pictures, wanted)
    assert {key: value.shape for key, value in made.items()} == {
        key: wanted[key].shape for key in ("conv.weight", "norm.weight", "head.weight")
    }
    assert float(made["conv.weight"].sum()) == pytest.approx(float(pictures["conv.weight"].sum()))


def test_what_cannot_be_inflated_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"conv has the shape \(4, 3, 3, 3\), which cannot"):
        inflate_state({"conv": torch.ones(4, 3, 3, 3)}, {"conv": torch.ones(4, 3, 3, 5, 5)})
