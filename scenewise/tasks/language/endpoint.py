"""Any endpoint that speaks the chat completions of OpenAI: llama.cpp, vLLM, Ollama, or a service.

It knows HTTP, JSON, and what goes wrong with both; it knows no video and no verb. The key goes to
the endpoint's own address in one header, and nowhere else: no message and no log holds it, and
redirects are not followed.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import base64
import json
import math
import random
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx2

from scenewise.errors import ModelError, UsageError, first_line
from scenewise.tasks.language.model import FrameImage
from scenewise.types import clock

CONNECT_SECONDS = 10.0
TRIES = 4
FIRST_PAUSE_SECONDS = 0.5  # doubled each time
LONGEST_PAUSE_SECONDS = 60.0  # that an endpoint may ask for
LARGEST_ANSWER_BYTES = 4 << 20
ANSWER_TOKENS = 1024
_PASSING = frozenset({408, 429, 500, 502, 503, 504, 529})  # worth another try
_LONGEST_QUOTE = 200  # characters of what an endpoint says of an error
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.S)


class OpenAIEndpoint:
    """Implements VideoLanguageModel by ``POST {base}/chat/completions``."""

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        key: str | None = None,
        answer_seconds: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open a client; nothing is sent. Raises UsageError for an address or key of no use."""
        self._model = model
        self._key = key
        self._answer_seconds = answer_seconds
        self._sleep = sleep
        url = _checked_url(base_url)
        self._url = url.copy_with(path=url.path.rstrip("/") + "/chat/completions")
        # for messages: what stands behind a ? may be a secret
        self._shown = f"{url.scheme}://{url.netloc.decode('ascii')}{self._url.path}"
        headers = {"User-Agent": "scenewise"}
        if key is not None:
            if not key or not key.isascii() or not key.isprintable() or " " in key:
                raise UsageError(
                    "model_key is not a key: it may hold printable ASCII characters only; set it "
                    "anew."
                )
            headers["Authorization"] = f"Bearer {key}"
        limits = httpx2.Timeout(answer_seconds, connect=min(CONNECT_SECONDS, answer_seconds))
        self._client = httpx2.Client(headers=headers, timeout=limits, follow_redirects=False)

    @property
    def name(self) -> str:
        """What the user called it."""
        return self._model

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release connections."""
        self._client.close()

    def reply(self, prompt: str, frames: Sequence[FrameImage], *, instruction: str = "") -> str:
        """A non-empty answer to the prompt about frames in order of time. Raises ModelError."""
        messages: list[dict[str, Any]] = []
        if instruction:
            messages.append({"role": "system", "content": instruction})
        messages.append({"role": "user", "content": [*_pictures(frames), _text(prompt)]})
        # what some models do without, and some endpoints refuse
        extras: dict[str, Any] = {"max_tokens": ANSWER_TOKENS, "temperature": 0}
        while True:
            body = {"model": self._model, "messages": messages, "stream": False, **extras}
            status, data = self._ask(json.dumps(body).encode())
            refused = _refused(status, data, extras)
            if refused is None:
                break
            del extras[refused]
        if status != 200:
            raise self._refusal(status, data)
        return self._answer(data)

    # one request, tried again where that may help
    def _ask(self, body: bytes) -> tuple[int, bytes]:
        """Status and bytes of the first response that another try would not better."""
        for attempt in range(1, TRIES + 1):
            pause = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)
            try:
                status, headers, data = self._post(body)
            except (httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
                trouble = ModelError(
                    f"the endpoint {self._shown} cannot be reached within "
                    f"{min(CONNECT_SECONDS, self._answer_seconds):g} s; check --model-url."
                )
                trouble.__cause__ = error
            except httpx2.TimeoutException:
                # a model that is too slow once is too slow again
                raise ModelError(
                    f"{self._model} at {self._shown} did not answer within "
                    f"{self._answer_seconds:g} s; raise SCENEWISE_MODEL_TIMEOUT, or use a "
                    "smaller model."
                ) from None
            except httpx2.ConnectError as error:
                trouble = ModelError(
                    f"the endpoint {self._shown} cannot be reached ({self._quoted(error)}); is it "
                    "running? Check --model-url."
                )
            except httpx2.TransportError as error:
                trouble = ModelError(
                    f"the endpoint {self._shown} broke the connection off "
                    f"({self._quoted(error)}); look into its log."
                )
            else:
                if status not in _PASSING or attempt == TRIES:
                    return status, data
                asked = _retry_after(headers.get("retry-after"))
                if asked is not None and asked > LONGEST_PAUSE_SECONDS:
                    return status, data
                self._sleep(pause if asked is None else asked)
                continue
            if attempt == TRIES:
                raise trouble from None
            self._sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _post(self, body: bytes) -> tuple[int, httpx2.Headers, bytes]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        until = time.monotonic() + self._answer_seconds
        with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > LARGEST_ANSWER_BYTES:
                    raise ModelError(
                        f"the endpoint {self._shown} answers with more than "
                        f"{LARGEST_ANSWER_BYTES >> 20} MB, which is no answer in words; check "
                        "--model-url."
                    )
                if time.monotonic() > until:  # drop by drop counts as one answer, too
                    raise httpx2.ReadTimeout("the answer takes too long")
            return response.status_code, response.headers, b"".join(parts)

    # what came back
    def _answer(self, data: bytes) -> str:
        shape = _json(data)
        if shape is None:
            raise ModelError(
                f"the endpoint {self._shown} answered with something that is not JSON; does "
                "--model-url end where /chat/completions begins, such as http://HOST/v1?"
            )
        try:
            choice = shape["choices"][0]
            content = choice["message"]["content"]
        except (KeyError, IndexError, TypeError):
            raise ModelError(
                f"the endpoint {self._shown} answered without choices, so it does not speak the "
                f"chat completions of OpenAI{self._said(data)}; check --model-url."
            ) from None
        if isinstance(content, list):  # parts, as some servers give them
            content = "".join(
                str(part.get("text") or "") for part in content if isinstance(part, dict)
            )
        text = _THOUGHTS.sub("", content).strip() if isinstance(content, str) else ""
        if not text:
            reason = choice.get("finish_reason") if isinstance(choice, dict) else None
            why = f" (it ended with {self._clean(str(reason))})" if reason else ""
            raise ModelError(
                f"{self._model} at {self._shown} gave an empty answer{why}; ask again, or use "
                "another model."
            )
        return text

    def _refusal(self, status: int, data: bytes) -> ModelError:
        said = self._said(data)
        if status in (401, 403):
            needed = "the key was refused" if self._key else "a key is needed"
            return ModelError(
                f"the endpoint {self._shown} does not let us in ({status}): {needed}; set "
                f"SCENEWISE_MODEL_KEY{said}."
            )
        if status == 404:
            return ModelError(
                f"the endpoint {self._shown} knows no model {self._model}, or is not there "
                f"(404){said}; check --model and --model-url."
            )
        if status == 413:
            return ModelError(
                f"the endpoint {self._shown} finds the frames too large (413){said}; raise its "
                "limit."
            )
        if 300 <= status < 400:
            return ModelError(
                f"the endpoint {self._shown} points elsewhere ({status}), and redirects are not "
                "followed; give the address that it points to as --model-url."
            )
        if status == 429:
            return ModelError(
                f"the endpoint {self._shown} has too many requests (429){said}; try again later."
            )
        if status >= 500:
            return ModelError(
                f"the endpoint {self._shown} failed ({status}), {TRIES} times{said}; look into "
                "its log."
            )
        return ModelError(
            f"the endpoint {self._shown} refused the request ({status}){said}; check that "
            f"{self._model} takes pictures."
        )

    def _said(self, data: bytes) -> str:
        """What the endpoint says of an error, ready to stand in a sentence."""
        shape = _json(data)
        error = shape.get("error", shape) if isinstance(shape, dict) else None
        message = error.get("message") if isinstance(error, dict) else error
        if not isinstance(message, str) or not message.strip():
            return ""
        return f": “{self._clean(message)}”"

    def _quoted(self, error: Exception) -> str:
        return self._clean(first_line(error))

    def _clean(self, text: str) -> str:
        """A foreign text on one line, short, and without the key: some endpoints repeat it."""
        line = " ".join(text.split())
        if self._key:
            line = line.replace(self._key, "…")
        if len(line) > _LONGEST_QUOTE:
            line = line[:_LONGEST_QUOTE].rstrip() + "…"
        return line.rstrip(".")


def _checked_url(text: str) -> httpx2.URL:
    try:
        url = httpx2.URL(text.strip())
    except (httpx2.InvalidURL, UnicodeError):
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(
            "model_url is not an address of http or https; give one such as "
            "http://127.0.0.1:11434/v1."
        )
    if url.userinfo:  # the client's log holds addresses
        raise UsageError(
            "model_url holds a user name or password; leave it out, and give a key as "
            "SCENEWISE_MODEL_KEY."
        )
    return url


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _pictures(frames: Sequence[FrameImage]) -> list[dict[str, Any]]:
    """Each frame after its time, so that a model can speak of order."""
    parts: list[dict[str, Any]] = []
    for frame in frames:
        data = base64.b64encode(frame.jpeg).decode("ascii")
        parts.append(_text(f"Frame at {clock(frame.time)}:"))
        parts.append({"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}})
    return parts


def _json(data: bytes) -> Any:
    """What the bytes say; None where they are no JSON, or nested beyond reason."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _refused(status: int, data: bytes, extras: dict[str, Any]) -> str | None:
    """Which of the parameters an endpoint does not take; None where it is something else."""
    if status not in (400, 422):
        return None
    shape = _json(data)
    error = shape.get("error", shape) if isinstance(shape, dict) else None
    if not isinstance(error, dict):
        return None
    named = error.get("param")
    if named in extras:
        return str(named)
    message = str(error.get("message", ""))
    return next((name for name in extras if re.search(rf"\b{name}\b", message)), None)


def _retry_after(value: str | None) -> float | None:
    """Seconds that an endpoint asks to wait (RFC 9110, 10.2.3); None where it says nothing."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        seconds = (at - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
