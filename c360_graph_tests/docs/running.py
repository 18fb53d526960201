"""Runs a document's blocks in order and says of each what came of it."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import psycopg

from c360_graph.errors import C360Error
from c360_graph_tests.docs.markdown import Block, Command, blocks, commands
from c360_graph_tests.docs.place import Place

RUN = frozenset({"console", "sql", "cypher"})
"""Languages whose blocks are run; any other is only read."""

_LONGEST_SECONDS = 300.0
_LAST_LINES = 25
_ENDING_SECONDS = 60.0

What = Literal["passed", "failed", "not run"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a command or of a block that is one statement."""

    place: str
    text: str
    what: What
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """An ended command: its exit code, what it wrote to either stream."""

    code: int
    output: str


def run_document(name: str, text: str, place: Place) -> Iterator[Outcome]:
    """Run the blocks of a document; after the first failure the others would only say so again."""
    for block in blocks(text):
        if block.language not in RUN:
            continue
        for outcome in _run_block(name, block, place):
            yield outcome
            if outcome.what == "failed":
                return


def _run_block(name: str, block: Block, place: Place) -> Iterator[Outcome]:
    if block.not_run is not None:
        yield Outcome(
            place=f"{name}:{block.line}",
            text=block.text.strip(),
            what="not run",
            reason=block.not_run,
        )
    elif block.language == "console":
        for command in commands(block):
            tried = partial(_complaint, command, block, place)
            yield _timed(f"{name}:{command.line}", command.text, tried)
    else:
        yield _timed(f"{name}:{block.line}", block.text.strip(), partial(_refusal, block, place))


def _timed(where: str, text: str, complaint: Callable[[], str | None]) -> Outcome:
    begin = time.monotonic()
    reason = complaint()
    return Outcome(
        place=where,
        text=text,
        what="failed" if reason else "passed",
        seconds=time.monotonic() - begin,
        reason=reason or "",
    )


def _complaint(command: Command, block: Block, place: Place) -> str | None:
    """What is wrong with a command's end or output, None where nothing is."""
    until = block.says.get("until")
    ended = run_until(command, place, until) if until else run_to_end(command, place)
    wanted = int(block.says.get("exit", "0"))
    if ended.code != wanted:
        tail = "\n".join(ended.output.splitlines()[-_LAST_LINES:])
        return f"exit code {ended.code}, not {wanted}:\n{tail}"
    missing = first_missing(command.shown, ended.output)
    return None if missing is None else f"the output lacks: {missing}\nIt was:\n{ended.output}"


def _refusal(block: Block, place: Place) -> str | None:
    """What is wrong with a statement, None where nothing is."""
    try:
        if block.language == "sql":
            place.run_sql(block.says["on"], block.text)
        elif place.count_rows(block.text) == 0:
            return "the query found nothing"
    except KeyError:
        return "a block of SQL says by on=DATABASE where it is run"
    except (LookupError, psycopg.Error, C360Error) as error:
        return str(error)
    return None


def run_to_end(command: Command, place: Place) -> Finished:
    """Run a command as a reader's shell does."""
    with _started(command, place) as process:
        try:
            output, _ = process.communicate(timeout=_LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            return Finished(
                code=-1, output=f"{_killed(process)}\nnot done after {_LONGEST_SECONDS:.0f} s"
            )
    return Finished(code=process.returncode, output=output)


def run_until(command: Command, place: Place, text: str) -> Finished:
    """Run a command that serves until it says something, then interrupt it as Ctrl-C does.

    Code 0 means that it said so, and ended within a minute after.
    """
    deadline = time.monotonic() + _LONGEST_SECONDS
    with _started(command, place) as process:
        output = _output_until(process, text, deadline)
        said = text in output
        os.killpg(process.pid, signal.SIGINT)
        try:
            output += process.communicate(timeout=_ENDING_SECONDS)[0]
        except subprocess.TimeoutExpired:
            output += f"{_killed(process)}\nit goes on after being interrupted"
            return Finished(code=-1, output=output)
    return Finished(code=0 if said else process.returncode or -1, output=output)


def _killed(process: subprocess.Popen[str]) -> str:
    """End a command for good; gives what it wrote meanwhile."""
    os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.communicate(timeout=5)[0]
    except subprocess.TimeoutExpired:
        # What it started elsewhere still holds the pipe.
        return ""


def _output_until(process: subprocess.Popen[str], text: str, deadline: float) -> str:
    assert process.stdout is not None
    output = ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while text not in output and time.monotonic() < deadline:
            if not selector.select(timeout=1.0):
                continue
            part = os.read(process.stdout.fileno(), 1 << 16)
            if not part:
                break
            output += part.decode(errors="replace")
    return output


def _started(command: Command, place: Place) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", command.text],
        cwd=place.folder,
        env=place.full_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        # A shell's background jobs ignore Ctrl-C, and what they start would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def first_missing(shown: tuple[str, ...], output: str) -> str | None:
    """The first shown line that the output lacks behind the lines before it, None where it has all.

    A `…` stands for any text, any white space for any other.
    """
    lines = iter(output.splitlines())
    for line in shown:
        pattern = re.compile(_pattern(line))
        if not any(pattern.search(found) for found in lines):
            return line
    return None


def _pattern(line: str) -> str:
    words = (re.escape(word).replace("…", ".*") for word in line.split())
    return r"\s+".join(words)
