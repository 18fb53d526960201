"""The control database beside the requests: clients and rules are read, and accesses written, every few seconds.

No request waits for it. Where it cannot be reached, the server goes on with what it knows for some minutes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from c360_graph.control.api_clients import Access, ApiClients, ClientRow
from c360_graph.errors import ControlDatabaseError
from c360_graph.faults import log_warning
from c360_graph.hashing import KeyedHash
from c360_graph.serve.schema import ServedRule
from c360_graph.serve.values import unavailable

READ_SECONDS, WRITE_SECONDS = 5.0, 1.0
KNOWN_SECONDS = 300.0
"""How long clients and rules count as known after they were read."""
MOST_WAITING = 50_000
"""Accesses that wait to be written; with more, nothing is served, since it could not be audited."""
_BATCH = 2_000


class ControlLink:
    """Reads for the clients and the rules, and writes what was asked."""

    def __init__(
        self,
        control: ApiClients,
        *,
        use: Callable[[tuple[ClientRow, ...], tuple[ServedRule, ...]], None],
    ) -> None:
        self._control = control
        self._use = use
        self._waiting: deque[Access] = deque()
        self._read_at = 0.0
        self._has_failed = False

    def record(self, access: Access) -> None:
        """An access that is to be written soon."""
        self._waiting.append(access)

    def refuse_unknown(self) -> None:
        """Make sure that requests can be judged and audited.

        Raises:
            Problem: 503, the control database has been away for too long.
        """
        if self.known_seconds > KNOWN_SECONDS or len(self._waiting) > MOST_WAITING:
            raise unavailable("The control database cannot be reached.", retry_after=10)

    @property
    def known_seconds(self) -> float:
        """How long ago clients and rules were read."""
        return time.monotonic() - self._read_at

    async def read(self) -> None:
        """Read clients and rules.

        Raises:
            ControlDatabaseError: they cannot be read.
        """
        rows, rules = await asyncio.to_thread(self._read)
        self._use(rows, rules)
        self._read_at = time.monotonic()

    def _read(self) -> tuple[tuple[ClientRow, ...], tuple[ServedRule, ...]]:
        found = self._control.read_rules()
        return self._control.read(), tuple(ServedRule.model_validate(row) for row in found)

    async def run(self, stop: asyncio.Event) -> None:
        """Read and write until somebody says stop, and write what is left."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), WRITE_SECONDS)
            try:
                await self.write()
                if self.known_seconds > READ_SECONDS:
                    await self.read()
                self._has_failed = False
            except ControlDatabaseError as error:
                if not self._has_failed:
                    log_warning(
                        f"Clients, rules and accesses wait for the control database: {error}"
                    )
                self._has_failed = True

    async def write(self) -> None:
        """Write the accesses that wait.

        Raises:
            ControlDatabaseError: they cannot be written, and wait further.
        """
        while self._waiting:
            batch = [self._waiting[index] for index in range(min(_BATCH, len(self._waiting)))]
            await asyncio.to_thread(self._control.log, batch)
            for _ in batch:
                self._waiting.popleft()


class CustomerHash:
    """What the access log has instead of a customer's key.

    >>> CustomerHash("secret").of("Account", "12") == KeyedHash("secret").of("Account/12")
    True
    """

    def __init__(self, hash_key: str | None) -> None:
        self._keyed = KeyedHash(hash_key) if hash_key else None

    def of(self, label: str, key: str) -> str:
        """The hash of `label/key`."""
        text = f"{label}/{key}"
        if self._keyed:
            return self._keyed.of_bytes(text.encode("utf-8", "surrogatepass")).decode()
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
