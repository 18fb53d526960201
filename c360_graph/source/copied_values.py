"""What becomes of a table's values between the source and the extract: normalised, then hashed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from c360_graph.copied_lines import Replacement, copied_text, replacing_values
from c360_graph.errors import SettingsError
from c360_graph.hashing import KeyedHash
from c360_graph.mapping.join_columns import functions_of
from c360_graph.mapping.model import PropertyMapping, TableMapping
from c360_graph.mapping.normalised_texts import normaliser


class CopiedValues:
    """Replaces the values of a table's lines; `lost` counts those that came to nothing, by property.

    Raises:
        SettingsError: a column is to be hashed, and `hashing` is None.
    """

    def __init__(self, table: TableMapping, hashing: KeyedHash | None) -> None:
        self.lost: Counter[str] = Counter()
        hashed = [prop.column for prop in table.properties if prop.treatment == "hash"]
        if hashed and hashing is None:
            raise SettingsError(
                f"{table.qualified_name}: {', '.join(hashed)} are to be hashed, and C360_HASH_KEY is not set."
            )
        replacements = {
            position: replacement
            for position, prop in enumerate(table.properties)
            if (replacement := self._replacement(prop, hashing)) is not None
        }
        self.replace: Callable[[bytes], bytes] | None = (
            replacing_values(replacements) if replacements else None
        )
        """What a line becomes; None where it is written as it comes."""

    def _replacement(self, prop: PropertyMapping, hashing: KeyedHash | None) -> Replacement | None:
        functions = functions_of(prop)
        is_hashed = prop.treatment == "hash"
        if functions is None or not functions.calls_left:
            return hashing.of_bytes if is_hashed and hashing is not None else None
        normalise = normaliser(functions.calls_left)
        written = hashing.of if is_hashed and hashing is not None else None

        def replace(value: bytes) -> bytes | None:
            text = normalise(value.decode())
            if text is None:
                self.lost[prop.column] += 1
                return None
            return written(text).encode() if written is not None else copied_text(text)

        return replace
