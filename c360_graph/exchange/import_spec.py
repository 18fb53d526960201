"""Documents of Neo4j's import specification, version "1" (https://github.com/neo4j/import-spec), as JSON.

The fields are those of its JSON schema, as of 1.0.0-rc21. A tool may add fields to sources and targets; they are
kept, so that an import can say that it does not know them.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from c360_graph.errors import ExchangeError
from c360_graph.text import json_visible

_MOST_PROBLEMS = 5
_Name = Annotated[str, Field(min_length=1, pattern=r"\S")]


class _SpecPart(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of fields that the specification does not have."""
        return tuple(self.model_extra or ())


class SpecSource(_SpecPart):
    """Where rows come from. The specification leaves all but the name and the type to the tool.

    `data_source` and `sql` are what its examples of the type `jdbc` have, `query` those of `bigquery`.
    """

    type: _Name
    name: _Name
    data_source: str | None = None
    sql: str | None = None
    query: str | None = None


class SpecPropertyType(_SpecPart):
    """The type of a property, written as an object."""

    name: str


class SpecProperty(_SpecPart):
    """A field of the source, and the property that it becomes."""

    source_field: _Name
    target_property: _Name
    target_property_type: str | SpecPropertyType | None = None

    @property
    def type_name(self) -> str | None:
        """The property's type in upper case, such as `ZONED_DATETIME`."""
        given = self.target_property_type
        name = given.name if isinstance(given, SpecPropertyType) else given
        return name.upper() if name else None


class SpecConstraint(_SpecPart):
    """A key or unique constraint of a label."""

    name: _Name
    label: _Name
    properties: tuple[str, ...] = Field(min_length=1)


class NodeTargetSchema(_SpecPart):
    """Constraints of a node target; those of other kinds, and indexes, are unknown fields."""

    key_constraints: tuple[SpecConstraint, ...] = ()
    unique_constraints: tuple[SpecConstraint, ...] = ()


class _SpecTarget(_SpecPart):
    name: _Name
    source: _Name
    active: bool = True
    depends_on: tuple[str, ...] = ()
    write_mode: str | None = None
    properties: tuple[SpecProperty, ...] = ()


class NodeTarget(_SpecTarget):
    """Rows that become nodes."""

    labels: tuple[str, ...] = Field(min_length=1)
    constraints: NodeTargetSchema = Field(default=NodeTargetSchema(), alias="schema")

    def property_named(self, name: str) -> SpecProperty | None:
        """The property of this name."""
        return next((prop for prop in self.properties if prop.target_property == name), None)


class KeyMapping(_SpecPart):
    """A field of a relationship's source, and the property that has its value in the node."""

    source_field: _Name
    node_property: _Name


class NodeReference(_SpecPart):
    """How an end of a relationship is found: the node target, and what its properties equal."""

    name: _Name
    key_mappings: tuple[KeyMapping, ...] = ()


class RelationshipTarget(_SpecTarget):
    """Rows that become relationships."""

    type: _Name
    node_match_mode: str | None = None
    start_node_reference: str | NodeReference
    end_node_reference: str | NodeReference
    constraints: dict[str, Any] = Field(default={}, alias="schema")

    @property
    def start(self) -> NodeReference:
        """Where the relationship begins; one without key mappings means the key of the node target."""
        return _as_reference(self.start_node_reference)

    @property
    def end(self) -> NodeReference:
        """Where it leads."""
        return _as_reference(self.end_node_reference)


class QueryTarget(_SpecPart):
    """Rows that a query of Cypher takes."""

    name: _Name


class SpecTargets(_SpecPart):
    """What the rows become."""

    nodes: tuple[NodeTarget, ...] = ()
    relationships: tuple[RelationshipTarget, ...] = ()
    queries: tuple[QueryTarget, ...] = ()


class ImportSpecification(_SpecPart):
    """A whole document."""

    version: Literal["1"]
    sources: tuple[SpecSource, ...] = Field(min_length=1)
    targets: SpecTargets
    config: dict[str, Any] = {}
    actions: tuple[Any, ...] = ()


def _as_reference(given: str | NodeReference) -> NodeReference:
    return NodeReference(name=given) if isinstance(given, str) else given


def read_specification(text: str | bytes) -> ImportSpecification:
    """Read a document.

    Raises:
        ExchangeError: it is no JSON document of version "1"; says what is wrong, and where.

    >>> read_specification('{"version": "2"}')
    Traceback (most recent call last):
    c360_graph.errors.ExchangeError: This is no import specification of version "1" in JSON. version:
    Input should be '1'; sources: Field required; targets: Field required
    """
    try:
        return ImportSpecification.model_validate_json(text)
    except ValidationError as error:
        # Without the input: a document may hold what is nobody's business.
        found = error.errors(include_url=False, include_input=False, include_context=False)
        listed = [f"{'.'.join(map(str, one['loc'])) or 'document'}: {one['msg']}" for one in found]
        more = ("...",) if len(listed) > _MOST_PROBLEMS else ()
        said = "; ".join((*listed[:_MOST_PROBLEMS], *more))
        hint = _other_format(text)
        raise ExchangeError(
            f'This is no import specification of version "1" in JSON.{hint} {said}'
        ) from None


def _other_format(text: str | bytes) -> str:
    content = text.encode(errors="replace") if isinstance(text, str) else text
    is_importer = b'"dataModel"' in content
    return " It looks like a model of the Data Importer, another format." if is_importer else ""


def written_specification(document: ImportSpecification) -> str:
    """A document as JSON, without what is empty.

    >>> source = SpecSource(type="jdbc", name="crm/people", sql="SELECT id FROM people")
    >>> whole = ImportSpecification(version="1", sources=(source,), targets=SpecTargets())
    >>> print(written_specification(whole))
    {
      "version": "1",
      "sources": [
        {
          "type": "jdbc",
          "name": "crm/people",
          "sql": "SELECT id FROM people"
        }
      ],
      "targets": {}
    }
    """
    values = document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return json_visible(json.dumps(values, indent=2, ensure_ascii=False))
