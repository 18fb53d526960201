"""The sandbox's own server, stopped for an import and started again, and what a graph holds, type by type."""

from __future__ import annotations

import os
import shlex
import stat
from collections import Counter
from pathlib import Path
from typing import Any

from c360_graph.graph.connection import Graph
from c360_graph.sandbox import downloads
from c360_graph.sandbox.neo4j import find_line

_MAIN_CLASS = "org.neo4j.cli.AdminTool"
_JAVA_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
)


def neo4j_admin(path: Path, *, home: Path, line: str) -> Path:
    """A program that is neo4j-admin of the server in a home, as packages of Neo4j have one."""
    found = find_line(name=line)
    folder = downloads.ensure_jars(jar_list=downloads.read_jar_list(name=found.jar_list))
    command = [
        str(downloads.ensure_java(version=found.java_version)),
        *_JAVA_OPTIONS,
        *found.java_options,
    ]
    command += ["-cp", f"{folder}{os.sep}*", _MAIN_CLASS]
    path.write_text(
        f"#!/bin/sh\nexport NEO4J_HOME={shlex.quote(str(home))} NEO4J_CONF={shlex.quote(str(home / 'conf'))}\n"
        f'exec {shlex.join(command)} "$@"\n',
        encoding="utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


Contents = tuple[Counter[str], Counter[str]]


def contents(graph: Graph) -> Contents:
    """All nodes but the loader's own and all relationships, with the type of each property."""
    nodes = graph.rows(
        "MATCH (n) WHERE NOT labels(n)[0] STARTS WITH '_C360' RETURN labels(n) AS labels,"
        f" {_properties('n')} AS properties"
    )
    relationships = graph.rows(
        "MATCH (a)-[r]->(b) RETURN type(r) AS type, labels(a) AS from, labels(b) AS to,"
        f" {_properties('r')} AS properties, {_properties('a')} AS start, {_properties('b')} AS end"
    )
    return Counter(map(_shown, nodes)), Counter(map(_shown, relationships))


def differences(one: Contents, other: Contents) -> tuple[list[str], list[str]]:
    """What only the one graph has, and what only the other has."""
    return (
        [text for ours, theirs in zip(one, other, strict=True) for text in ours - theirs],
        [text for ours, theirs in zip(one, other, strict=True) for text in theirs - ours],
    )


def schema(graph: Graph) -> list[str]:
    """Constraints and indexes."""
    constraints = graph.rows("SHOW CONSTRAINTS YIELD name, type, labelsOrTypes, properties")
    indexes = graph.rows("SHOW INDEXES YIELD name, type, state, labelsOrTypes, properties")
    return sorted(
        repr(sorted(row.items())) for row in (*constraints, *indexes) if row["type"] != "LOOKUP"
    )


def _properties(of: str) -> str:
    """Name, type and text of each property: the driver has no dates before Christ."""
    text = "toStringOrNull"
    return (
        f"[name IN keys({of}) | [name, valueType({of}[name]), CASE WHEN {of}[name] IS :: LIST<ANY>"
        f" THEN [e IN {of}[name] | {text}(e)] ELSE {text}({of}[name]) END]]"
    )


def _shown(row: dict[str, Any]) -> str:
    parts = []
    for name, value in sorted(row.items()):
        listed = sorted(map(repr, value)) if isinstance(value, list) else value
        parts.append(f"{name}={listed}")
    return " ".join(parts)
