"""Tokens of an issuer: a real one, which serves its keys over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from c360_graph.errors import SettingsError
from c360_graph.serve.clients import Tokens, tokens_of
from c360_graph.serve.values import Problem
from c360_graph.settings import Settings

KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    key = dict(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True))
    address: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found: dict[str, Any] = {"jwks_uri": f"{address[0]}/keys"}
            if self.path == "/keys":
                found = {"keys": [key | {"kid": "1", "alg": "RS256", "use": "sig"}]}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address.append(f"http://127.0.0.1:{server.server_port}")
    yield address[0]
    server.shutdown()
    server.server_close()


def token(issuer: str, **claims: Any) -> str:
    given = {
        "iss": issuer,
        "aud": "c360",
        "sub": "ann",
        "exp": time.time() + 60,
        "scope": "label:Plan answer:*",
    }
    return jwt.encode({**given, **claims}, KEY, algorithm="RS256", headers={"kid": "1"})


def identify(issuer: str, sent: str) -> Any:
    tokens = Tokens(issuer=issuer, audience="c360", scope_claim="scope")
    return asyncio.run(tokens.identify(sent))


def test_the_scopes_of_a_token_say_what_is_served(issuer: str) -> None:
    client = identify(issuer, token(issuer))
    assert (client.name, client.labels, client.answers) == ("oidc:ann", {"Plan"}, None)
    assert not client.unmasked
    assert identify(issuer, token(issuer, scope=["unmasked", "label:*"])).unmasked
    nothing = identify(issuer, token(issuer, scope=None))
    assert (nothing.labels, nothing.answers) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other"},
        {"iss": "https://other.example"},
        {"exp": time.time() - 5},
        {"exp": None},
        {"sub": None},
    ],
)
def test_a_token_of_others_or_of_yesterday_is_refused(issuer: str, claims: dict[str, Any]) -> None:
    sent = {name: value for name, value in claims.items() if value is not None}
    absent = [name for name, value in claims.items() if value is None]
    given = {"iss": issuer, "aud": "c360", "sub": "ann", "exp": time.time() + 60} | sent
    for name in absent:
        del given[name]
    made = jwt.encode(given, KEY, algorithm="RS256", headers={"kid": "1"})
    with pytest.raises(Problem) as refused:
        identify(issuer, made)
    assert refused.value.status == 401


def test_a_token_that_the_issuer_did_not_sign_is_refused(issuer: str) -> None:
    claims = {"iss": issuer, "aud": "c360", "sub": "ann", "exp": time.time() + 60}
    forged = jwt.encode(claims, OTHER, algorithm="RS256", headers={"kid": "1"})
    with_secret = jwt.encode(claims, "x" * 64, algorithm="HS256", headers={"kid": "1"})
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "1"})
    unknown = jwt.encode(claims, OTHER, algorithm="RS256", headers={"kid": "2"})
    for sent in (forged, with_secret, unsigned, unknown, "a.b.c", token(issuer)[:-9]):
        with pytest.raises(Problem) as refused:
            identify(issuer, sent)
        assert refused.value.status == 401


@pytest.mark.parametrize(
    "given",
    [
        {"c360_serve_oidc_issuer": "https://id.example"},
        {"c360_serve_oidc_issuer": "http://id.example", "c360_serve_oidc_audience": "c360"},
        {"c360_serve_oidc_issuer": "file:///etc", "c360_serve_oidc_audience": "c360"},
    ],
)
def test_an_issuer_needs_an_audience_and_tls(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="C360_SERVE_OIDC"):
        tokens_of(Settings(_env_file=None).model_copy(update=given))
