"""Text of control rows and of customers' data in Markdown, where it stays text."""

from collections.abc import Iterable, Sequence

# A code span takes no markup, links or pictures; only these end it, or the cell it stands in.
_IN_CODE = str.maketrans({"`": "ˋ", "|": "｜", "\n": "⏎", "\r": "⏎", "\t": "⇥"})


def code(text: str) -> str:
    """A text as a code span that nothing within it ends."""
    shown = "".join(c if c.isprintable() else "�" for c in text.translate(_IN_CODE))
    return f"`{shown}`" if shown.strip() else "``" + repr(shown) + "``"


def cell(text: str) -> str:
    """A text as a table's cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[int]) -> str:
    """A Markdown table; the columns numbered in `right` are set to the right."""
    marks = ["---:" if number in right else "---" for number in range(len(head))]
    lines = [head, marks, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
