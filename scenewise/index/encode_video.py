"""One video file to one record: the unit of work of indexing, wherever it runs.

It knows files, frames and an encoder; it knows no catalogue, no worker process and no other
video. Memory does not depend on the length of the video, except for the vectors themselves.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from scenewise.encoders.spec import Encoder
from scenewise.encoders.vectors import unit
from scenewise.errors import EncoderError, MediaError, ScenewiseError, UnreadableMediaError
from scenewise.index.discover import stamp as stamp_of
from scenewise.index.embed import BATCH_WINDOWS, WindowBuilder
from scenewise.index.extract_tracks import TrackExtractor, TrackJob, TracksRead
from scenewise.index.records import EncodedVideo, FileStamp, Track
from scenewise.index.windows import Sampling, plan_windows

logger = logging.getLogger(__name__)

_HASH_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Recognised:
    """A file whose content nobody wants decoded: the library has it, or soon will."""

    stamp: FileStamp
    content_hash: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be indexed, and the reason in one sentence."""

    stamp: FileStamp
    reason: str


Outcome = EncodedVideo | Recognised | Failed | TracksRead
Job = FileStamp | TrackJob  # a file to be encoded, or tracks that a known video lacks
Wanted = Callable[[str], bool]  # is the content of this hash to be decoded?


def stamp_of_job(job: Job) -> FileStamp:
    """The file that a job is about."""
    return job.stamp if isinstance(job, TrackJob) else job


def attempt(
    job: Job,
    encoder: Encoder | None,
    sampling: Sampling,
    wanted: Wanted,
    extractor: TrackExtractor | None = None,
) -> Outcome:
    """``encode_video`` or ``read_tracks``, with a file's own troubles turned into an outcome.

    Raises EncoderError: a network that does not run will not run on the next file either.
    """
    try:
        if isinstance(job, TrackJob):
            return read_tracks(job, extractor or TrackExtractor())
        assert encoder is not None  # only a run of nothing but tracks goes without
        return encode_video(job.path, encoder, sampling, wanted, extractor)
    except EncoderError:
        raise
    except ScenewiseError as error:
        # the path stands beside the reason wherever that is shown
        reason = str(error).removeprefix(f"{stamp_of_job(job).path}: ")
    except OSError as error:
        reason = f"the file cannot be read: {(error.strerror or str(error)).lower()}"
    except MemoryError:
        reason = "the memory of this machine does not suffice for this file"
    except Exception as error:  # one odd file must not end the run over all others
        logger.debug("unexpected while reading %s", stamp_of_job(job).path, exc_info=True)
        reason = f"cannot be decoded: {type(error).__name__}: {error}"
    if isinstance(job, TrackJob):  # the file is as it is not for long: the next run tries again
        return TracksRead(job.stamp, job.video_id, (), (reason,))
    return Failed(job, reason)


def read_tracks(job: TrackJob, extractor: TrackExtractor) -> TracksRead:
    """The tracks that a known video lacks; its pictures are not encoded again.

    Raises MediaError for a file that is no video or changes meanwhile, EncoderError, OSError.
    """
    from scenewise.media.probe import probe

    _check_unchanged(job.stamp)
    info = probe(job.stamp.path)
    tracks = extractor.extract(job.stamp.path, info, job.specs, job.sidecars)
    _check_unchanged(job.stamp)
    return TracksRead(job.stamp, job.video_id, tracks, _warnings(tracks))


def _warnings(tracks: tuple[Track, ...]) -> tuple[str, ...]:
    return tuple(warning for track in tracks for warning in track.warnings)


def encode_video(
    path: str | Path,
    encoder: Encoder,
    sampling: Sampling,
    wanted: Wanted | None = None,
    extractor: TrackExtractor | None = None,
) -> EncodedVideo | Recognised:
    """Hash, decode, embed; nothing is decoded where ``wanted`` says no to the content.

    ``extractor`` reads what else there is; None: subtitles and sounds.

    Raises MediaError for a file that is no video or changes meanwhile, EncoderError, OSError.
    """
    before = stamp_of(path)
    if before is None:
        raise UnreadableMediaError(f"{path} is not a regular file.")
    if before.size == 0:
        raise UnreadableMediaError(f"{path}: the file is empty.")
    content_hash = hash_file(path)
    if wanted is not None and not wanted(content_hash):
        _check_unchanged(before)
        return Recognised(before, content_hash)
    # a library is opened for questions too, and those need no decoder
    from scenewise.media.decode import VideoReader
    from scenewise.media.shots import ShotDetector

    with VideoReader(path) as reader:
        duration = reader.duration
        plan = plan_windows(duration, encoder.spec, sampling)
        builder = WindowBuilder(encoder, plan)
        # a few frames of a whole video, seconds or minutes apart, tell nothing of its shots
        detector = ShotDetector() if sampling.frames is None else None
        frames = reader.read(builder.wanted_times.tolist(), encoder.spec.target)
        # some frames at a time through each step: code and data stay in the processor's caches
        while some := list(islice(frames, BATCH_WINDOWS)):
            if detector is not None:
                for frame in some:
                    if not frame.substitute:
                        detector.add(frame.time, frame.image)
            for frame in some:
                builder.add(frame)
        windows = builder.finish()
        warnings = reader.warnings
    tracks = (extractor or TrackExtractor()).extract(path, reader.info)
    _check_unchanged(before)
    return EncodedVideo(
        stamp=before,
        content_hash=content_hash,
        duration=duration,
        starts=windows.starts,
        ends=windows.ends,
        times=windows.times,
        features=windows.features,
        video_vector=unit(windows.features.vectors.mean(axis=0)),
        shots=detector.finish(duration) if detector is not None else (),
        tracks=tracks,
        warnings=warnings + _warnings(tracks),
    )


def hash_file(path: str | Path) -> str:
    """BLAKE2b with 128 bits over the file's bytes, as 32 hex digits: the identity of content."""
    digest = hashlib.blake2b(digest_size=16)
    with Path(path).open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _check_unchanged(before: FileStamp) -> None:
    if stamp_of(before.path) != before:
        raise MediaError("the file changed while it was read; index it again once it is complete.")
