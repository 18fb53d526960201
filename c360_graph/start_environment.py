"""The environment that a Dagster process was started with, where `.env` has been put over it.

Every command of Dagster copies the lines of `.env` over `os.environ` before it reads dagster.yaml or
imports any code, and its child processes inherit the result. The operating system still knows what
each process was started with, so the variables that were overridden can be set back.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
from dotenv import dotenv_values

from c360_graph.errors import SettingsError
from c360_graph.settings import ENV_FILE, Settings

Environment = Mapping[str, str]

_READ_BEFORE = "DAGSTER_HOME"
"""Dagster has used this variable by the time that anything of ours runs."""
_ENV_FILE_PATHS = "DAGSTER_PROJECT_ENV_FILE_PATHS"
"""Folders of further `.env` files, by code location, as JSON."""

_PROGRAM = re.compile(r"(dagster(-\w+)*|dg)(\.exe)?")
_MODULE = re.compile(r"dagster(_\w+)*(\.\w+)*")


def restore_start_environment() -> None:
    """Set back each variable that Dagster's reading of `.env` has overridden in this process.

    A variable that the process was started without, or empty, keeps the value of `.env`. Outside of
    Dagster's own commands nothing is changed.

    Raises:
        SettingsError: `.env` names another DAGSTER_HOME than the process was started with, or the
            start environment cannot be read.
    """
    injected = _env_file_lines()
    if not injected:
        return
    started = tuple(_start_environments())
    if not started:
        return
    for name, value in overridden(os.environ, injected=injected, started=started).items():
        if name == _READ_BEFORE:
            raise SettingsError(
                f"This process was started with {name}={value}, and Dagster has used"
                f" {os.environ[name]} of {ENV_FILE} instead. Remove the line from {ENV_FILE}, or"
                " make both agree."
            )
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def overridden(
    current: Environment, *, injected: Environment, started: tuple[Environment, ...]
) -> dict[str, str | None]:
    """What to set back, None where a variable is to be removed.

    >>> overridden({"A": "of .env"}, injected={"A": "of .env"}, started=({"A": "mine"},))
    {'A': 'mine'}

    Args:
        current: the environment as it is.
        injected: the lines of `.env`.
        started: what this process was started with, then its parent and so on, as far as those are
            Dagster's. A child inherits what was overridden in its parent.
    """
    found: dict[str, str | None] = {}
    for name, value in injected.items():
        if name not in current:
            continue
        if _has_other_spelling(name, started[0]):
            found[name] = None
            continue
        for number, environment in enumerate(started):
            wanted = environment.get(name)
            # What an ancestor was started with counts only where the value did come from `.env`.
            if wanted and wanted != current[name] and (number == 0 or current[name] == value):
                found[name] = wanted
                break
    return found


def refuse_storage_of_env_file(config: object) -> None:
    """Make sure that Dagster's storage is not reached by values that `.env` put over others.

    Args:
        config: the storage's part of dagster.yaml, which may name variables as `env: NAME`.

    Raises:
        SettingsError: a variable that it names differs between `.env` and the start environment.
    """
    injected = _env_file_lines()
    for name in _variables(config):
        wanted, used = os.environ.get(name), injected.get(name)
        if used is None or not wanted or wanted == used:
            continue
        values = (
            "another value"
            if "PASSWORD" in name.upper() or "URL" in name.upper()
            else f"{used!r}, not {wanted!r}"
        )
        raise SettingsError(
            f"dagster.yaml takes {name} for Dagster's storage from the environment, where"
            f" {ENV_FILE} has put {values} with which the process was started. Make both agree, or"
            " take the project's dagster.yaml, whose storage follows the start environment."
        )


def _variables(config: object) -> Iterator[str]:
    if isinstance(config, Mapping):
        if set(config) == {"env"}:
            yield str(config["env"])
        for value in config.values():
            yield from _variables(value)


def _has_other_spelling(name: str, environment: Environment) -> bool:
    """Whether a setting was given by a name that differs in letter case only; both mean the same."""
    return (
        name.lower() in Settings.model_fields
        and not environment.get(name)
        and any(value and other.lower() == name.lower() for other, value in environment.items())
    )


def _env_file_lines() -> dict[str, str]:
    folders = [Path.cwd()]
    try:
        further = json.loads(os.environ.get(_ENV_FILE_PATHS) or "{}")
        folders += [Path.cwd() / folder for folder in further.values()]
    except (ValueError, AttributeError, TypeError):
        pass
    return {
        name: value
        for folder in folders
        if (folder / ENV_FILE).is_file()
        for name, value in dotenv_values(folder / ENV_FILE).items()
        if value is not None
    }


def _start_environments() -> Iterator[Environment]:
    """Of this process, its parent and so on, as long as they are commands of Dagster."""
    process: psutil.Process | None = psutil.Process()
    assert process is not None
    if not is_dagster(process.cmdline()):
        return
    try:
        yield process.environ()
    except (psutil.Error, OSError, NotImplementedError) as error:
        raise SettingsError(
            "Dagster puts the lines of .env over the environment, and what this process was started"
            f" with cannot be read ({type(error).__name__}). Start it in a folder without {ENV_FILE}."
        ) from None
    try:
        while (process := process.parent()) is not None and is_dagster(process.cmdline()):
            yield process.environ()
    except (psutil.Error, OSError):
        # Another user's process, or one that has ended.
        return


def is_dagster(command: list[str]) -> bool:
    """Whether a command line is one of Dagster's.

    >>> is_dagster(["/venv/bin/python", "/venv/bin/dagster", "dev"])
    True
    >>> is_dagster(["python", "-m", "dagster._daemon", "run"])
    True
    >>> is_dagster(["pytest", "-k", "dagster"])
    False
    """
    if any(_PROGRAM.fullmatch(Path(word).name) for word in command[:2]):
        return True
    modules = (word for option, word in itertools.pairwise(command) if option == "-m")
    module = next(modules, None)
    return module is not None and _MODULE.fullmatch(module) is not None
