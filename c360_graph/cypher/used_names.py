"""The labels, relationship types and properties that a statement names."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
    r"|(?P<mark>[:|&!.{,])?\s*(?:`(?P<quoted>(?:``|[^`])+)`|(?P<word>[^\W\d]\w*))(?P<colon>\s*:)?"
    r"|(?P<other>.)",
    re.DOTALL,
)
_LABEL_MARKS = frozenset(":|&!")


def used_names(statement: str) -> tuple[str, ...]:
    r"""`:Name` of each label and relationship type, `.name` of each property, each once.

    Comments and strings are passed over. A variable before a colon is no name of the graph.

    >>> used_names("MATCH (a:Account {email: $e})-[:PLAYED|WATCHED]->(m) // :Not\nRETURN m.title")
    (':Account', '.email', ':PLAYED', ':WATCHED', '.title')
    """
    found: dict[str, None] = {}
    previous = ""
    brackets: list[str] = []
    for match in _TOKEN.finditer(statement):
        word = match["word"]
        name = match["quoted"].replace("``", "`") if match["quoted"] else word
        for character in (match["mark"], match["other"]):
            if character and character in "([{":
                brackets.append(character)
            elif character and character in ")]}" and brackets:
                brackets.pop()
        if name is None:
            previous = match["other"] or previous
            continue
        mark = match["mark"] or (previous if previous in _LABEL_MARKS or previous == "." else "")
        is_key = mark in ("{", ",") and bool(match["colon"]) and brackets[-1:] == ["{"]
        if mark and mark in _LABEL_MARKS:
            found[f":{name}"] = None
        elif mark == "." or is_key:
            found[f".{name}"] = None
        # What follows a key of a map is its value.
        previous = ":" if match["colon"] and not is_key else ""
    return tuple(found)
