"""Windows' features as arrays: some of them, or several parts as one.

It knows shapes alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Concepts, WindowFeatures


def select(features: WindowFeatures, rows: slice | npt.NDArray[np.intp]) -> WindowFeatures:
    """Some of the windows, in this order."""
    concepts = features.concepts
    if concepts is None:
        return WindowFeatures(features.vectors[rows])
    return WindowFeatures(
        features.vectors[rows], Concepts(concepts.indices[rows], concepts.values[rows])
    )


def join(parts: Sequence[WindowFeatures]) -> WindowFeatures:
    """All windows of the parts, one after the other; concepts where every part has them."""
    vectors = np.concatenate([part.vectors for part in parts])
    concepts = [part.concepts for part in parts if part.concepts is not None]
    if len(concepts) != len(parts):
        return WindowFeatures(vectors)
    return WindowFeatures(
        vectors,
        Concepts(
            np.concatenate([part.indices for part in concepts]),
            np.concatenate([part.values for part in concepts]),
        ),
    )
