"""Files of a repository of the Hugging Face hub, fetched when a user names it.

It knows names, downloads and what can go wrong with them, in one sentence each; it knows nothing
of what the files mean. The hub's own settings hold: HF_HUB_OFFLINE, HF_TOKEN, HF_HOME,
HF_ENDPOINT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scenewise.errors import EncoderError, UnknownEncoderError, first_line

EXAMPLE = "google/siglip2-base-patch16-224"  # what a message names where nothing else is meant

HUB_NAME = re.compile(
    r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?"
)
_TRANSFER_MODULES = ("httpx", "httpcore", "requests", "hf_xet", "huggingface_hub")


def download_snapshot(
    repository: str, revision: str | None, patterns: tuple[str, ...], local_files_only: bool
) -> Path:
    """Fetch the files that match from the hub into its cache; the snapshot's folder."""
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            repository,
            revision=revision,
            allow_patterns=list(patterns),
            local_files_only=local_files_only,
        )
    )


@contextmanager
def hub_errors(
    name: str, repository: str, local_files_only: bool, example: str = EXAMPLE
) -> Iterator[None]:
    """Foreign errors become one sentence: what was asked for, what is wrong, the next step."""
    from huggingface_hub import errors

    address = f"https://huggingface.co/{repository}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise EncoderError(
            f"{name} is gated: accept its terms at {address}, then set HF_TOKEN to a token of "
            "your account."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise EncoderError(
            f"{name} is neither a folder here nor a repository that the hub shows: check the "
            "spelling; if it is private, set HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise EncoderError(
            f"{name}: the repository has no such revision; see {address}/commits/main."
        ) from error
    except errors.HFValidationError as error:
        raise UnknownEncoderError(
            f"{name!r} is not a valid hub name; give one such as {example}."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        if local_files_only:
            raise EncoderError(
                f"{name} is not on this machine yet: run scenewise models prepare {name}."
            ) from error
        raise EncoderError(
            f"{name} is not in the local cache of the hub, and the hub cannot be reached "
            "(no network, or HF_HUB_OFFLINE is set): connect once, or give a local folder."
        ) from error
    except errors.HfHubHTTPError as error:
        raise EncoderError(
            f"The hub refused {name}: {first_line(error)}. Try again later, or give a local folder."
        ) from error
    except OSError as error:  # a full disk, no permission, a broken connection
        raise EncoderError(
            f"{name} could not be downloaded: {first_line(error)}. Make room or connect, and "
            "run the command again: what has arrived is kept."
        ) from error
    except Exception as error:
        # the hub's HTTP and transfer libraries change from version to version and share no base
        # class of errors; mistakes of our own code are not meant
        foreign = type(error).__module__.startswith(_TRANSFER_MODULES)
        if not (foreign or isinstance(error, RuntimeError)):
            raise
        raise EncoderError(
            f"{name} could not be downloaded: {first_line(error)}. Run the command again: what "
            "has arrived is kept."
        ) from error
