"""Make a jar list anew: ``python -m c360_graph.sandbox.resolve neo4j 2026.09.0``.

Follows the dependencies of ``org.neo4j:<program>:<version>`` with jgo (one or two minutes of small
requests), downloads every jar and writes ``sandbox/jars/<program>-<version>.txt``. The
server and cypher-shell are resolved apart, as each brings a netty that breaks the other.
"""

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

import requests

from c360_graph.errors import SandboxError
from c360_graph.sandbox.downloads import Jar, download, render_jar_list, repositories

_SCOPES = (None, "", "compile", "runtime")
_TIMEOUT_SECONDS = 60


def resolve_jars(*, program: str, version: str, roots: tuple[str, ...]) -> tuple[Jar, ...]:
    """The jars that ``org.neo4j:<program>:<version>`` runs with, without their digests."""
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory(prefix="c360-resolve-") as folder:
        context = MavenContext(
            repo_cache=Path(folder),
            local_repos=[],
            remote_repos={str(number): root for number, root in enumerate(roots)},
            timeout=_TIMEOUT_SECONDS,
        )
        root = context.create_dependency(f"org.neo4j:{program}:{version}")
        inputs, transitive = context.resolver.resolve([root])
        return tuple(
            Jar(
                group=dependency.groupId,
                artifact=dependency.artifactId,
                version=dependency.version,
                classifier=dependency.classifier or "",
            )
            for dependency in (*inputs, *transitive)
            if dependency.scope in _SCOPES and dependency.type == "jar"
        )


def with_digests(*, jars: tuple[Jar, ...], roots: tuple[str, ...]) -> tuple[Jar, ...]:
    """Download ``jars``, compare each with the SHA-1 that its repository publishes, add SHA-256.

    Raises:
        SandboxError: a jar cannot be downloaded or is not the one that its repository describes.
    """
    with tempfile.TemporaryDirectory(prefix="c360-resolve-") as name:
        folder = Path(name)
        digests = download(jars=jars, folder=folder, roots=roots)
        with requests.Session() as session:
            for jar in jars:
                content = (folder / jar.file_name).read_bytes()
                published = _published_sha1(jar=jar, roots=roots, session=session)
                if hashlib.sha1(content, usedforsecurity=False).hexdigest() != published:
                    raise SandboxError(f"{jar.coordinates} is not what its repository describes.")
    return tuple(
        Jar(
            group=jar.group,
            artifact=jar.artifact,
            version=jar.version,
            classifier=jar.classifier,
            sha256=digests[jar],
        )
        for jar in jars
    )


def _published_sha1(*, jar: Jar, roots: tuple[str, ...], session: requests.Session) -> str:
    for root in roots:
        response = session.get(f"{root}/{jar.path}.sha1", timeout=_TIMEOUT_SECONDS)
        if response.ok:
            return response.text.split()[0]
    raise SandboxError(f"No repository publishes a checksum of {jar.coordinates}.")


def main(arguments: list[str] | None = None) -> int:
    """Write one list; the process's exit code is returned."""
    parser = argparse.ArgumentParser(description="Make a jar list of the sandbox anew.")
    parser.add_argument("program", choices=("neo4j", "cypher-shell"))
    parser.add_argument("version", help="such as 2026.09.0 or 5.26.30")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "jars")
    options = parser.parse_args(arguments)
    roots = repositories()
    jars = resolve_jars(program=options.program, version=options.version, roots=roots)
    print(f"{len(jars)} jars found; reading them", file=sys.stderr)
    target = options.folder / f"{options.program}-{options.version}.txt"
    target.write_text(render_jar_list(jars=with_digests(jars=jars, roots=roots)), encoding="utf-8")
    print(f"wrote {target}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
