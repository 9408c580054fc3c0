"""Library, the face that people import: joins the index and the tasks, one method a verb.

Each module here holds one group of verbs; it knows which parts a verb needs, and how each works,
the floors below know.
"""

from __future__ import annotations

from scenewise.library.annotating import Annotating
from scenewise.library.detecting import Detecting
from scenewise.library.filling import Filling
from scenewise.library.labelling import Labelling
from scenewise.library.locating import Locating
from scenewise.library.people import People
from scenewise.library.recommending import Recommending
from scenewise.library.searching import Searching
from scenewise.library.summarizing import Summarizing
from scenewise.library.training import Training
from scenewise.library.watching import Watching


class Library(
    Filling,
    Annotating,
    Searching,
    Locating,
    Labelling,
    Watching,
    Training,
    Detecting,
    Summarizing,
    Recommending,
    People,
):
    """A folder that holds what was indexed, for one encoder. Nothing is loaded before its use.

    >>> from scenewise import Library
    >>> with Library.open("films.library") as library:          # doctest: +SKIP
    ...     report = library.index("~/Videos")
    ...     for hit in library.search("a dog on a skateboard").hits:
    ...         print(hit.path, hit.start, hit.end, hit.match)

    Threads may share it for reading.
    """
