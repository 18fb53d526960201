"""Files that the commands need beside the package: from a checkout, else out of the wheel.

The package's folder `project` has links to them, which a wheel holds as the files themselves.
"""

from __future__ import annotations

from pathlib import Path

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
