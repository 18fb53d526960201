"""A world whose values, names and joins are all that an import may change."""

from __future__ import annotations

import shutil
from pathlib import Path

from c360_graph_tests.integration.schemas.test_fitting_properties import CONTROL, SHOP
from c360_graph_tests.integration.schemas.world import FOLDER
from c360_graph_tests.integration.types.matrix import CASES, PREPARATION, Case

_MATRIX = [case for case in CASES if case.type != "xml"]
_ROWS = max(len(case.values) for case in _MATRIX) + 1
LISTS = r"""
CREATE TABLE words (word text PRIMARY KEY);
INSERT INTO words VALUES (''), ('a'), (E'\ufeffb'), (E'two\nlines'), ('"');
CREATE TABLE logs (line text);
INSERT INTO logs VALUES (''), (''), ('x'), ('x'), (NULL), (E'\\'), ('\N');
CREATE TABLE marks (note text, "odd {na:me}(x), ""it's"" [] =" int, "x:y(z)" int, "a{b}" text[], "c}" timestamptz);
INSERT INTO marks VALUES (E'\ufefffirst', 1, 1, '{p,q}', '2024-01-01 00:00+02'), (E'\ufeff', 2, NULL, '{}', NULL), (NULL, 3, 3, NULL, NULL),
    (E'\r\n', 4, 4, '{""}', '2024-06-01 12:00+02');
CREATE TABLE lists (id int PRIMARY KEY, word text, tags text[], nums bigint[], flags boolean[], days date[], moments timestamptz[],
    locals timestamp[], times time[], zoned timetz[], spans interval[], reals float8[], ids uuid[]);
INSERT INTO lists VALUES
    (1, '', '{a,"b,c;d",""}', '{1,-9223372036854775808}', '{t,f}', '{2024-02-29,"0044-03-15 BC"}', '{"2024-01-01 00:00+02"}',
     '{"2024-01-01 12:34:56.789"}', '{12:34}', '{12:34+02}', '{"1 year -1 day 00:00:01"}', '{1.5,NaN,-0,Infinity}',
     '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'),
    (2, 'a', '{""}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
    (3, E'\ufeffb', '{"",""}', '{{1,2},{3,4}}', '{{t},{f}}', '{{2024-01-01}}', NULL, NULL, NULL, NULL, NULL, '{{1.5}}', NULL),
    (4, E'two\nlines', ARRAY[E'a\x1fb', E'\x1d1', E'\x1c', E'c\nd\t\\e"'], '{NULL,1,NULL}', NULL, '{infinity}', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, 'nothing', '{{a,b},{"c,\"d",e}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (6, NULL, '{plain}', '{7}', '{t}', '{2024-01-01}', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE says (list int REFERENCES lists, word text, tags text[], note text, at timestamptz, stars float8, "od{d" int);
INSERT INTO says VALUES (1, 'a', '{x,y}', E'a "quoted"\nline', '2024-01-01', 'NaN', 1), (1, 'a', '{}', '', NULL, '-0', 2),
    (2, '', '{""}', NULL, '2024-06-01 12:00+02', 1.5, NULL), (2, '', '{""}', NULL, '2024-06-01 12:00+02', 1.5, 3),
    (3, 'nobody', NULL, NULL, NULL, NULL, 4), (NULL, 'a', NULL, NULL, NULL, NULL, 5), (6, '"', '{{p},{q}}', ',', NULL, NULL, 6);
CREATE TABLE nobody (id int PRIMARY KEY);
"""
FURTHER = """
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (10, 'shop', 'shop'), (11, 'types', 'types');
INSERT INTO node_label_mappings (mapping_id, source_id, table_name, node_label, extra_labels) VALUES
    (50, 11, 'words', 'Word', NULL), (51, 11, 'logs', 'Log', NULL), (52, 11, 'marks', 'Odd `:label, "x"', '{Word2}'), (53, 11, 'lists', 'List', NULL),
    (54, 11, 'every', 'Every', NULL), (55, 11, 'nobody', 'Nobody', NULL);
INSERT INTO relationship_mappings (relationship_id, source_db, relationship_type, from_label, to_label, join_condition, junction_table, relationship_properties) VALUES
    (50, 'types', 'NAMED', 'List', 'Word', 'l.word = w.word', NULL, '{tags,nums}'),
    (51, 'types', 'SAYS: "it"', 'List', 'Word', 'l.id = s.list AND s.word = w.word', 'says', NULL),
    (52, 'types', 'SAME_TEXT', 'Every', 'Every', 'a.text = b.text', NULL, NULL);
"""


def write_world(folder: Path) -> Path:
    """The SQL files of the hospital, of a shop whose columns get other names, and of every type."""
    folder.mkdir()
    for file in (FOLDER / "hospital").glob("*.sql"):
        shutil.copy(file, folder)
    control = (folder / "control.sql").read_text(encoding="utf-8")
    (folder / "control.sql").write_text(control + FURTHER + _shop_control(), encoding="utf-8")
    (folder / "shop.sql").write_text(SHOP, encoding="utf-8")
    prepared = "".join(f"{statement};\n" for statement in PREPARATION)
    (folder / "types.sql").write_text(prepared + _every() + LISTS, encoding="utf-8")
    return folder


def _shop_control() -> str:
    """The shop's control rows with ids that the hospital has not."""
    _, _, rows = CONTROL.partition("'shop', 'shop');\n")
    for number in range(9, 0, -1):
        rows = rows.replace(f"({number}, 1, ", f"({100 + number}, 10, ")
        rows = rows.replace(f"({number}, NULL, ", f"({100 + number}, NULL, ")
        rows = rows.replace(f"({number}, 'shop'", f"({100 + number}, 'shop'")
    return rows


def _every() -> str:
    """A table of all types: each row has each column's next value, the first and the rest are NULL."""
    columns = ", ".join(case.definition for case in _MATRIX)
    given = [case for case in _MATRIX if case.values]
    names = ", ".join(f'"{case.name}"' for case in given)
    inserts = "".join(
        f'INSERT INTO every ("row", {names}) VALUES ({row}, {", ".join(_value(case, row) for case in given)});\n'
        for row in range(_ROWS)
    )
    return f'CREATE TABLE every ("row" int PRIMARY KEY, {columns});\n{inserts}'


def _value(case: Case, row: int) -> str:
    if not 1 <= row <= len(case.values):
        return "'a@b'" if case.name == "work_email" else "NULL"
    text = case.values[row - 1].replace("'", "''")
    return f"CAST('{text}' AS {case.type})"
