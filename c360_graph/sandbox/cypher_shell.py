"""The real cypher-shell, run from its own jars against a server of the sandbox."""

from c360_graph.sandbox import jars, java
from c360_graph.sandbox.lines import CYPHER_SHELL, find_line
from c360_graph.sandbox.state import NEO4J_USER, Neo4jServer

_MAIN_CLASS = "org.neo4j.shell.Main"
_JAVA_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "--enable-native-access=ALL-UNNAMED",
)


def cypher_shell_command(*, server: Neo4jServer) -> list[str]:
    """The command line that runs cypher-shell against ``server``; append its own options to it.

    The password is not part of it: run it with ``server.environment()`` added to the environment,
    of which cypher-shell reads ``NEO4J_PASSWORD``. A first call downloads about 15 MB.

    Raises:
        SandboxError: its jars or the Java runtime cannot be downloaded.
    """
    line = find_line(name=server.line)
    program = java.ensure_java(version=line.java_version)
    folder = jars.ensure_jars(jar_list=jars.read_jar_list(name=CYPHER_SHELL))
    command = [
        str(program),
        *_JAVA_OPTIONS,
        *line.java_options,
        "-cp",
        str(folder / "*"),
        _MAIN_CLASS,
    ]
    return [*command, "-a", server.uri, "-u", NEO4J_USER]
