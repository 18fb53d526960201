"""neo4j-admin database import full: offline, into a store of its own. The physical limit."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from benchmarks.contenders.contender import Contender, Ground, Run
from benchmarks.dataset import Counts, nodes_file, relationships_file
from benchmarks.graph_model import EDGES, LABELS, Edge, Label
from benchmarks.measurement import Usage
from c360_graph.errors import SandboxError
from c360_graph.sandbox import downloads
from c360_graph.sandbox.neo4j import find_line

_MAIN_CLASS = "org.neo4j.cli.AdminTool"
_JAVA_OPTIONS = (
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-Dio.netty.tryReflectionSetAccessible=true",
)
_DONE = re.compile(r"IMPORT DONE in ((?:[\d.]+\w+ ?)+)\.")
_NODES_DONE = re.compile(r"Node import COMPLETED in ((?:[\d.]+\w+ ?)+)")
_IMPORTED = re.compile(r"(\d+) (nodes|relationships)\b")
_UNITS = {"ms": 0.001, "μs": 0.000001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([\d.]+)(ms|μs|s|m|h)")


class OfflineImport(Contender):
    """No constraint, no index and no server; the keys only serve to join."""

    title = "neo4j-admin import, offline"
    online = False

    def prepare(self, ground: Ground) -> Run:
        """Headers and an empty home; data files are the dataset's."""
        home = ground.folder / "offline"
        shutil.rmtree(home, ignore_errors=True)
        (home / "conf").mkdir(parents=True)
        command = admin_command(ground.line, heap_mb=ground.memory.heap_mb)
        # The name stands first: an option for files takes every word after it.
        command += ["database", "import", "full", "neo4j", "--overwrite-destination"]
        command += [_nodes_option(label, home, ground) for label in LABELS.values()]
        command += [_relationships_option(edge, home, ground) for edge in EDGES]
        return Run(command=command, environment=home_environment(home))

    def counts(self, ground: Ground, usage: Usage) -> Counts:
        """What it says that it imported: it tells totals only."""
        text = usage.output[usage.output.rfind("IMPORT DONE") :]
        found = {what: int(count) for count, what in _IMPORTED.findall(text)}
        if set(found) != {"nodes", "relationships"}:
            raise SandboxError(f"The import does not say what it imported:\n{usage.output[-2000:]}")
        # The same totals stand for the same graph; the parts are not told.
        same = ground.dataset.counts
        totals = (same.all_nodes, same.all_relationships)
        if (found["nodes"], found["relationships"]) == totals:
            return same
        return Counts(nodes={"": found["nodes"]}, relationships={"": found["relationships"]})

    def facts(self, ground: Ground, usage: Usage) -> dict[str, float]:
        """Its own time, without the start of Java, and what of it went into nodes."""
        found = {"import": _DONE, "nodes of the import": _NODES_DONE}
        times = {name: pattern.search(usage.output) for name, pattern in found.items()}
        return {name: _seconds(time.group(1)) for name, time in times.items() if time}


def admin_command(line: str, *, heap_mb: int) -> list[str]:
    """neo4j-admin of a release line, before the words that are given to it."""
    found = find_line(name=line)
    folder = downloads.ensure_jars(jar_list=downloads.read_jar_list(name=found.jar_list))
    return [
        str(downloads.ensure_java(version=found.java_version)),
        *found.java_options,
        f"-Xmx{heap_mb}m",
        "-XX:+UseParallelGC",
        *_JAVA_OPTIONS,
        "-cp",
        str(folder / "*"),
        _MAIN_CLASS,
    ]


def home_environment(home: Path) -> dict[str, str]:
    """What neo4j-admin finds the server of a home by."""
    return {"NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")}


def _seconds(text: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def _nodes_option(label: Label, home: Path, ground: Ground) -> str:
    names = []
    for name, kind in label.columns.items():
        # The joining table's rows are no end of a relationship, and a key of two columns is no ID.
        if (name,) == label.key:
            store = "{id-type:long}" if kind == "integer" else ""
            names.append(f"{name}:ID({label.name}){store}")
        else:
            types = {"integer": "long", "float": "double"}
            names.append(f"{name}:{types.get(kind, kind)}")
    header = home / f"{label.name}.csv"
    header.write_text(",".join(names) + "\n", encoding="utf-8")
    return f"--nodes={label.name}={header},{nodes_file(ground.dataset.folder, label.name)}"


def _relationships_option(edge: Edge, home: Path, ground: Ground) -> str:
    header = home / f"{edge.type}.csv"
    header.write_text(f":START_ID({edge.start}),:END_ID({edge.end})\n", encoding="utf-8")
    file = relationships_file(ground.dataset.folder, edge.type)
    return f"--relationships={edge.type}={header},{file}"
