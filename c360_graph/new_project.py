"""The files that a project of one's own starts from, and those that commands need beside the package.

The package's folder `project` has links to the latter, which a wheel holds as the files themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from c360_graph.errors import SettingsError

_PACKAGE = Path(__file__).resolve().parent


def project_file(name: str) -> Path:
    """`dagster.yaml`, `workspace.yaml` or the folder `sql`, as this version has them."""
    in_checkout = _PACKAGE.parent / name
    is_checkout = (_PACKAGE.parent / "pyproject.toml").exists()
    return in_checkout if is_checkout else _PACKAGE / "project" / name


def file_here_or_ours(name: str) -> Path:
    """The file of that name in the current folder, else this version's."""
    here = Path(name)
    return here if here.exists() else project_file(name)


def sql_folder() -> Path:
    """The schema of the control database and the sample's databases."""
    return project_file("sql")


_STARTER = Path(__file__).parent / "starter"
_FILES = {
    "README.md": "README.md",
    # A wheel would leave out what git ignores, and tools would take these for the package's own.
    ".env.example": "env.example",
    ".gitignore": "gitignore",
    ".github/workflows/graph.yml": "graph.yml",
    "sql/control_rows.sql": "control_rows.sql",
    "queries/nodes_by_label.cypher": "queries/nodes_by_label.cypher",
}
_SCHEMA = "etl_control_db_schema.sql"


@dataclass(frozen=True, kw_only=True)
class WrittenFiles:
    """Which files were written, and which were there already and stay as they are."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def starter_files(version: str) -> dict[str, str]:
    """The text of each file by its path in the new folder.

    Args:
        version: of the package that the project is to use.
    """
    requirements = (
        f"# Or the path of a wheel that you built from a checkout.\nc360-graph=={version}\n"
    )
    return {
        **{path: _text(_STARTER / name) for path, name in _FILES.items()},
        f"sql/{_SCHEMA}": _text(sql_folder() / _SCHEMA),
        "requirements.txt": requirements,
        **{name: _text(project_file(name)) for name in ("dagster.yaml", "workspace.yaml")},
    }


def write_missing(folder: Path, files: Mapping[str, str]) -> WrittenFiles:
    """Write the files that are not there; whatever is there stays as it is, a dead link too.

    Raises:
        SettingsError: a file or folder cannot be made.
    """
    written: list[str] = []
    kept: list[str] = []
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            # Of the folder above it, too: a file may have its name.
            if not path.parent.is_dir():
                raise SettingsError(
                    f"{path.parent} is a file. Choose another folder, or move the file away."
                ) from None
            kept.append(name)
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be written: {error.strerror}. Choose another folder."
            ) from None
        else:
            written.append(name)
    return WrittenFiles(written=tuple(written), kept=tuple(kept))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
