"""Named classifiers: what was trained or taught, kept in the library, and evaluated in numpy.

It knows arrays, labels and which encoder they belong to; how a head is fitted, ``heads`` knows.
A classifier is stored as plain arrays (npz, no pickle) beside a JSON spec. Every linear head
(softmax regression, linear SVM, ridge) is stored with its scaling and its calibration multiplied
in, so that evaluating it is one product of matrices; k-nearest keeps its examples.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import EncoderSpec, FloatArray, WindowFeatures
from scenewise.encoders.vectors import softmax, unit
from scenewise.errors import EncoderMismatchError, LibraryDamagedError, UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.kept import Kept

KIND: Literal["classifier"] = "classifier"
VERSION = 1  # of the stored shape
Head = Literal["logistic", "svm", "knn", "ridge"]
_ARRAYS = {
    "logistic": ("weight", "bias"),
    "svm": ("weight", "bias"),
    "ridge": ("weight", "bias"),
    "knn": ("examples", "members"),
}
_NAME = re.compile(r"\w[\w. -]{0,63}")


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A head on the vectors of one encoder.

    Linear heads: ``weight`` (C, D) and ``bias`` (C,); the probabilities are the softmax of
    ``vectors @ weight.T + bias``, and for ``ridge`` (C = 1) that sum is the value itself.
    ``knn``: ``examples`` (M, D) of unit length, ``members`` (M,) their classes, and ``neighbours``
    of them vote. ``positive`` is the class that counts as a hit for a yes/no classifier.
    """

    name: str
    head: Head
    labels: tuple[str, ...]  # of a regression: the name of its target, alone
    arrays: Mapping[str, npt.NDArray[Any]]
    encoder: str  # the name of the encoder
    encoder_digest: str
    positive: int | None = None
    neighbours: int = 1  # of knn
    recipe: Mapping[str, Any] = field(default_factory=dict)  # JSON: how it was made
    report: Mapping[str, Any] | None = None  # JSON: how good it was found to be

    @property
    def is_regression(self) -> bool:
        """Whether it gives a number in place of labels."""
        return self.head == "ridge"

    def probabilities(self, features: WindowFeatures) -> FloatArray:
        """(N, labels) probabilities of N windows; each row sums to 1.

        Raises UsageError for a regression, EncoderMismatchError for vectors of another length.
        """
        if self.is_regression:
            raise UsageError(
                f"the classifier {self.name!r} gives a number ({self.labels[0]}), not labels; "
                "use it with scenewise classify."
            )
        vectors = self._checked(features)
        if self.head == "knn":
            return self._votes(vectors)
        logits = vectors @ self.arrays["weight"].T + self.arrays["bias"]
        return np.asarray(softmax(logits), dtype=np.float32)

    def values(self, features: WindowFeatures) -> FloatArray:
        """(N,) numbers of a regression. Raises UsageError for any other classifier."""
        if not self.is_regression:
            raise UsageError(f"the classifier {self.name!r} gives labels, not a number.")
        product = self._checked(features) @ self.arrays["weight"][0] + self.arrays["bias"][0]
        return np.asarray(product, dtype=np.float32)

    def column(self, label: str | None = None) -> int:
        """The number of a label; None is the one that counts as a hit.

        Raises UsageError where there is no such label, or none counts as a hit.
        """
        allowed = ", ".join(self.labels)
        if label is None:
            if self.positive is None:
                raise UsageError(
                    f"the classifier {self.name!r} has several labels; name the one that is "
                    f"meant: {allowed}."
                )
            return self.positive
        if label not in self.labels:
            raise UsageError(
                f"the classifier {self.name!r} has no label {label!r}; allowed: {allowed}."
            )
        return self.labels.index(label)

    def _checked(self, features: WindowFeatures) -> FloatArray:
        vectors = np.asarray(features.vectors, dtype=np.float32)
        own = self.arrays["examples" if self.head == "knn" else "weight"].shape[1]
        if vectors.shape[1] != own:
            raise EncoderMismatchError(
                f"the classifier {self.name!r} reads vectors of {own} numbers, and these have "
                f"{vectors.shape[1]}: train it again on this encoder."
            )
        return vectors

    def _votes(self, vectors: FloatArray) -> FloatArray:
        """Shares (N, C) of the nearest examples by cosine; ties go to the earlier example."""
        examples, members = self.arrays["examples"], self.arrays["members"]
        order = np.argsort(-(unit(vectors) @ examples.T), axis=1, kind="stable")
        votes = np.zeros((len(vectors), len(self.labels)), dtype=np.float32)
        for column in range(self.neighbours):
            votes[np.arange(len(vectors)), members[order[:, column]]] += 1
        return votes / np.float32(self.neighbours)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape, without the arrays."""
        return {"name": self.name} | self.to_kept().spec

    # in the library
    def to_kept(self) -> Kept:
        """What the library keeps."""
        spec = {
            "version": VERSION,
            "head": self.head,
            "labels": list(self.labels),
            "encoder": {"name": self.encoder, "digest": self.encoder_digest},
            "positive": self.positive,
            "neighbours": self.neighbours,
            "recipe": dict(self.recipe),
            "report": None if self.report is None else dict(self.report),
        }
        file = io.BytesIO()
        arrays: dict[str, Any] = {name: self.arrays[name] for name in _ARRAYS[self.head]}
        np.savez(file, **arrays)
        return Kept(KIND, self.name, spec, file.getvalue())

    @classmethod
    def from_kept(cls, kept: Kept) -> Self:
        """The inverse of ``to_kept``. Raises LibraryDamagedError where it is not that."""
        try:
            spec = kept.spec
            if spec["version"] != VERSION or spec["head"] not in get_args(Head):
                raise ValueError("it was written by another version")
            with np.load(io.BytesIO(kept.data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in _ARRAYS[spec["head"]]}
            found = cls(
                name=kept.name,
                head=spec["head"],
                labels=tuple(spec["labels"]),
                arrays=arrays,
                encoder=spec["encoder"]["name"],
                encoder_digest=spec["encoder"]["digest"],
                positive=spec["positive"],
                neighbours=int(spec["neighbours"]),
                recipe=spec["recipe"],
                report=spec["report"],
            )
            _check_shapes(found)
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise LibraryDamagedError(
                f"the classifier {kept.name!r} cannot be read ({error}); remove it with "
                f"scenewise classifiers remove, and train it again."
            ) from error
        return found


def check_name(name: str) -> str:
    """The name without space around it. Raises UsageError where no classifier is called so."""
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a classifier; use letters, digits, space, dot, dash or "
            "underscore, at most 64."
        )
    return name


def save_classifier(catalog: Catalog, classifier: Classifier) -> None:
    """Keep it, in place of what had its name; ``catalog`` is open for writing."""
    check_name(classifier.name)
    _check_shapes(classifier)
    catalog.keep(classifier.to_kept())


def find_classifier(catalog: Catalog | None, name: str) -> Classifier:
    """The classifier of this name, whichever encoder it belongs to.

    Raises UsageError where there is none, LibraryDamagedError.
    """
    kept = None if catalog is None else catalog.kept(KIND, name.strip())
    if kept is None:
        names = [] if catalog is None else catalog.kept_names(KIND)
        known = f"there are {', '.join(names)}" if names else "there is none yet"
        raise UsageError(
            f"no classifier of this library is called {name!r} ({known}); make one with "
            "scenewise train-classifier or scenewise teach."
        )
    return Classifier.from_kept(kept)


def load_classifier(catalog: Catalog | None, name: str, spec: EncoderSpec) -> Classifier:
    """The classifier of this name, for vectors of this encoder.

    Raises UsageError where there is none, EncoderMismatchError where it was made for another
    encoder than that of ``spec``, LibraryDamagedError.
    """
    found = find_classifier(catalog, name)
    if found.encoder_digest != spec.digest():
        if found.recipe.get("verb") == "teach":
            again = f'scenewise teach "{found.name}" --remake'
        else:
            again = "scenewise train-classifier, with the same examples"
        raise EncoderMismatchError(
            f"the classifier {found.name!r} was made for the encoder {found.encoder} "
            f"({found.encoder_digest}), and here vectors come from {spec.name} "
            f"({spec.digest()}); make it again: {again}."
        )
    return found


def _check_shapes(classifier: Classifier) -> None:
    """Raise ValueError where arrays, labels and head do not belong together."""
    arrays, count = classifier.arrays, len(classifier.labels)
    if classifier.head == "knn":
        examples, members = arrays["examples"], arrays["members"]
        good = (
            examples.ndim == 2
            and members.shape == (len(examples),)
            and 1 <= classifier.neighbours <= len(examples)
            and bool(np.all((members >= 0) & (members < count)))
        )
    else:
        weight, bias = arrays["weight"], arrays["bias"]
        good = weight.ndim == 2 and len(weight) == count and bias.shape == (count,)
        good = good and (classifier.head != "ridge" or count == 1)
    positive = classifier.positive
    if not good or count == 0 or (positive is not None and not 0 <= positive < count):
        shapes = {name: array.shape for name, array in arrays.items()}
        raise ValueError(f"{count} labels do not go with arrays of {shapes}")
