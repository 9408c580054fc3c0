"""Lists of labels: typed, from a file, or one of the sets that come with the package.

It knows words. The sets are the class names of three public benchmarks, in plain words, each with
a short description where the name alone says too little: kinetics400 (Kay et al., "The Kinetics
Human Action Video Dataset", 2017), ucf101 (Soomro et al., "UCF101", 2012) and hmdb51 (Kuehne et
al., "HMDB", 2011).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from scenewise.config import expand_user
from scenewise.errors import UsageError

SETS = ("kinetics400", "ucf101", "hmdb51")
MOST_LABELS = 10_000


@dataclass(frozen=True, slots=True)
class LabelList:
    """Labels, each with the words that an encoder is asked for, and where they come from."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    source: str  # "labels", the name of a set, or a file's path

    def __post_init__(self) -> None:
        if len(self.names) != len(self.descriptions):
            raise ValueError(f"{len(self.names)} labels, {len(self.descriptions)} descriptions")
        if len(self.names) < 2:
            given = f"the label {self.names[0]!r} alone" if self.names else "no label"
            raise UsageError(
                f"{self.source}: {given} leaves nothing to choose from; give two or more labels, "
                f"or a label set ({', '.join(SETS)}, or a file)."
            )
        if len(self.names) > MOST_LABELS:
            raise UsageError(
                f"{self.source}: {len(self.names)} labels are too many; give {MOST_LABELS} at most."
            )
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise UsageError(f"{self.source}: the label {twice[0]!r} is there twice; keep one.")


def typed_labels(labels: Sequence[str] | str) -> LabelList:
    """Labels from Python, or from a command line with commas between them.

    >>> typed_labels("a cat, a dog").names
    ('a cat', 'a dog')
    """
    some = labels.split(",") if isinstance(labels, str) else list(labels)
    names = tuple(" ".join(label.split()) for label in some if label.strip())
    return LabelList(names, names, "labels")


def label_set(name: str | Path) -> LabelList:
    """A set by its name, or a file: one label per line, or ``label<TAB>description``.

    In a file, empty lines and lines that begin with ``#`` do not count. Raises UsageError.
    """
    if str(name) in SETS:
        table = resources.files("scenewise.tasks") / "label_sets" / f"{name}.txt"
        return _parse(table.read_text("utf-8"), str(name))
    path = expand_user(name)
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text; save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{name} is no set of labels ({reason}); give {', '.join(SETS)}, or a text file with "
            "one label per line."
        ) from None
    return _parse(text, str(path))


def _parse(text: str, source: str) -> LabelList:
    names, descriptions = [], []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, description = line.partition("\t")
        name, description = " ".join(name.split()), " ".join(description.split())
        if not name:
            raise UsageError(f"{source}: the line {line!r} has a description and no label.")
        names.append(name)
        descriptions.append(description or name)
    return LabelList(tuple(names), tuple(descriptions), source)
