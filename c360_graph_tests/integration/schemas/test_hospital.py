"""A hospital: self relationships, two patients tables under one label, hashes that join across databases."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

import pytest

from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.schemas.world import HASH_KEY, World, built, joined


@pytest.fixture(scope="module")
def hospital(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with built("hospital", servers, tmp_path_factory.mktemp("hospital")) as world:
        yield world


LAB = '"Lab Data"'


def test_every_row_of_every_mapped_table_is_a_node(hospital: World) -> None:
    clinic = {
        "Ward": '"Ward"',
        "Staff": "staff",
        "Admission": "admissions",
        "OpenAdmission": '"open admissions"',
    }
    wanted = {
        label: hospital.number("clinic", f"SELECT count(*) FROM {table}")
        for label, table in clinic.items()
    }
    wanted["Result"] = hospital.number("lab", f"SELECT count(*) FROM {LAB}.results")
    wanted["Patient"] = hospital.number("clinic", "SELECT count(*) FROM patients")
    wanted["Patient"] += hospital.number("lab", f"SELECT count(*) FROM {LAB}.patients")
    assert hospital.counts()[0] == wanted


def test_every_join_makes_as_many_relationships_as_in_sql(hospital: World) -> None:
    inside = {
        "REPORTS_TO": "staff s JOIN staff b ON s.boss_id = b.staff_id",
        "MENTORED_BY": "staff s JOIN staff m ON s.mentor_id = m.staff_id",
        "WORKS_IN": 'staff s JOIN "Ward" w ON s.ward = w.code',
        "LEADS": 'staff s JOIN "Ward" w ON s.name = w."Head Nurse"',
        "HAD": "patients p JOIN admissions a ON p.mrn = a.mrn",
        "SHARED_BED_WITH": "admissions a JOIN admissions b ON a.ward = b.ward AND a.bed = b.bed",
        "TREATS": "staff s JOIN treats t ON s.staff_id = t.staff_id JOIN patients p ON t.mrn = p.mrn",
        "IS_OPEN_FOR": '"open admissions" o JOIN patients p ON o.mrn = p.mrn',
    }
    wanted = {
        kind: hospital.number("clinic", f"SELECT count(*) FROM {join}")
        for kind, join in inside.items()
    }
    wanted["GAVE"] = hospital.number(
        "lab", f"SELECT count(*) FROM {LAB}.patients p JOIN {LAB}.results r ON p.id = r.patient_id"
    )
    people = hospital.sql("clinic", "SELECT ssn FROM patients")
    people += hospital.sql("lab", f"SELECT ssn FROM {LAB}.patients")
    results = hospital.sql("lab", f"SELECT patient_ssn FROM {LAB}.results")
    wanted["MAY_BE"] = joined(people, people)
    wanted["MAY_BE_OF"] = joined(results, people)
    assert hospital.counts()[1] == wanted
    assert all(wanted.values())


def test_relationships_of_one_source_never_touch_the_others_patients(hospital: World) -> None:
    tables = hospital.cypher(
        "MATCH (p:Patient)-[r:GAVE|HAD|TREATS|IS_OPEN_FOR]-()"
        " RETURN DISTINCT type(r), p._c360_table ORDER BY type(r)"
    )
    assert tables == [
        ("GAVE", "lab/patients"),
        ("HAD", "clinic/patients"),
        ("IS_OPEN_FOR", "clinic/patients"),
        ("TREATS", "clinic/patients"),
    ]


def test_self_relationships_lead_from_the_employee_to_the_boss(hospital: World) -> None:
    assert hospital.cypher(
        "MATCH (s:Staff)-[:REPORTS_TO]->(b:Staff) RETURN s.staff_id, b.staff_id ORDER BY s.staff_id"
    ) == hospital.sql(
        "clinic", "SELECT staff_id, boss_id FROM staff WHERE boss_id IS NOT NULL ORDER BY staff_id"
    )


def test_a_junctions_further_columns_are_the_relationships_properties(hospital: World) -> None:
    graph = hospital.cypher(
        "MATCH (s:Staff)-[t:TREATS]->(p:Patient) RETURN s.staff_id, p.mrn, t.duty, t.since"
    )
    rows = hospital.sql(
        "clinic",
        "SELECT s.staff_id, p.mrn, t.duty, t.since FROM staff s JOIN treats t ON s.staff_id = t.staff_id"
        " JOIN patients p ON p.mrn = t.mrn",
    )
    assert sorted(graph, key=repr) == sorted(rows, key=repr)


def test_values_are_those_of_the_source(hospital: World) -> None:
    assert hospital.cypher(
        "MATCH (p:Patient {_c360_table: 'clinic/patients'}) RETURN p.mrn, p.name, p.born,"
        " p.blood_group, p.allergies, p.insurance, p.phone ORDER BY p.mrn"
    ) == hospital.sql(
        "clinic",
        "SELECT mrn, name, born, blood_group::text, array_remove(allergies, NULL), insurance::text,"
        " repeat('*', length(phone) - 4) || right(phone, 4) FROM patients ORDER BY mrn",
    )
    assert hospital.cypher(
        "MATCH (r:Result) RETURN r.result_id, r.reading, toString(r.sampledAt), r.parts"
        " ORDER BY r.result_id"
    ) == hospital.sql(
        "lab",
        f'SELECT result_id, reading::text, to_char("sampledAt", \'YYYY-MM-DD"T"HH24:MI:SS\'), parts'
        f" FROM {LAB}.results ORDER BY result_id",
    )
    assert hospital.cypher(
        'MATCH (p:Patient {_c360_table: "lab/patients"}) RETURN p.id, p.`Nick"name` ORDER BY p.id'
    ) == hospital.sql("lab", f'SELECT id, "Nick""name" FROM {LAB}.patients ORDER BY id')


def test_a_hashed_column_is_an_hmac_in_both_databases_and_the_excluded_one_is_nowhere(
    hospital: World,
) -> None:
    def hashed(text: str | None) -> str | None:
        return text and hmac.new(HASH_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()

    clinic = hospital.sql("clinic", "SELECT mrn, ssn FROM patients ORDER BY mrn")
    assert hospital.cypher(
        "MATCH (p:Patient {_c360_table: 'clinic/patients'}) RETURN p.mrn, p.ssn ORDER BY p.mrn"
    ) == [(mrn, hashed(ssn)) for mrn, ssn in clinic]
    assert hospital.cypher("MATCH (n) WHERE n.secret_note IS NOT NULL RETURN count(n)") == [(0,)]
    written = b"".join(f.read_bytes() for f in hospital.data_dir.rglob("*") if f.is_file())
    assert b"never seen" not in written
    assert b"ssn-1" not in written


def test_keys_of_two_sources_never_collide_and_composite_keys_are_unique(hospital: World) -> None:
    constraints = hospital.cypher(
        "SHOW CONSTRAINTS YIELD labelsOrTypes, properties"
        " RETURN labelsOrTypes[0] AS label, properties ORDER BY label, properties"
    )
    assert constraints == [
        ("Admission", ["mrn", "admitted_at"]),
        ("Patient", ["_c360_table", "id"]),
        ("Result", ["result_id"]),
        ("Staff", ["staff_id"]),
        ("Ward", ["code"]),
    ]
    # Patients of the laboratory have an mrn too, which its table lets repeat.
    indexed = hospital.cypher(
        "SHOW INDEXES YIELD labelsOrTypes, properties, owningConstraint"
        " WHERE labelsOrTypes = ['Patient'] AND owningConstraint IS NULL RETURN properties"
    )
    assert (["_c360_table", "mrn"],) in indexed
