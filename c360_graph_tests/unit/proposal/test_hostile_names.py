"""Whatever tables and columns are called, what is proposed for them is accepted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from c360_graph.mapping.catalog import CatalogColumn, CatalogTable
from c360_graph.proposal.model import ForeignKey
from c360_graph_tests.unit.mapping.given import column_type
from c360_graph_tests.unit.proposal.given import proposed, schema

WORDS = [
    "order",
    "user",
    "from",
    "select",
    'a"b',
    "it's",
    "\\",
    "--",
    "/*",
    ";",
    "x\ny",
    "$1",
    "%s",
    ":x",
    "İ",
    "_c360",
]
NAMES = st.one_of(
    st.sampled_from(WORDS),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12
    ),
)


@given(
    tables=st.lists(NAMES.filter(str.strip), min_size=3, max_size=3, unique=True),
    columns=st.lists(NAMES, min_size=3, max_size=3, unique=True),
    source=NAMES,
)
@settings(deadline=None)
def test_any_names_give_rows_that_are_accepted(
    tables: list[str], columns: list[str], source: str
) -> None:
    parent, child, link = tables
    one, two, three = columns

    def table(name: str, more: str, *key: str) -> CatalogTable:
        made = [
            CatalogColumn(name=c, type=column_type("int"), nullable=False)
            for c in dict.fromkeys((*columns, more))
        ]
        return CatalogTable(
            schema_name="public", table_name=name, columns=tuple(made), primary_key=key
        )

    def key(table_name: str, column: str) -> ForeignKey:
        return ForeignKey(
            name=f"{table_name} {column}",
            table_name=table_name,
            columns=(column,),
            to_schema="public",
            to_table=parent,
            to_columns=(one,),
        )

    found = proposed(
        schema(
            source,
            table(parent, "more than these columns", one),
            table(child, "more than these columns", one),
            table(link, two, two, three),
            keys=[
                key(parent, two),
                key(child, two),
                key(child, three),
                key(link, two),
                key(link, three),
            ],
        )
    )
    assert [p.row.table_name for p in found.labels] == [parent, child]
    assert len(found.relationships) == 4
    assert found.relationships[-1].row.junction_table == link
