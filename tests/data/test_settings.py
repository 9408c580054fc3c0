"""Settings: defaults, mistakes, and the page that explains them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from scenewise.data.settings import AugmentSettings, DataSettings, Section

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training-data.md").read_text("utf-8")


def explained(heading: str) -> set[str]:
    """Names in the first column of the table of settings below a heading."""
    _, _, rest = PAGE.partition(f"## `[{heading}]`")
    table = rest[rest.index("| setting |") :].split("\n\n")[0]
    return {
        name for line in table.splitlines() for name in re.findall("`(\\w+)`", line.split("|")[1])
    }


@pytest.mark.parametrize(
    ("heading", "section"), [("data", DataSettings), ("augment", AugmentSettings)]
)
def test_the_page_names_every_setting_and_no_other(heading: str, section: type[Section]) -> None:
    assert explained(heading) == set(section.model_fields)


@pytest.mark.parametrize(
    "given",
    [
        {"crop": "random"},
        {"flip": 1.5},
        {"hue": 0.6},
        {"tempo": 0.5},
        {"magnitude": 31},
        {"crop_scale": (0.5, 0.2)},
        {"jitter": (320, 256)},
        {"flips": 0.5},
    ],
)
def test_values_that_are_not_allowed(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AugmentSettings.model_validate(given)


def test_nothing_is_changed_by_default() -> None:
    plain = AugmentSettings()
    chances = ("flip", "grayscale", "reverse", "erase", "mixup", "cutmix", "label_smoothing")
    assert [getattr(plain, name) for name in chances] == [0] * 7
    assert (plain.crop, plain.tempo, plain.rand_augment) == ("centre", 1, 0)
