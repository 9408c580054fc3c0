"""Events as signed HTTP requests.

It knows one address, headers and status codes; retries are ``delivery``'s. The body is the event's
JSON and nothing else: snapshot and clip are named by their paths. Headers:

    Idempotency-Key          the event's id: the same event may come twice
    X-Scenewise-Timestamp    seconds since 1970, of this attempt
    X-Scenewise-Signature    sha256=HEX, HMAC-SHA256 over TIMESTAMP + "." + BODY with the secret
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping

import httpx2

from scenewise.errors import UsageError, first_line
from scenewise.tasks.watch.delivery import RejectedError, TryAgainError
from scenewise.tasks.watch.spool import Waiting

TIMEOUT_SECONDS = 10.0
TOLERANCE_SECONDS = 300.0
# the request itself is wrong, and will be the next time: all else may be put right at the far end
_NEVER = {400, 413, 414, 415, 422, 431}
TIMESTAMP, SIGNATURE = "X-Scenewise-Timestamp", "X-Scenewise-Signature"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of the signature's header."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float | None = None,
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> bool:
    """Whether a request comes from a holder of the secret, and is not an old one sent again.

    ``headers`` with names in upper or lower case; ``body`` the bytes as they came.
    """
    given = {name.lower(): value for name, value in headers.items()}  # proxies change the case
    timestamp = given.get(TIMESTAMP.lower(), "")
    expected = sign(secret, timestamp, body)
    if not hmac.compare_digest(expected.encode(), given.get(SIGNATURE.lower(), "").encode()):
        return False
    try:
        sent = float(timestamp)
    except ValueError:
        return False
    return abs((time.time() if now is None else now) - sent) <= tolerance_seconds


class Webhook:
    """One address that takes events. Implements ``Transport``."""

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """``token`` is sent as bearer; without ``secret`` requests are not signed.

        Raises UsageError where the address is none of http.
        """
        address = _address(url)
        self.name = f"the webhook {shown(address)}"
        self._secret = secret
        credentials = (address.username, address.password) if address.username else None
        self._url = address.copy_with(username=None, password=None)
        headers = {"Content-Type": "application/json", "User-Agent": "scenewise"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx2.Client(headers=headers, timeout=timeout_seconds, auth=credentials)

    def carry(self, event: Waiting) -> None:
        """See ``Transport``."""
        body = json.dumps(event.body, allow_nan=False).encode()
        timestamp = str(int(time.time()))
        headers = {"Idempotency-Key": event.id, TIMESTAMP: timestamp}
        if self._secret:
            headers[SIGNATURE] = sign(self._secret, timestamp, body)
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except httpx2.TimeoutException:
            raise TryAgainError("it did not answer in time") from None
        except httpx2.HTTPError as error:
            raise TryAgainError(first_line(error)) from None
        if answer.is_success:
            return
        reason = f"it answered {answer.status_code} {answer.reason_phrase}".rstrip()
        if answer.status_code in _NEVER:
            raise RejectedError(reason)
        raise TryAgainError(reason, _retry_after(answer.headers.get("Retry-After")))

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _address(url: str) -> httpx2.URL:
    try:
        address = httpx2.URL(url.strip())
    except (httpx2.InvalidURL, ValueError):
        raise UsageError(
            "the webhook's address is not valid; write it as https://host/path."
        ) from None
    if address.scheme not in ("http", "https") or not address.host:
        given = f" {shown(address)}" if address.host else ""
        raise UsageError(f"the webhook's address{given} is none of http; write https://host/path.")
    return address


def shown(address: httpx2.URL) -> str:
    """Without user, password, path and query: any of them may be a secret."""
    port = f":{address.port}" if address.port is not None else ""
    more = "/…" if address.path not in ("", "/") or address.query else ""
    return f"{address.scheme}://{address.host}{port}{more}"


def _retry_after(value: str | None) -> float | None:
    """Seconds of the header; a date there is not read."""
    try:
        seconds = float(value) if value is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds <= 86_400 else None
