"""Access tokens of an OpenID Connect issuer: their signature, audience and scopes."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import jwt

from c360_graph.errors import SettingsError
from c360_graph.serve.clients import Client, is_loopback
from c360_graph.serve.problems import Problem, unavailable
from c360_graph.settings import Settings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""With public keys alone: a secret that both sides know is none of an issuer's."""
_TIMEOUT_SECONDS = 5.0
_MOST_KNOWN = 1_000
_KNOWN_SECONDS = 60.0
_CONFIGURATION = "/.well-known/openid-configuration"


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
