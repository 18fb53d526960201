"""Reading a script: any client's Cypher cut into statements, as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Protocol

from pydantic import ValidationError

from c360_graph.cypher import quoting
from c360_graph.cypher.general_statements import (
    create_any_nodes,
    fingerprint_statement,
    nodes_parameters,
)
from c360_graph.cypher.quoting import literal_text
from c360_graph.cypher.script_writer import (
    END_PREFIX,
    FACTS_PREFIX,
    FORMAT,
    HEADER_PREFIX,
    ConstraintFacts,
    IndexFacts,
    LinksFacts,
    NodesFacts,
    RelationshipsFacts,
    ScriptHeader,
    StatementFacts,
    read_facts,
)
from c360_graph.errors import ScriptError
from c360_graph.mapping.model import row_of_relationship

READ_BYTES = 1_000_000
_TAIL_BYTES = 100
"""More than the last line of a script of ours has."""

_NEXT_TOKEN = re.compile(rb"""['"`;]|//|/\*""")
_QUOTES = (b"'", b'"')
_ENDS = {b"`": b"`", b"//": b"\n", b"/*": b"*/"}
_PRELUDE = re.compile(rb"(?:\s+|//[^\n]*+(?:\n|$)|/\*.*?\*/)*+", re.DOTALL)
_BEFORE_ROWS = quoting.statement("UNWIND split('").encode()
_BEHIND_ROWS = re.compile(
    rb", '(?P<mark>[^'\\]*+(?:\\.[^'\\]*+)*+)'\) AS line WITH split\(line, ", re.DOTALL
)
_BACKSLASH = ord("\\")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement without its semicolon; `number` counts from 1 in the script."""

    number: int
    text: bytes
    facts: StatementFacts | None = None

    @property
    def title(self) -> str:
        """Which statement it is and of what, for messages."""
        match self.facts:
            case None:
                return f"Statement {self.number}"
            case RelationshipsFacts() | LinksFacts() as facts:
                what = f"{facts.type}, {row_of_relationship(facts.relationship_id)}"
            case NodesFacts() as facts:
                what = f"nodes of {facts.table}, label {facts.label}"
            case ConstraintFacts() | IndexFacts() as facts:
                what = f"{facts.kind} of {facts.label}"
            case facts:
                what = facts.kind
        return f"Statement {self.number} ({what})"

    @property
    def rows(self) -> int:
        """How many rows a batch has; 0 of any other statement."""
        return self.facts.rows if isinstance(self.facts, (NodesFacts, LinksFacts)) else 0

    @property
    def node_pattern(self) -> str | None:
        """The pattern that finds the node of a row; None where no key does."""
        return self.facts.match if isinstance(self.facts, NodesFacts) else None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A statement whose data was lifted out: `text` is the same for every batch of a table."""

    text: str
    rows: str
    row_mark: str
    """What stands between two rows."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the text beside `$rows`."""

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters of the text."""
        return {**self.given, "rows": self.rows}

    @property
    def unwound(self) -> str:
        """The statement's beginning, which gives each row as the list `row`."""
        return self.text.partition("\n")[0]

    def cut(self, first: int, last: int) -> Batch:
        """Only the rows from `first` up to and without `last`, counted from 0."""
        rows = self.rows.split(self.row_mark)[first:last]
        return replace(self, rows=self.row_mark.join(rows))


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Passing:
    """A file that is read through; keeps its end, as a compressed one has to be read anew to seek it."""

    def __init__(self, file: _Readable) -> None:
        self._file = file
        self.tail = b""

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size)
        self.tail = (self.tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        return data


def read_header(file: BinaryIO) -> ScriptHeader | None:
    """The header where the script is one of ours; leaves the file at its beginning.

    Raises:
        ScriptError: it is ours, but damaged or of a format this version does not know.
    """
    line = file.readline(1_000_000)
    file.seek(0)
    if not line.startswith(HEADER_PREFIX):
        return None
    if line.endswith(b"\r\n"):
        raise ScriptError(
            "the script's line ends were changed to CRLF, and values in it with them; write it again"
        )
    try:
        header = ScriptHeader.model_validate_json(line.removeprefix(HEADER_PREFIX))
    except ValidationError:
        raise ScriptError("the script's first line is damaged; write the script again") from None
    if header.format != FORMAT:
        raise ScriptError(
            f"the script has format {header.format}, this version reads {FORMAT}; write it again"
        )
    return header


def check_whole(file: BinaryIO) -> None:
    """Read a script once, to refuse before anything is changed what could not be run to its end.

    Raises:
        ScriptError: it was cut short, is damaged, or needs another client.
    """
    header = read_header(file)
    count = 0
    passing = _Passing(file)
    for statement in read_statements(passing):
        count = statement.number
        if statement.text.startswith(b":"):
            command = statement.text.split(maxsplit=1)[0].decode(errors="replace")
            raise ScriptError(
                f"statement {count} begins with {command}, a command of cypher-shell and not Cypher;"
                " run the file with cypher-shell, or export it as plain Cypher"
            )
    if header is not None and not passing.tail.endswith(END_PREFIX + b"%d\n" % count):
        raise ScriptError(
            f"the script is cut short or was changed: after statement {count} its last line does not"
            " say that this is the end; write it again"
        )


def read_statements(file: _Readable) -> Iterator[Statement]:
    """Each statement in order; holds one in memory.

    Raises:
        ScriptError: the file ends inside a string, a name or a comment, or after a statement with no
            semicolon: it was cut short.
    """
    number = 0
    for raw in _split(file):
        prelude = _PRELUDE.match(raw)
        start = prelude.end() if prelude else 0
        if start == len(raw):
            continue
        number += 1
        yield Statement(number=number, text=raw[start:], facts=_facts(raw[:start], number))


def lift(statement: Statement) -> Batch | None:
    """Take the data out of a batch of ours; None for a statement of any other shape."""
    if not statement.text.startswith(_BEFORE_ROWS):
        return None
    start = len(_BEFORE_ROWS)
    end = _end_of_string(statement.text, start, b"'")
    behind = _BEHIND_ROWS.match(statement.text, end) if end else None
    if end is None or behind is None:
        return None
    text = (_BEFORE_ROWS[:-1] + b"$rows" + statement.text[end:]).decode()
    if text.partition("\n")[2].startswith("CREATE "):
        # It looks nothing up, so that no plan is better than another.
        text = quoting.planned_once(text)
    return Batch(
        text=text,
        rows=literal_text(statement.text[start : end - 1]),
        row_mark=literal_text(behind["mark"]),
    )


def generalised(batch: Batch, facts: StatementFacts | None) -> Batch:
    """A batch of nodes as the statement of all small tables, where its facts say how; else as it is.

    So is one that somebody changed in the script.
    """
    if not isinstance(facts, NodesFacts) or facts.general is None:
        return batch
    if facts.general.of != fingerprint_statement(batch.text.partition("\n")[2]):
        return batch
    return replace(
        batch,
        text=create_any_nodes(batch.unwound, facts.general.null_mark),
        given=nodes_parameters(facts.label, facts.general),
    )


def lifted(statement: Statement) -> Batch:
    """As `lift`, of a statement that was built as a batch."""
    batch = lift(statement)
    assert batch is not None
    return batch


def _facts(prelude: bytes, number: int) -> StatementFacts | None:
    lines = [line for line in prelude.splitlines() if line.startswith(FACTS_PREFIX)]
    if not lines:
        return None
    try:
        return read_facts(lines[-1].removeprefix(FACTS_PREFIX))
    except ValidationError:
        raise ScriptError(f"the comment before statement {number} is damaged") from None


def _end_of(token: bytes, buffer: bytes, position: int) -> int | None:
    """Where the string, name or comment that a token begins has ended; None where the buffer ends first."""
    if token in _QUOTES:
        return _end_of_string(buffer, position, token)
    end = buffer.find(_ENDS[token], position)
    return end + len(_ENDS[token]) if end >= 0 else None


def _end_of_string(buffer: bytes, position: int, quote: bytes) -> int | None:
    """Behind the first quote that no backslash escapes.

    By searching for the quote, not by a pattern that looks at every byte: eight times as fast on a script.
    """
    start = position
    while (end := buffer.find(quote, position)) >= 0:
        position = end + 1
        text = end
        while text > start and buffer[text - 1] == _BACKSLASH:
            text -= 1
        if (end - text) % 2 == 0:
            return position
    return None


def _split(file: _Readable) -> Iterator[bytes]:
    """The text up to each semicolon that is in no string, name or comment."""
    # Editors of Windows begin a file with a mark that is no Cypher.
    buffer, start, position = file.read(READ_BYTES).removeprefix(_BYTE_ORDER_MARK), 0, 0
    while True:
        found = _NEXT_TOKEN.search(buffer, position)
        if found is not None and found.group() == b";":
            yield buffer[start : found.start()]
            start = position = found.end()
            continue
        passed = _end_of(found.group(), buffer, found.end()) if found else None
        if passed is not None:
            position = passed
            continue
        # A token may be cut by the buffer's end: keep one byte, read on, look again. Reading as much
        # as is held keeps the work linear in the size of the longest statement.
        position = found.start() if found else max(position, len(buffer) - 1)
        more = file.read(max(READ_BYTES, len(buffer) - start))
        if not more:
            break
        buffer, position, start = buffer[start:] + more, position - start, 0
    rest = buffer[start:]
    ended = _PRELUDE.match(rest)
    if ended is None or ended.end() != len(rest):
        shown = rest[ended.end() if ended else 0 :][:60].decode(errors="replace")
        raise ScriptError(f"the script is cut short: its last statement has no end ({shown!r}...)")
