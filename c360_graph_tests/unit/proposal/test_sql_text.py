"""The SQL of a proposal, as a whole."""

from __future__ import annotations

from c360_graph.proposal.control_rows import portable_literal, script
from c360_graph_tests.unit.mapping.given import table
from c360_graph_tests.unit.proposal.given import key, proposed, schema

WHOLE = r"""-- Control rows for source o'db: 3 proposals.
-- Read them, change what you know better, and run this on the control database.
-- Safe to run again: a row that is there stays as it is, switched off or not.
BEGIN;
LOCK TABLE node_label_mappings, relationship_mappings, field_exclusion_rules IN SHARE ROW EXCLUSIVE MODE;

-- Tables that become nodes

-- o'db/a \ ; DROP TABLE x: not yet analysed, key id
INSERT INTO node_label_mappings (source_id, table_name, node_label, is_active)
SELECT src.source_id, E'a \\
; DROP TABLE x', 'ADropTableX', true
FROM source_databases AS src
WHERE src.source_name = 'o''db'
  AND NOT EXISTS (
      SELECT FROM node_label_mappings AS old
      WHERE old.table_name = E'a \\
; DROP TABLE x'
        AND (old.source_id = src.source_id OR old.source_id IS NULL)
  );

-- Columns that look personal

-- o'db/a \ ; DROP TABLE x.email: e-mail address: its name or type says so
INSERT INTO field_exclusion_rules
    (source_id, table_name, column_name, is_excluded, treatment, reason)
SELECT src.source_id, E'a \\
; DROP TABLE x', 'email', true, 'hash',
    'e-mail address: its name or type says so'
FROM source_databases AS src
WHERE src.source_name = 'o''db'
  AND NOT EXISTS (
      SELECT FROM field_exclusion_rules AS old
      WHERE old.source_id = src.source_id AND old.table_name = E'a \\
; DROP TABLE x'
        AND old.column_name = 'email'
  );

-- Relationships

-- a \ ; DROP TABLE x.boss refers to a \ ; DROP TABLE x (foreign key f)
INSERT INTO relationship_mappings
    (source_db, relationship_type, from_label, to_label, join_condition,
     junction_table, junction_label, from_alias, to_alias, junction_alias,
     is_active, description, execution_order)
SELECT 'o''db', 'HAS_BOSS', 'ADropTableX', 'ADropTableX',
    'adt.boss = adt1.id',
    NULL, NULL, 'adt', 'adt1', NULL,
    true, E'a \\
; DROP TABLE x.boss refers to a \\
; DROP TABLE x (foreign key f)', 10
WHERE NOT EXISTS (
    SELECT FROM relationship_mappings AS old
    WHERE old.relationship_type = 'HAS_BOSS'
      AND old.from_label = 'ADropTableX' AND old.to_label = 'ADropTableX'
);

COMMIT;
"""


def test_names_are_quoted_and_a_comment_never_ends_early() -> None:
    name = "a \\\n; DROP TABLE x"
    found = proposed(
        schema(
            "o'db",
            table(name, "id int; email text; boss int?", key="id"),
            keys=[key("f", f"{name}(boss) -> {name}(id)")],
        )
    )
    assert script(found) == WHOLE


def test_nothing_to_propose_is_a_comment() -> None:
    assert script(proposed(schema("empty"))) == "-- Nothing is left to propose for source empty.\n"


def test_a_literal_means_the_same_whatever_the_server_makes_of_backslashes() -> None:
    assert [portable_literal(text) for text in (None, "", "it's", "\\'")] == [
        "NULL",
        "''",
        "'it''s'",
        "E'\\\\'''",
    ]
