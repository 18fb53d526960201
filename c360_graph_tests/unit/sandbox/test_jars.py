"""Lists of jars and the cache that they are downloaded into."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from c360_graph.errors import SandboxError
from c360_graph.sandbox import downloads
from c360_graph.sandbox.downloads import Jar, JarList
from c360_graph.sandbox.neo4j import CYPHER_SHELL, LINES

DIGEST = "a" * 64
CONTENT = b"not really a jar"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A repository on this machine: its root's address and its folder."""
    folder = tmp_path / "repository"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


def published(folder: Path, *, sha256: str) -> Jar:
    jar = Jar(group="org.example", artifact="thing", version="1.0", sha256=sha256)
    file = folder / jar.path
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    return jar


def test_a_line_names_the_coordinates_and_the_digest() -> None:
    text = f"# comment\n\norg.example:thing:1.0 {DIGEST}\nio.example:net:2:linux-x86_64 {DIGEST}\n"

    found = downloads.parse_jar_list(name="example-1.0", text=text)

    assert found == JarList(
        name="example-1.0",
        jars=(
            Jar(group="org.example", artifact="thing", version="1.0", sha256=DIGEST),
            Jar(
                group="io.example",
                artifact="net",
                version="2",
                classifier="linux-x86_64",
                sha256=DIGEST,
            ),
        ),
    )
    assert [jar.path for jar in found.jars] == [
        "org/example/thing/1.0/thing-1.0.jar",
        "io/example/net/2/net-2-linux-x86_64.jar",
    ]


def test_a_rendered_list_is_sorted_and_reads_back() -> None:
    late = Jar(group="z", artifact="a", version="1", sha256=DIGEST)
    early = Jar(group="a", artifact="z", version="1", classifier="osx", sha256=DIGEST)

    text = downloads.render_jar_list(jars=[late, early])

    assert text == f"a:z:1:osx {DIGEST}\nz:a:1 {DIGEST}\n"
    assert downloads.parse_jar_list(name="any", text=text).jars == (early, late)


@pytest.mark.parametrize(
    "line",
    [
        "org.example:thing:1.0",
        f"org.example:thing {DIGEST}",
        f"a:b:c:d:e {DIGEST}",
        f"org.example::1.0 {DIGEST}",
        f"org.example:thing:1.0 {DIGEST[:-1]}",
        f"org.example:thing:1.0 {'A' * 64}",
        f"org.example:thing:1.0 {DIGEST} more",
    ],
)
def test_a_malformed_line_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(SandboxError, match="Line 2 of the jar list 'example'"):
        downloads.parse_jar_list(name="example", text=f"org.example:fine:1.0 {DIGEST}\n{line}\n")


def test_two_jars_of_one_file_name_are_refused() -> None:
    text = f"org.one:thing:1.0 {DIGEST}\norg.two:thing:1.0 {DIGEST}\n"

    with pytest.raises(SandboxError, match=r"names the file thing-1\.0\.jar twice"):
        downloads.parse_jar_list(name="example", text=text)


def test_an_unknown_list_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SandboxError, match="neo4j-2026"):
        downloads.read_jar_list(name="neo4j-0.1")


@pytest.mark.parametrize("name", [CYPHER_SHELL, *(line.jar_list for line in LINES.values())])
def test_the_committed_lists_are_whole_and_name_no_host(name: str) -> None:
    found = downloads.read_jar_list(name=name)

    assert any(jar.group == "org.neo4j" and name.endswith(jar.version) for jar in found.jars)
    assert not any("/" in jar.coordinates for jar in found.jars)


def test_a_changed_list_gets_a_folder_of_its_own() -> None:
    jar = Jar(group="g", artifact="a", version="1", sha256=DIGEST)
    other = Jar(group="g", artifact="a", version="1", sha256="b" * 64)

    names = {JarList(name="x-1", jars=(entry,)).folder_name for entry in (jar, other)}

    assert len(names) == 2
    assert all(name.startswith("x-1-") for name in names)


def test_a_jar_is_downloaded_once(repository: tuple[str, Path]) -> None:
    root, folder = repository
    jar = published(folder, sha256=hashlib.sha256(CONTENT).hexdigest())
    jar_list = JarList(name="example-1.0", jars=(jar,))

    first = downloads.ensure_jars(jar_list=jar_list, roots=(root,))
    (folder / jar.path).unlink()
    second = downloads.ensure_jars(jar_list=jar_list, roots=(root,))

    assert first == second
    assert {entry.name: entry.read_bytes() for entry in first.iterdir()} == {
        "thing-1.0.jar": CONTENT
    }


def test_a_jar_with_another_digest_is_refused_and_not_kept(
    repository: tuple[str, Path], cache: Path
) -> None:
    root, folder = repository
    jar = published(folder, sha256=DIGEST)

    with pytest.raises(SandboxError, match=f"the list says {DIGEST}"):
        downloads.ensure_jars(jar_list=JarList(name="example-1.0", jars=(jar,)), roots=(root,))

    assert list(cache.glob("jars/*/*")) == []


def test_the_next_repository_is_asked_for_a_jar_that_the_first_one_lacks(
    repository: tuple[str, Path],
) -> None:
    root, folder = repository
    jar = published(folder, sha256=hashlib.sha256(CONTENT).hexdigest())

    found = downloads.ensure_jars(
        jar_list=JarList(name="example-1.0", jars=(jar,)), roots=(f"{root}/nothing-here", root)
    )

    assert (found / "thing-1.0.jar").read_bytes() == CONTENT


def test_a_jar_that_no_repository_has_is_named(repository: tuple[str, Path]) -> None:
    root, _ = repository
    jar = Jar(group="org.example", artifact="gone", version="1.0", sha256=DIGEST)

    with pytest.raises(SandboxError, match=r"org\.example:gone:1\.0 cannot be downloaded.*404"):
        downloads.ensure_jars(jar_list=JarList(name="example-1.0", jars=(jar,)), roots=(root,))


def test_a_mirror_named_central_in_jgos_settings_replaces_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "jgo.conf"
    settings.write_text(
        "[repositories]\ncentral = http://mirror.example/maven/\n", encoding="utf-8"
    )
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))

    assert downloads.repositories() == ("http://mirror.example/maven",)
