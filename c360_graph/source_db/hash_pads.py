"""The key of the `hash` treatment as the two pads of HMAC-SHA256 (RFC 2104)."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

_BLOCK_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class HashPads:
    """Key XOR ipad and key XOR opad, in hex; never shown."""

    inner: str = field(repr=False)
    outer: str = field(repr=False)


def hash_pads(key: str) -> HashPads:
    """The pads of a key of any length."""
    secret = key.encode()
    if len(secret) > _BLOCK_BYTES:
        secret = sha256(secret).digest()
    block = secret.ljust(_BLOCK_BYTES, b"\0")
    return HashPads(
        inner=bytes(byte ^ 0x36 for byte in block).hex(),
        outer=bytes(byte ^ 0x5C for byte in block).hex(),
    )
