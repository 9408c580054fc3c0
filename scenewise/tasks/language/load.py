"""From a name and settings to a language model.

It knows which kinds there are; it sends nothing. Checkpoints on the disk will come in here.
"""

from __future__ import annotations

from scenewise.config import Settings, expand_user
from scenewise.errors import UsageError
from scenewise.tasks.language.model import VideoLanguageModel


def open_language_model(name: str, settings: Settings) -> VideoLanguageModel:
    """The model of this name at the endpoint of the settings; nothing is sent yet.

    Raises UsageError where the name is empty or a folder, or no endpoint is set.
    """
    wanted = name.strip()
    if not wanted:
        raise UsageError("--model: an empty name; give the model's name at its endpoint.")
    if expand_user(wanted).is_dir():
        raise UsageError(
            f"--model {wanted} is a folder, and checkpoints on the disk cannot be run here; serve "
            "it by a program with an OpenAI-compatible endpoint, and name that by --model-url."
        )
    if settings.model_url is None:
        raise UsageError(
            f"--model {wanted} needs an endpoint: give --model-url, such as "
            "http://127.0.0.1:11434/v1, or set SCENEWISE_MODEL_URL."
        )
    # a verb without a model needs no HTTP client
    from scenewise.tasks.language.endpoint import OpenAIEndpoint

    key = settings.model_key.get_secret_value() if settings.model_key is not None else None
    return OpenAIEndpoint(
        wanted, settings.model_url, key=key, answer_seconds=settings.model_timeout
    )
