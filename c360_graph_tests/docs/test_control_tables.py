"""docs/control-tables.md against the schema, as a real server has it."""

from __future__ import annotations

from c360_graph_tests.conftest import SQL_DIR, TestServers
from c360_graph_tests.docs.documents import read_document
from c360_graph_tests.docs.markdown import table_rows

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attidentity <> '' THEN 'identity'
        WHEN d.adbin IS NOT NULL THEN regexp_replace(pg_get_expr(d.adbin, d.adrelid), '^''(.*)''::.*$', '\\1')
        WHEN a.attnotnull THEN '' ELSE 'NULL' END
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""


def test_every_column_has_a_line_with_its_type_and_default(
    servers: TestServers, scratch_db: str
) -> None:
    with servers.postgres.connect(scratch_db) as connection:
        connection.execute((SQL_DIR / "etl_control_db_schema.sql").read_bytes())
        columns = connection.execute(COLUMNS).fetchall()
    lines = [
        (table, *cells[:3])
        for table, cells in table_rows(read_document("docs/control-tables.md"))
        if cells[0] != "column"
    ]
    assert sorted(lines) == sorted(columns)
