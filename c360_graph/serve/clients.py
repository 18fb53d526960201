"""Who asks, by a key or by the access token of an OpenID Connect issuer, what is served to whom, and how often they may ask."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import jwt

from c360_graph.control.api_clients import ClientRow
from c360_graph.errors import SettingsError
from c360_graph.serve.limits import Buckets, OwnBuckets
from c360_graph.serve.values import Problem, unavailable
from c360_graph.settings import Settings

KEY_PREFIX = "c360_"
COOKIE = "c360_key"
ANONYMOUS = "anonymous"

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""With public keys alone: a secret that both sides know is none of an issuer's."""
_TIMEOUT_SECONDS = 5.0
_MOST_KNOWN = 1_000
_KNOWN_SECONDS = 60.0
_CONFIGURATION = "/.well-known/openid-configuration"


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


class Tokens:
    """Verifies tokens. The issuer's keys are fetched when they are needed, and a token is verified once a minute."""

    def __init__(self, *, issuer: str, audience: str, scope_claim: str) -> None:
        self._issuer, self._audience, self._claim = issuer, audience, scope_claim
        self._keys: jwt.PyJWKClient | None = None
        self._known: OrderedDict[str, tuple[float, Client]] = OrderedDict()

    async def identify(self, token: str) -> Client:
        """Whose token it is.

        Raises:
            Problem: 401, it is not valid; 503, the issuer's keys cannot be fetched.
        """
        known = self._known.get(token)
        if known is not None and known[0] > time.time():
            return known[1]
        claims = await asyncio.to_thread(self._claims, token)
        client = client_of(claims, claim=self._claim)
        self._known[token] = (min(claims["exp"], time.time() + _KNOWN_SECONDS), client)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return client

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            key = self._key_client().get_signing_key_from_jwt(token)
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWKClientConnectionError, OSError, KeyError, ValueError):
            raise unavailable("The keys of the token's issuer cannot be fetched.") from None
        except jwt.PyJWTError:
            raise Problem(
                401,
                "The token is not valid: it is expired, for somebody else, or not of the issuer.",
                headers={"WWW-Authenticate": 'Bearer realm="c360", error="invalid_token"'},
            ) from None
        return claims

    def _key_client(self) -> jwt.PyJWKClient:
        if self._keys is None:
            # The scheme was looked at when the settings were read.
            address = self._issuer.rstrip("/") + _CONFIGURATION
            with urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                found = str(json.load(answer)["jwks_uri"])
            _refuse_plain(found)
            self._keys = jwt.PyJWKClient(found, cache_keys=True, timeout=int(_TIMEOUT_SECONDS))
        return self._keys


def client_of(claims: Mapping[str, Any], *, claim: str) -> Client:
    """What the scopes of a token permit; nothing where it has none.

    >>> client_of({"sub": "ann", "scope": "label:Plan answer:* email"}, claim="scope").labels
    frozenset({'Plan'})
    """
    said = claims.get(claim) or ()
    scopes = said.split() if isinstance(said, str) else [str(scope) for scope in said]
    return Client(
        # Apart from the clients of the control table, whatever they are called.
        name=f"oidc:{claims['sub']}"[:200],
        labels=_named("label:", scopes),
        answers=_named("answer:", scopes),
        unmasked="unmasked" in scopes,
    )


def _named(prefix: str, scopes: list[str]) -> frozenset[str] | None:
    names = frozenset(s.removeprefix(prefix) for s in scopes if s.startswith(prefix))
    return None if "*" in names else names


def tokens_of(settings: Settings) -> Tokens | None:
    """What verifies tokens; None where the settings name no issuer.

    Raises:
        SettingsError: the issuer has no audience, or is reached without TLS.
    """
    issuer, audience = settings.c360_serve_oidc_issuer, settings.c360_serve_oidc_audience
    if not issuer:
        return None
    if not audience:
        raise SettingsError(
            "C360_SERVE_OIDC_ISSUER needs C360_SERVE_OIDC_AUDIENCE, so that tokens for other services are"
            " refused."
        )
    _refuse_plain(issuer)
    return Tokens(
        issuer=issuer, audience=audience, scope_claim=settings.c360_serve_oidc_scope_claim
    )


def _refuse_plain(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return
    raise SettingsError(
        "C360_SERVE_OIDC_ISSUER and the keys that it names have to begin with https://."
    )
