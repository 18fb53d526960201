"""The first rows of an extract as a Markdown table, read from the file and never from the source.

What a rule excludes is in no extract, what it hashes or masks stands there so already.
"""

from itertools import islice, takewhile

from c360_graph.assets.markdown import code, table
from c360_graph.cypher.copy_text import decode_rows, shown_list
from c360_graph.extracts import Extract
from c360_graph.mapping.model import TableMapping
from c360_graph.property_types import property_type

LONGEST_VALUE = 40
MOST_COLUMNS = 50
MOST_BYTES = 1 << 20
"""Of one line: a longer row ends the preview, as it would be read whole for forty characters."""


def preview(extract: Extract, *, rows: int) -> str:
    """The first rows of a committed extract, up to one that is too long."""
    with extract.open() as file:
        read = islice(iter(lambda: file.readline(MOST_BYTES), b""), rows)
        whole = list(takewhile(lambda line: line.endswith(b"\n"), read))
    if extract.manifest.rows and not whole:
        return "The first row is longer than 1 MB and is not shown."
    return preview_table(extract.manifest.table, b"".join(whole)[:-1])


def preview_table(mapping: TableMapping, block: bytes) -> str:
    """Rows in COPY's text form as a table; values are cut to 40 characters, 50 columns are shown."""
    if not mapping.columns_read:
        return "Every column is excluded."
    # Join forms come last, so that the columns stand where the row has them.
    shown = mapping.columns_read[:MOST_COLUMNS]
    lists = [property_type(p.type, treatment=p.treatment).name.startswith("LIST") for p in shown]
    rows = decode_rows(block) if block else []
    text = table(
        [code(prop.column) for prop in shown],
        [
            [
                _value(value, is_list)
                for value, is_list in zip(row[: len(shown)], lists, strict=True)
            ]
            for row in rows
        ],
        right=frozenset(),
    )
    more = len(mapping.columns_read) - len(shown)
    return text + (f"\nand {more:,} more columns\n" if more else "") if rows else "No rows."


def _value(value: str | None, is_list: bool) -> str:
    if value is None:
        return "*absent*"
    text = shown_list(value) if is_list else value
    return code(text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…")
