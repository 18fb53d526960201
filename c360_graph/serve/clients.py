"""Who asks, what is served to whom, and how often they may ask."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from c360_graph.control.api_clients import ClientRow
from c360_graph.serve.problems import Problem
from c360_graph.serve.rates import Buckets, OwnBuckets

KEY_PREFIX = "c360_"
COOKIE = "c360_key"
ANONYMOUS = "anonymous"


@dataclass(frozen=True, kw_only=True)
class Client:
    """Who asks. `labels` and `answers` are None where all are served."""

    name: str
    labels: frozenset[str] | None = None
    answers: frozenset[str] | None = None
    unmasked: bool = False
    rate_per_minute: int = 0

    def sees(self, label: str) -> bool:
        """Whether nodes of a label are served to the client."""
        return self.labels is None or label in self.labels

    def may_ask(self, answer: str) -> bool:
        """Whether an answer is served to the client."""
        return self.answers is None or answer in self.answers

    @property
    def scope(self) -> str:
        """What decides which data is served: clients with the same text are served the same."""
        return repr((_sorted(self.labels), _sorted(self.answers), self.unmasked))


def _sorted(names: frozenset[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(names))


def new_key() -> tuple[str, str]:
    """A key of 256 random bits, and its hash.

    >>> key, hashed = new_key()
    >>> key.startswith("c360_"), hashed == key_hash(key)
    (True, True)
    """
    key = f"{KEY_PREFIX}{secrets.token_urlsafe(32)}"
    return key, key_hash(key)


def key_hash(key: str) -> str:
    """The hash that is kept of a key: SHA-256 in hex, since nobody can guess 256 random bits."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether an address is reached from its own machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("::1")
    (True, True, False, True)
    """
    name = host.strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Clients:
    """The clients as the control table had them when it was last read."""

    def __init__(
        self, *, anonymous: Client | None, rate_per_minute: int, buckets: Buckets | None = None
    ) -> None:
        self._anonymous = anonymous
        self._rate = rate_per_minute
        self._by_hash: Mapping[str, ClientRow] = {}
        self._buckets = buckets or OwnBuckets()

    def replace(self, rows: Iterable[ClientRow]) -> None:
        """Take over what the control table says now."""
        self._by_hash = {row.key_hash: row for row in rows}

    @property
    def needs_key(self) -> bool:
        """Whether requests without a key are refused: elsewhere than on loopback, and once there is a key."""
        return self._anonymous is None or bool(self._by_hash)

    def identify(self, key: str | None) -> Client:
        """Whose key it is.

        Raises:
            Problem: 401, the key is missing, wrong, expired or revoked.
        """
        if key is None:
            if self.needs_key or self._anonymous is None:
                raise _unauthorized(
                    "Send a key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`. `c360 serve key"
                    " create NAME` makes one."
                )
            return self._anonymous
        row = self._by_hash.get(key_hash(key))
        if row is None or row.revoked_at is not None or _is_past(row.expires_at):
            raise _unauthorized("The key is not valid: it is unknown, expired or revoked.")
        return Client(
            name=row.client_name,
            labels=None if row.labels is None else frozenset(row.labels),
            answers=None if row.answers is None else frozenset(row.answers),
            unmasked=row.unmasked,
            rate_per_minute=row.rate_per_minute or self._rate,
        )

    def admit(self, client: Client) -> None:
        """Count a request.

        Raises:
            Problem: 429, the client asks too often.
        """
        rate = client.rate_per_minute or self._rate
        seconds = self._buckets.take(client.name, rate)
        if seconds:
            raise Problem(
                429,
                f"The client may ask {rate:,} times a minute.",
                headers={"Retry-After": str(max(1, round(seconds + 0.5)))},
            )


def _unauthorized(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="c360"'})


def _is_past(moment: datetime | None) -> bool:
    return moment is not None and moment <= datetime.now(UTC)
