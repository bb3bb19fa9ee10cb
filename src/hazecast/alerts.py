"""Notification channels: Apprise for chat, mail and push; signed webhooks for programs."""

import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

import apprise
import httpx
import orjson
import stamina

from hazecast.errors import DeliveryError, SettingsError

ATTEMPTS = 4
_TIMEOUT_SECONDS = 10.0
_SERVER_ERROR, _TOO_MANY, _REFUSED = 500, 429, 300
# Apprise logs addresses, which contain passwords.
logging.getLogger("apprise").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Message:
    """One notification to one channel.

    Attributes:
        message_id: the same for every attempt, so that a receiver can drop repeats.
        audience: operators or public.
        title: one line.
        body: one paragraph per event.
        is_recovery: all incidents in it are resolved.
        events: the same as data, for programs.
    """

    message_id: str
    audience: str
    title: str
    body: str
    is_recovery: bool
    events: tuple[Mapping[str, object], ...]


class Channel(Protocol):
    """A recipient; `name` contains no secret, `audiences` are those it serves."""

    name: str
    audiences: tuple[str, ...]

    def send(self, message: Message) -> None:
        """Deliver the message, with retries.

        Raises:
            DeliveryError: it was not accepted.
        """
        ...


class AppriseChannel:
    """One Apprise address: mailto://, slack://, msteams://, sns://, json:// and a hundred more.

    Raises:
        SettingsError: Apprise does not know such an address.
    """

    def __init__(self, url: str, *, audiences: tuple[str, ...]) -> None:
        self.name, self.audiences = _name(url), audiences
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            raise SettingsError(
                f"Apprise does not know the address {urlsplit(url).scheme}://…; docs/alerts.md shows how they look"
            )

    def send(self, message: Message) -> None:
        """See `Channel`."""
        kind = apprise.NotifyType.SUCCESS if message.is_recovery else apprise.NotifyType.WARNING
        for attempt in stamina.retry_context(on=DeliveryError, attempts=ATTEMPTS, wait_initial=1.0):
            with attempt:
                if not self._apprise.notify(title=message.title, body=message.body, notify_type=kind):
                    raise DeliveryError(f"{self.name} did not accept the message; check its address and rights")


class WebhookChannel:
    """A webhook; the body is JSON, HMAC-signed if a secret is set.

    Headers: X-Hazecast-Delivery (the message id), X-Hazecast-Timestamp [s since 1970] and, with a secret,
    X-Hazecast-Signature.
    """

    audiences: tuple[str, ...] = ("operators", "public")

    def __init__(self, url: str, *, secret: str) -> None:
        self.name = _name(url)
        self._url, self._secret = url, secret

    def send(self, message: Message) -> None:
        """See `Channel`; 4xx responses are not retried."""
        body = orjson.dumps(
            {"id": message.message_id, "audience": message.audience, "title": message.title, "events": message.events}
        )
        try:
            self._post(message.message_id, body)
        except httpx.HTTPError as err:
            raise DeliveryError(f"{self.name}: {_reason(err)}") from err

    @stamina.retry(on=lambda err: _is_transient(err), attempts=ATTEMPTS, wait_initial=0.5)
    def _post(self, message_id: str, body: bytes) -> None:
        timestamp = str(int(datetime.now(UTC).timestamp()))  # noqa: TID251 - receivers compare it with their clock
        headers = {
            "Content-Type": "application/json",
            "X-Hazecast-Delivery": message_id,
            "X-Hazecast-Timestamp": timestamp,
        }
        if self._secret:
            headers["X-Hazecast-Signature"] = sign(self._secret, timestamp, body)
        response = httpx.post(self._url, content=body, headers=headers, timeout=_TIMEOUT_SECONDS)
        if response.status_code >= _REFUSED:
            raise httpx.HTTPStatusError(
                f"responded {response.status_code}", request=response.request, response=response
            )


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The header X-Hazecast-Signature: HMAC-SHA256 over timestamp, a full stop and the body, in hex."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def channels(
    *, operator_urls: Sequence[str], public_urls: Sequence[str], webhooks: Sequence[str], secret: str
) -> list[Channel]:
    """All channels of some settings.

    Raises:
        SettingsError: Apprise does not know an address.
    """
    return [
        *(AppriseChannel(url, audiences=("operators",)) for url in operator_urls),
        *(AppriseChannel(url, audiences=("public",)) for url in public_urls),
        *(WebhookChannel(url, secret=secret) for url in webhooks),
    ]


def addresses_in(text: str) -> list[str]:
    """The addresses of a comma-separated list; a comma inside an address is written %2C."""
    return [address for address in (part.strip() for part in text.split(",")) if address]


def _name(url: str) -> str:
    """Scheme and a short fingerprint: distinguishes channels without exposing their passwords."""
    return f"{urlsplit(url).scheme}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def _is_transient(err: Exception) -> bool:
    if isinstance(err, httpx.HTTPStatusError):
        return err.response.status_code >= _SERVER_ERROR or err.response.status_code == _TOO_MANY
    return isinstance(err, httpx.TransportError)


def _reason(err: httpx.HTTPError) -> str:
    if isinstance(err, httpx.HTTPStatusError):
        return str(err)
    return f"is unreachable ({type(err).__name__})"
