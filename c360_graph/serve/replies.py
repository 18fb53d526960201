"""What is asked for, and what was made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from c360_graph.serve.answering import JSON
from c360_graph.serve.reading import Reader


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What an operation made. `about` are the nodes (label, key) that the access log names by their hashes."""

    body: bytes
    rows: int = 1
    media: str = JSON
    about: tuple[tuple[str, str], ...] = ()


Operation = Callable[[Reader], Awaitable[Reply]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """What is asked for. `lasts` says for how many seconds an answer stays true of the same graph, None forever."""

    name: str
    media: str = JSON
    about: tuple[tuple[str, str], ...] = ()
    is_kept: bool = False
    lasts: float | None = None
    needs_graph: bool = True
