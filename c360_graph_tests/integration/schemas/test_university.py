"""A university: junctions over composite keys, names of many scripts, empty and wholly private tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.schemas.world import World, built, joined


@pytest.fixture(scope="module")
def university(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with built("university", servers, tmp_path_factory.mktemp("university")) as world:
        yield world


def test_nodes_are_as_many_as_rows_and_an_empty_table_is_no_error(university: World) -> None:
    tables = {
        "Student": "students",
        "Курс": '"Курсы"',
        "Lecturer": "lecturers",
        "Room": "rooms",
        "Enrolment": "enrolments",
        "Private": "all_private",
    }
    wanted = {
        label: university.number("registry", f"SELECT count(*) FROM {table}")
        for label, table in tables.items()
    }
    wanted["Loan"] = university.number("library", "SELECT count(*) FROM loans")
    wanted["LibraryCard"] = university.number("library", "SELECT count(*) FROM students")
    assert university.counts()[0] == wanted


def test_every_join_makes_as_many_relationships_as_in_sql(university: World) -> None:
    inside = {
        "ENROLLED_IN": "students s JOIN enrolments e ON s.student_no = e.student_no"
        ' JOIN "Курсы" c ON e.dept = c.dept AND e.number = c.number',
        "REQUIRES": '"Курсы" c JOIN prerequisites p ON c.dept = p.dept AND c.number = p.number'
        ' JOIN "Курсы" n ON p.needs_dept = n.dept AND p.needs_number = n.number',
        "SITS_IN": "lecturers l JOIN rooms r ON l.office = r.office AND l.building = r.building",
        "SHARES_OFFICE": "lecturers a JOIN lecturers b ON a.office = b.office",
        "ADVISED_BY": "students s JOIN lecturers l ON s.advisor = l.lecturer_id",
    }
    wanted = {
        kind: university.number("registry", f"SELECT count(*) FROM {join}")
        for kind, join in inside.items()
    }
    wanted["BORROWED"] = wanted["ЧИТАЛ"] = joined(
        university.sql("registry", "SELECT email FROM students"),
        university.sql("library", "SELECT member_email FROM loans"),
    )
    assert university.counts()[1] == wanted
    assert all(wanted.values())


def test_a_junction_back_to_its_own_label_leads_the_way_its_aliases_say(university: World) -> None:
    rows = university.sql(
        "registry",
        "SELECT p.dept, p.number, p.needs_dept, p.needs_number, p.strict FROM prerequisites p"
        ' JOIN "Курсы" c ON c.dept = p.dept AND c.number = p.number'
        ' JOIN "Курсы" n ON n.dept = p.needs_dept AND n.number = p.needs_number',
    )
    assert sorted(
        university.cypher(
            "MATCH (c:Курс)-[r:REQUIRES]->(n:Курс)"
            " RETURN c.dept, c.number, n.dept, n.number, r.strict"
        )
    ) == sorted(rows)


def test_values_are_those_of_the_source(university: World) -> None:
    assert university.cypher(
        "MATCH (s:Student) RETURN s.student_no, s.email, s.`学号` ORDER BY s.student_no"
    ) == university.sql(
        "registry", 'SELECT student_no, email, "学号" FROM students ORDER BY student_no'
    )
    assert university.cypher(
        "MATCH (c:Курс) RETURN c.dept, c.number, c.title ORDER BY c.dept, c.number"
    ) == university.sql("registry", 'SELECT dept, number, title FROM "Курсы" ORDER BY 1, 2')
    assert university.cypher(
        "MATCH ()-[e:ENROLLED_IN]->() RETURN e.grade, e.term, count(*) ORDER BY e.grade, e.term"
    ) == university.sql(
        "registry",
        "SELECT e.grade::text, e.term, count(*) FROM enrolments e JOIN students USING (student_no)"
        ' JOIN "Курсы" USING (dept, number) GROUP BY 1, 2 ORDER BY 1, 2',
    )
    assert university.cypher("MATCH (l:Loan) RETURN l.loan_id, l.due ORDER BY l.loan_id") == (
        university.sql("library", "SELECT loan_id, due FROM loans ORDER BY loan_id")
    )


def test_a_table_of_nothing_but_excluded_columns_becomes_nodes_without_properties(
    university: World,
) -> None:
    assert university.cypher("MATCH (p:Private) RETURN keys(p)") == [([],), ([],)]
    assert university.cypher("MATCH (c:LibraryCard) UNWIND keys(c) AS k RETURN DISTINCT k") == [
        ("card",)
    ]
