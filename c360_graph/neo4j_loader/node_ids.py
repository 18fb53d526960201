"""A set of node ids, one bit each: a server numbers its nodes densely from 0."""

from __future__ import annotations

from collections.abc import Iterable


class NodeIds:
    """Ids of a label's nodes; five million take less than a megabyte."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, ids: Iterable[int]) -> None:
        """Add ids; those that are in already change nothing."""
        for number in ids:
            place, bit = number >> 3, 1 << (number & 7)
            if place >= len(self._bits):
                self._bits.extend(bytes(max(place + 1 - len(self._bits), len(self._bits))))
            self._bits[place] |= bit

    def __len__(self) -> int:
        return int.from_bytes(self._bits, "little").bit_count()

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] & (1 << (number & 7)))
