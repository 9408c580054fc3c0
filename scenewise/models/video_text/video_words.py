"""Words for what is seen: a tree of centroids, by k-means inside k-means.

Chen Sun et al., "VideoBERT: A Joint Model for Video and Language Representation Learning", 2019
(https://arxiv.org/abs/1904.01766): vectors of short clips are split into 12 clusters, each of
those into 12 again, four levels deep; the 20,736 leaves are the words. A vector goes down the
tree, at each level to the nearest child.

It knows vectors; it knows nothing of what made them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange
from torch import Tensor, nn

if TYPE_CHECKING:  # slow to import, and needed by fitting alone
    from sklearn.cluster import KMeans


class VideoWords(nn.Module):
    """The tree: a table of centroids for each level, (branches ** level, D), children together.

    Tables are buffers: they are saved with the network and never trained. Fresh ones are zeros,
    under which every vector is word 0; fill them by ``fit_video_words``.
    """

    def __init__(self, width: int, branches: int = 12, depth: int = 4) -> None:
        super().__init__()
        if branches < 2 or depth < 1:
            raise ValueError(
                f"a tree has 2 branches or more and 1 level or more, got {branches} and {depth}"
            )
        self.width, self.branches, self.depth = width, branches, depth
        for level in range(1, depth + 1):
            self.register_buffer(f"level{level}", torch.zeros(branches**level, width))

    def __len__(self) -> int:
        """How many words there are."""
        return int(self.branches**self.depth)

    @property
    def centroids(self) -> Tensor:
        """The leaves, (words, D)."""
        return self.level(self.depth)

    def level(self, number: int) -> Tensor:
        """The table of a level, counted from 1."""
        return self.get_buffer(f"level{number}")

    def forward(self, features: Tensor, depth: int | None = None) -> Tensor:
        """Vectors (…, D) to words (…) int64; ``depth`` ends the way down at that level."""
        if features.shape[-1] != self.width:
            raise ValueError(f"vectors have {self.width} numbers, got {features.shape[-1]}")
        flat = features.reshape(-1, self.width)
        words = torch.zeros(flat.shape[0], dtype=torch.int64, device=flat.device)
        for level in range(1, (self.depth if depth is None else depth) + 1):
            table = rearrange(self.level(level), "(n k) d -> n k d", k=self.branches)
            apart = (table[words] - flat[:, None]).square().sum(dim=-1)
            words = words * self.branches + apart.argmin(dim=1)
        return words.reshape(features.shape[:-1])


def fit_video_words(words: VideoWords, features: Tensor, *, seed: int = 0) -> VideoWords:
    """Fill the tree from vectors (N, D); the same vectors and seed give the same tree.

    A cluster with fewer different vectors than branches has each as a centroid, and the rest of
    its places repeat the last, where no vector ever goes.
    """
    if features.ndim != 2 or features.shape[1] != words.width or not len(features):
        raise ValueError(
            f"vectors must be (N, {words.width}) with N of 1 or more, got {tuple(features.shape)}"
        )
    data = features.detach().to("cpu", torch.float32)
    for level in range(1, words.depth + 1):
        parents = words(data, depth=level - 1).numpy()
        table = words.level(level)
        for parent in range(words.branches ** (level - 1)):
            inside = data[torch.from_numpy(parents == parent)].numpy()
            first = parent * words.branches
            rows = (
                _centroids(inside, words.branches, seed + parent)
                if len(inside)
                else words.level(level - 1)[parent].cpu().numpy()[None]
            )
            filled = np.concatenate([rows, np.repeat(rows[-1:], words.branches - len(rows), 0)])
            table[first : first + words.branches] = torch.from_numpy(filled).to(table)
    return words


def _centroids(points: npt.NDArray[Any], wanted: int, seed: int) -> npt.NDArray[Any]:
    """(N, D) to at most ``wanted`` centroids."""
    different = np.unique(points, axis=0)
    if len(different) <= wanted:
        return different
    from sklearn.cluster import KMeans

    fitted: KMeans = KMeans(n_clusters=wanted, n_init=1, random_state=seed).fit(points)
    centroids: npt.NDArray[Any] = fitted.cluster_centers_
    return centroids
