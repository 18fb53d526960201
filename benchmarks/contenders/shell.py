"""cypher-shell running this project's script as it is."""

from __future__ import annotations

from benchmarks.contenders.contender import Contender, Ground, Run
from c360_graph.sandbox.neo4j import cypher_shell_command


class CypherShell(Contender):
    """No loader of ours: one session, and every batch's data as a literal of the statement."""

    title = "cypher-shell running the script"

    def prepare(self, ground: Ground) -> Run:
        """The real program."""
        neo4j = ground.target.neo4j
        command = [*cypher_shell_command(server=neo4j), "--non-interactive"]
        return Run(
            command=[*command, "--file", str(ground.script)],
            environment={"NEO4J_PASSWORD": neo4j.password},
        )
