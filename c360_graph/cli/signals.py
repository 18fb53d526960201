"""SIGTERM ends a command as Ctrl-C does: what it started is stopped first."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_GRACE_SECONDS = 10


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn SIGTERM into an interrupt while the block runs."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def run_until_interrupted(command: list[str]) -> int:
    """Run a program; when we are interrupted, ask it and what it started to end. Returns its exit code.

    It gets a process group of its own: the terminal's Ctrl-C reaches only us, and one signal of ours
    reaches all of its processes.
    """
    with subprocess.Popen(command, start_new_session=True) as process:  # noqa: S603
        try:
            return process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            return 0
