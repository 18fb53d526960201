"""docker-compose.yaml, Dockerfile and the example for CI, as far as they can be held without an engine."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from typing import Any

import pytest
import yaml

from c360_graph.sandbox.neo4j import LINES
from c360_graph.settings import Settings
from c360_graph_tests.conftest import REPOSITORY

SETTINGS = {name.upper() for name in Settings.model_fields}
OF_COMPOSE = {"NEO4J_HEAP", "NEO4J_PAGE_CACHE", "C360_BROKER_PASSWORD"}
"""Variables of the containers alone."""
OF_STORAGE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
"""Variables that the storage's library reads."""


def compose() -> dict[str, Any]:
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def workflow() -> dict[str, Any]:
    text = (REPOSITORY / "docs/examples/ci.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def test_every_variable_of_compose_is_a_setting() -> None:
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", text)) <= SETTINGS | OF_COMPOSE | OF_STORAGE
    for name in ("code", "webserver", "daemon", "follow"):
        assert set(compose()["services"][name]["environment"]) <= SETTINGS


def test_the_server_of_compose_can_be_followed_and_the_follower_is_asked_where_it_answers() -> None:
    services = compose()["services"]
    assert "wal_level=logical" in services["postgres"]["command"]
    follow = services["follow"]
    assert follow["command"] == ["c360", "follow"]
    port = follow["environment"]["C360_FOLLOW_METRICS"].rpartition(":")[2]
    assert follow["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/metrics" in follow["healthcheck"]["test"][-1]


def test_the_systemd_unit_of_the_documents_runs_the_follower_and_runs_it_again() -> None:
    text = (REPOSITORY / "docs/following.md").read_text(encoding="utf-8")
    (unit,) = re.findall(r"```text\n(\[Unit\]\n.*?)```", text, re.DOTALL)
    parsed = ConfigParser()
    parsed.read_string(unit)
    assert parsed["Service"]["ExecStart"].split()[1:] == ["follow"]
    assert parsed["Service"]["Restart"] == "always"
    assert parsed["Install"]["WantedBy"] == "multi-user.target"


def test_no_password_stands_in_compose() -> None:
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    for name in ("ETL_DB_PASSWORD", "NEO4J_PASSWORD"):
        assert set(re.findall(rf"\$\{{{name}[^}}]*\}}", text)) == {
            f"${{{name}:?set {name} in .env}}"
        }


@pytest.mark.parametrize("name", compose()["services"])
def test_every_service_is_pinned_watched_and_reached_from_this_machine_alone(name: str) -> None:
    service = compose()["services"][name]
    if "build" not in service:
        assert re.fullmatch(r"[a-z0-9/]+:\d+\.\d+\S*", service["image"])
    assert "healthcheck" in service or name == "code", "that of `code` is the image's own"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    for other in service.get("depends_on", {}):
        assert service["depends_on"][other] == {"condition": "service_healthy"}
        assert other in compose()["services"]


def test_mounted_files_are_there_and_volumes_are_declared() -> None:
    mounts = [
        mount.partition(":")[0]
        for service in compose()["services"].values()
        for mount in service.get("volumes", ())
    ]
    for source in mounts:
        if source.startswith("."):
            assert (REPOSITORY / source).exists()
        else:
            assert source in compose()["volumes"]


def test_neo4j_is_of_the_line_that_the_tests_use() -> None:
    version = LINES["2026"].jar_list.removeprefix("neo4j-")
    assert compose()["services"]["neo4j"]["image"] == f"neo4j:{version}-community"
    services = workflow()["jobs"]["build"]["services"]
    for name in ("neo4j", "postgres"):
        assert services[name]["image"] == compose()["services"][name]["image"]


def test_the_image_runs_as_nobody_special_and_copies_what_is_there() -> None:
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (\d+):\d+$", text, re.MULTILINE) == ["10001"]
    assert len(set(re.findall(r"^FROM (python:3\.\d+\.\d+-slim-\w+)", text, re.MULTILINE))) == 1
    let_in = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for words in re.findall(r"^COPY (?!--from)(?:--chown=\S+ )?(.+)$", text, re.MULTILINE):
        for source in words.split()[:-1]:
            assert (REPOSITORY / source).exists()
            assert f"!{source.partition('/')[0]}" in let_in


def test_the_workspace_is_that_of_compose() -> None:
    text = (REPOSITORY / "docker/workspace.yaml").read_text(encoding="utf-8")
    ((server,),) = (entry.values() for entry in yaml.safe_load(text)["load_from"])
    assert (server["host"], server["port"]) == ("code", 4000)
    assert "code" in compose()["services"]
    assert f'"--port", "{server["port"]}"' in (REPOSITORY / "Dockerfile").read_text("utf-8")


def test_the_example_for_ci_sets_settings_and_runs_the_assets() -> None:
    job = workflow()["jobs"]["build"]
    assert set(job["env"]) <= SETTINGS
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert ".venv/bin/dagster asset materialize --select '*' -m c360_graph.definitions" in runs
    assert all((REPOSITORY / run.split()[0]).exists() for run in runs if run.startswith("sql/"))


def test_the_licence_is_the_one_that_the_package_names() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    licence = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE"]
    assert licence.split()[:4] == ["Apache", "License", "Version", "2.0,"]
