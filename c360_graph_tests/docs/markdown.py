"""What the documents hold: fenced blocks, links, headings, rows of tables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"!?\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
_HERE_DOCUMENT = re.compile(r"<<'(\w+)'$")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NO_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block. Of its info line the first word is the language, the others are `name=value`."""

    line: int
    language: str
    text: str
    says: dict[str, str] = field(default_factory=dict)

    @property
    def not_run(self) -> str | None:
        """Why it is not run."""
        return self.says.get("not-run")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A line after `$ ` with those it goes on in (behind a backslash, or for `<<'END'` to that word), and
    the output that the document shows for it."""

    line: int
    text: str
    shown: tuple[str, ...] = ()


def blocks(text: str) -> Iterator[Block]:
    """Every fenced block in order."""
    for found in _FENCE.finditer(text):
        language, *rest = shlex.split(found["info"]) or [""]
        yield Block(
            line=text.count("\n", 0, found.start()) + 1,
            language=language,
            # A block in a list is as far in as the list.
            text=re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            says=dict(_said(word) for word in rest),
        )


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block.

    Raises:
        ValueError: it begins with output that no command gives.
    """
    lines = block.text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    if not starts or starts[0] != 0:
        raise ValueError(f"line {block.line}: a console block begins with `$ ` and a command")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        last = next(n for n in range(start, end) if not lines[n].endswith("\\"))
        if document := _HERE_DOCUMENT.search(lines[last]):
            last = lines.index(document[1], last)
        yield Command(
            line=block.line + 1 + start,
            text="\n".join(lines[start : last + 1]).removeprefix("$ "),
            shown=tuple(line for line in lines[last + 1 : end] if line.strip()),
        )


def links(text: str) -> Iterator[str]:
    """Targets of links and images outside of fenced blocks."""
    for found in _LINK.finditer(_FENCE.sub("", text)):
        yield found["target"]


def anchors(text: str) -> set[str]:
    """What a link may point to within a document, as GitHub names headings."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    return {_NO_ANCHOR.sub("", heading.lower()).replace(" ", "-") for heading in headings}


def table_rows(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each row of each table under its heading, its cells without backticks."""
    heading = ""
    for line in _FENCE.sub("", text).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("#").strip().strip("`")
        elif line.startswith("|") and not set(line) <= set("|-: "):
            yield heading, tuple(cell.strip().strip("`") for cell in line[1:-1].split("|"))


def _said(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value
