"""The one error tree. Every error that a user can cause or meet is one of these.

It knows names and exit codes, and how to quote a foreign error; nothing of what raises them.

    ScenewiseError                  exit code 1
    ├── UsageError                  exit code 2: a value that is not allowed
    ├── MediaError                  a file that is no video, or breaks
    │   ├── UnreadableMediaError
    │   └── MissingStreamError      no video, audio or subtitle stream where one is needed
    ├── EncoderError                a network cannot be found, prepared or run
    │   ├── UnknownEncoderError     exit code 2
    │   └── MissingExtraError       an optional package is not installed
    ├── NetworkError                a network of the registry cannot be built, or its weights read
    │   └── UnknownNetworkError     exit code 2
    ├── DataError                   annotations or a dataset are not what they should be
    ├── MetricError                 a program or a dictionary that a metric needs fails or is absent
    ├── TrainingError               a run of training cannot begin, go on or be resumed
    ├── ModelError                  a language model cannot be reached, or gives no answer
    └── LibraryError
        ├── LibraryNotFoundError
        ├── LibraryLockedError      another process writes
        ├── LibraryDamagedError
        ├── EncoderMismatchError    the library belongs to another encoder
        └── StorageError            disk full, no permission, read-only

A message is one sentence, or two: the value, what is allowed, what to do next.
"""


class ScenewiseError(Exception):
    """Base of all errors of this package; the message is fit for a person to read."""

    exit_code = 1

    @property
    def lines(self) -> tuple[str, ...]:
        """The message line by line: one, but where several mistakes are told at once."""
        return (str(self),)


class UsageError(ScenewiseError):
    """A value that is not allowed: an empty query, a time that is no number, and so on."""

    exit_code = 2


class MediaError(ScenewiseError):
    """A media file cannot be used."""


class UnreadableMediaError(MediaError):
    """The file cannot be opened or holds nothing that can be decoded."""


class MissingStreamError(MediaError):
    """The file opens, but has no stream of the wanted kind."""


class EncoderError(ScenewiseError):
    """A network cannot be prepared or run."""


class UnknownEncoderError(EncoderError):
    """No encoder has this name, and no folder either."""

    exit_code = 2


class MissingExtraError(EncoderError):
    """An optional package is needed and not installed."""


class NetworkError(ScenewiseError):
    """A network of the registry cannot be built, or weights do not belong to it."""


class UnknownNetworkError(NetworkError):
    """No network of the registry has this name."""

    exit_code = 2


class DataError(ScenewiseError):
    """Annotations, shards or a dataset's folder are missing, damaged or of another form."""


class MetricError(ScenewiseError):
    """A program or a dictionary that a metric needs fails, or is not there."""


class TrainingError(ScenewiseError):
    """A run of training cannot begin, go on or be resumed."""


class ModelError(ScenewiseError):
    """A language model that the user plugged in cannot be reached, or gives no answer."""


class LibraryError(ScenewiseError):
    """A library cannot be used."""


class LibraryNotFoundError(LibraryError):
    """There is no library in this folder."""


class LibraryLockedError(LibraryError):
    """Another process is writing to this library."""


class LibraryDamagedError(LibraryError):
    """The library's own files are not what they must be."""


class EncoderMismatchError(LibraryError):
    """The library belongs to another encoder."""


class StorageError(LibraryError):
    """The disk is full, read-only, or permission is missing."""


def first_line(error: BaseException) -> str:
    """What a foreign error says, as a part of a sentence: its first line without the dot."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
