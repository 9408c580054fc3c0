"""The verb that draws boxes around things in one video: detect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scenewise.errors import UsageError
from scenewise.library.core import LibraryCore
from scenewise.tasks.detections import Detections


class Detecting(LibraryCore):
    """Verbs of ``Library`` that find things in pictures."""

    def detect(
        self,
        video: str | Path,
        labels: Sequence[str] | str = (),
        *,
        model: str | None = None,
        fps: float | None = None,
        min_probability: float | None = None,
    ) -> Detections:
        """Boxes with tracks over time: of things that move, or of what a detector finds.

        ``video`` is any file, or a video of the library by path, file name or id; ``labels`` a
        list, or words with commas between them. ``model`` is a folder or Hugging Face name of a
        detector (DETR family, OWL-ViT, OWLv2). Without one, **still things are not found**: what
        moves is followed, and each thing labelled among ``labels`` by the library's encoder.
        ``fps`` None: 5 pictures a second without a model, 2 with one. ``min_probability`` None:
        0.25, with a model 0.5, and 0.2 with one that is asked in words.

        Raises UsageError, MediaError, EncoderError.

        >>> for track in library.detect("yard.mp4", ["a dog", "a car"]).tracks:  # doctest: +SKIP
        ...     print(track.label, track.probability, track.start, track.end)
        """
        from scenewise.tasks import detect as detecting  # other verbs load no decoder
        from scenewise.tasks.crops import CropLabeller

        wanted = _labels(labels)
        path, video_id = self._file_of(video)
        if model is not None:
            from scenewise.encoders.detectors import load_detector

            settings = self._settings
            detector = load_detector(model, device=settings.device, threads=settings.threads)
            detector.known_labels(wanted)  # before a film is read
            return detecting.detect_with(
                path,
                detector,
                wanted,
                fps=detecting.DETECTOR_FPS if fps is None else fps,
                least=min_probability,
                video_id=video_id,
            )
        labeller = None
        if wanted:
            encoder = self._encoder()
            labeller = CropLabeller(wanted, encoder, self._calibrator(encoder))
        return detecting.detect_moving(
            path,
            labeller,
            fps=detecting.MOTION_FPS if fps is None else fps,
            least=detecting.LABEL_FROM if min_probability is None else min_probability,
            video_id=video_id,
        )


def _labels(labels: Sequence[str] | str) -> tuple[str, ...]:
    """Labels from Python, or with commas between them; each once."""
    some = labels.split(",") if isinstance(labels, str) else list(labels)
    names = tuple(" ".join(label.split()) for label in some if label.strip())
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"the label {twice!r} is there twice; keep one.")
    if len(some) and not names:
        raise UsageError("the labels are empty; give words with commas between them.")
    return names
