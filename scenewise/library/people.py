"""The verbs about enrolled people: off until the user names two networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scenewise.config import expand_user
from scenewise.errors import UsageError
from scenewise.index.catalog import Catalog
from scenewise.library.core import LibraryCore

if TYPE_CHECKING:  # who searches needs none of these: each verb imports its own
    from scenewise.encoders.faces import FaceDetector, FaceEmbedder
    from scenewise.tasks.people import PeopleFound, Person

NEEDED = (
    "people are recognised only with two networks that you name: --face-detector FILE (YuNet's "
    "layout) and --face-embedder FILE (SFace's layout), or face_detector and face_embedder in "
    "scenewise.toml; none come with scenewise, see docs/people.md."
)


class People(LibraryCore):
    """Verbs of ``Library`` about people who agreed to be found."""

    def enrol_person(self, name: str, pictures: Sequence[str | Path]) -> Person:
        """Keep vectors of a person's face, from pictures that show one face each.

        The settings ``face_detector`` and ``face_embedder`` name the networks. Whoever is
        enrolled must have agreed: the duty is yours. Pictures are not kept. A person of this name
        is replaced.

        Raises UsageError, EncoderError, LibraryLockedError.

        >>> library.enrol_person("Ada", ["ada1.jpg", "ada2.jpg"])        # doctest: +SKIP
        """
        from scenewise.tasks import people as tasks

        tasks.checked_name(name)
        detector, embedder = self._face_networks()
        with Catalog.open(self._directory, write=True, create=True) as writer:
            return tasks.enrol(writer, name, pictures, detector, embedder)

    def match_people(
        self,
        video: str | Path,
        names: Sequence[str] = (),
        *,
        fps: float | None = None,
        threshold: float | None = None,
    ) -> PeopleFound:
        """Where enrolled people are seen in a video: a file, or one of the library.

        ``names`` empty: all. ``fps`` None is 2 pictures a second; ``threshold`` None is the cosine
        of 0.363 that was published for SFace.

        Raises UsageError, MediaError, EncoderError.

        >>> [(one.name, one.start) for one in library.match_people("party.mp4").appearances]
        ... # doctest: +SKIP
        """
        from scenewise.encoders.faces import SAME_FROM
        from scenewise.tasks import people as tasks

        detector, embedder = self._face_networks()
        wanted = tasks.chosen(self.people(), names)
        path, video_id = self._file_of(video)
        return tasks.match(
            path,
            wanted,
            detector,
            embedder,
            fps=tasks.MATCH_FPS if fps is None else fps,
            threshold=SAME_FROM if threshold is None else threshold,
            video_id=video_id,
        )

    def people(self) -> list[Person]:
        """Who is enrolled in this library."""
        from scenewise.tasks import people as tasks

        return tasks.enrolled(self._opened())

    def forget_person(self, name: str) -> None:
        """Delete a person from this library; copies of it (backups) are not reached.

        Raises UsageError where nobody of this name is enrolled.
        """
        if self._opened() is None:
            raise UsageError(f"nobody called {name!r} is enrolled; nobody is enrolled.")
        from scenewise.tasks import people as tasks

        with Catalog.open(self._directory, write=True) as writer:
            tasks.forget(writer, name)

    def _face_networks(self) -> tuple[FaceDetector, FaceEmbedder]:
        settings = self._settings
        if settings.face_detector is None or settings.face_embedder is None:
            raise UsageError(NEEDED)
        from scenewise.encoders.faces import FaceDetector, FaceEmbedder

        threads = settings.threads or 1
        return (
            FaceDetector(expand_user(settings.face_detector), threads=threads),
            FaceEmbedder(expand_user(settings.face_embedder), threads=threads),
        )
