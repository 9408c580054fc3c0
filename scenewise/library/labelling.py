"""The verbs that put labels on videos: classify, and the classifiers that people make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from scenewise.errors import MediaError, UsageError
from scenewise.library.core import LibraryCore
from scenewise.types import Failure

if TYPE_CHECKING:  # who searches needs none of these: each verb imports its own
    from scenewise.tasks.classifiers import Classifier
    from scenewise.tasks.classify import Classification, ZeroShot


class Labels(TypedDict, total=False):
    """What ``Library.classify`` is asked for; see there."""

    labels: Sequence[str] | str | None
    label_set: str | Path | None
    classifier: str | None
    template: str | None
    model: str | None
    clips: int | None
    top_k: int
    over_time: bool


class Labelling(LibraryCore):
    """Verbs of ``Library`` that label videos."""

    def classify(self, video: str | Path, **wanted: Unpack[Labels]) -> Classification:
        """Which labels fit a video: a path, or a file name or id of the library.

        Exactly one of ``labels`` (a list, or words with commas between them), ``label_set``
        (kinetics400, ucf101, hmdb51, or a text file), ``classifier`` (a trained one) and ``model``
        (a network with a classifier: a folder, or a name of the hub) says what is asked.
        ``template`` is what the encoder is asked for each label, with ``{}`` for the label (None:
        what suits the encoder). ``clips`` is how many clips of a video a ``model`` looks at (None:
        5, and with ``over_time`` as many as cover it). ``top_k`` labels are given (5); with
        ``over_time`` also segments of the whole video.

        Raises UsageError, MediaError, EncoderError, NetworkError, EncoderMismatchError.

        >>> library.classify("park.mp4", labels=["a dog", "a cat"]).labels[0]    # doctest: +SKIP
        Label(name='a dog', probability=0.93)
        """
        return self._labeller(wanted)(video)

    def classify_many(
        self, videos: Sequence[str | Path], **wanted: Unpack[Labels]
    ) -> Iterator[Classification | Failure]:
        """``classify`` for several videos, one after the other; the labels are encoded once.

        In place of one that is no video or cannot be read there is a Failure.
        """
        label = self._labeller(wanted)

        def answer(video: str | Path) -> Classification | Failure:
            try:
                return label(video)
            except (MediaError, UsageError) as error:
                return Failure(str(video), str(error).removeprefix(f"{video}: "))

        return (answer(video) for video in videos)

    def classifier(self, name: str) -> Classifier:
        """A trained or taught classifier of this library. Raises UsageError where there is none."""
        from scenewise.tasks.classifiers import find_classifier

        return find_classifier(self._opened(), name)

    def _labeller(self, wanted: Labels) -> Callable[[str | Path], Classification]:
        """Checks what is wanted, now; what is needed to answer is made with the first video."""
        from scenewise.tasks.classify import ZeroShot, check_template
        from scenewise.tasks.labels import label_set as read_label_set
        from scenewise.tasks.labels import typed_labels

        labels, named = wanted.get("labels"), wanted.get("label_set")
        name, template = wanted.get("classifier"), wanted.get("template")
        model, clips = wanted.get("model"), wanted.get("clips")
        top_k, over_time = wanted.get("top_k", 5), wanted.get("over_time", False)
        if [labels, named, name, model].count(None) != 3:
            raise UsageError(
                "give the labels, or a set of them, or a trained classifier, or a network with "
                "one; one of the four."
            )
        if top_k < 1:
            raise UsageError(f"top_k = {top_k} is not allowed; give 1 or more.")
        if model is not None:
            if template is not None:
                raise UsageError("a network's classes ask no words; leave the template out.")
            return self._by_network(model, clips, top_k, over_time)
        if clips is not None:
            raise UsageError("clips are counted for a network with a classifier alone (model).")
        if name is not None:
            if template is not None:
                raise UsageError("a trained classifier asks no words; leave the template out.")
            return self._trained(name, top_k, over_time)
        if template is not None:
            check_template(template)
        chosen = typed_labels(labels) if labels is not None else read_label_set(named or "")
        ready: list[ZeroShot] = []

        def zero_shot(video: str | Path) -> Classification:
            seen = self._footage(video)
            if not ready:  # a library has one encoder: it sees every video
                ready.append(ZeroShot(chosen, seen.encoder, seen.calibrator, template))
            return ready[0].classify(seen.footage, top_k=top_k, over_time=over_time)

        return zero_shot

    def _trained(
        self, name: str, top_k: int, over_time: bool
    ) -> Callable[[str | Path], Classification]:
        from scenewise.tasks.classifiers import find_classifier, load_classifier
        from scenewise.tasks.classify import classify_trained

        find_classifier(self._opened(), name)  # says now that there is none

        def label(video: str | Path) -> Classification:
            seen = self._footage(video)
            own = load_classifier(self._opened(), name, seen.encoder.spec)
            encoder = seen.encoder.spec.name
            return classify_trained(seen.footage, own, encoder, top_k=top_k, over_time=over_time)

        return label

    def _by_network(
        self, name: str, clips: int | None, top_k: int, over_time: bool
    ) -> Callable[[str | Path], Classification]:
        from scenewise.tasks.classify_clips import check_clips, classify_clips

        check_clips(clips)
        classifier = self._source.video_classifier(name)  # says now what is wrong with it

        def label(video: str | Path) -> Classification:
            path, video_id = self._file_of(video)
            return classify_clips(
                path, video_id, classifier, clips=clips, top_k=top_k, over_time=over_time
            )

        return label
