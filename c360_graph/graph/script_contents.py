"""What a load looks up in a script beside running it: whether it is whole, and what it makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from c360_graph.cypher.schema import LabelProperties
from c360_graph.cypher.script_reader import (
    Batch,
    Statement,
    check_whole,
    lift,
    read_header,
    read_statements,
)
from c360_graph.cypher.script_writer import (
    ConstraintFacts,
    IndexFacts,
    LinksFacts,
    ManifestFacts,
    RelationshipsFacts,
    ScriptHeader,
)
from c360_graph.errors import ScriptError
from c360_graph.mapping.graph_manifest import Owner
from c360_graph.object_storage import KeptFile
from c360_graph.scripts import open_script


def script_owner(script: KeptFile) -> Owner | None:
    """The control database that a script was written for; None where it does not say.

    Raises:
        ScriptError: the script cannot be read.
    """
    header = check_header(script)
    return header.owner if header else None


def constrained(script: KeptFile) -> set[LabelProperties]:
    """What the script's constraints are on; they come before its rows."""
    keys = set()
    with open_script(script) as file:
        for statement in read_statements(file):
            facts = statement.facts
            if not isinstance(facts, (ManifestFacts, ConstraintFacts)):
                break
            if isinstance(facts, ConstraintFacts) and facts.properties:
                keys.add(LabelProperties(label=facts.label, properties=facts.properties))
    return keys


def indexed(script: KeptFile) -> set[LabelProperties]:
    """What the script's indexes are on; they come after its rows."""
    with open_script(script) as file:
        return {
            LabelProperties(label=statement.facts.label, properties=statement.facts.properties)
            for statement in read_statements(file)
            if isinstance(statement.facts, IndexFacts) and statement.facts.properties
        }


def statements_before(
    script: KeptFile, statement: Statement, facts: RelationshipsFacts
) -> Iterator[Statement]:
    """The statements before this one that make relationships of its type between its labels."""
    with open_script(script) as file:
        for other in read_statements(file):
            if other.number >= statement.number:
                return
            made = other.facts
            if isinstance(made, (RelationshipsFacts, LinksFacts)) and made.edges == facts.edges:
                yield other


def check_readable(script: KeptFile) -> ScriptHeader | None:
    """Read the whole script once, so that one cut short is refused before the graph is touched."""
    with _explained(script), open_script(script) as file:
        check_whole(file)
    return check_header(script)


def check_header(script: KeptFile) -> ScriptHeader | None:
    """The script's header, as `read_header` gives it; names the script where it is refused."""
    with _explained(script), open_script(script) as file:
        return read_header(file)


@contextmanager
def _explained(script: KeptFile) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ScriptError(f"The script {script} cannot be read: {error.strerror}.") from None
    except ScriptError as error:
        raise ScriptError(f"The script {script} is refused: {error}.") from None


def batch_of(statement: Statement) -> Batch:
    """The batch that a statement is, as its facts say."""
    batch = lift(statement)
    if batch is None:
        raise ScriptError(
            f"{statement.title} does not have the shape that its comment says; the script was changed"
            " by hand. Write it again."
        )
    return batch


def joined_labels(statement: Statement) -> frozenset[str]:
    """The labels of the nodes that a statement locks."""
    facts = joining(statement)
    return frozenset((facts.from_label, facts.to_label))


def joining(statement: Statement) -> RelationshipsFacts | LinksFacts:
    """The facts of a statement that makes relationships."""
    facts = statement.facts
    assert isinstance(facts, (RelationshipsFacts, LinksFacts))
    return facts
