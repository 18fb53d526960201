"""SIGTERM ends a command as Ctrl-C does: what it started is stopped first."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_GRACE_SECONDS = 30


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
    """Run a program; when we are interrupted, ask it to end and wait for it. Returns its exit code."""
    with subprocess.Popen(command) as process:  # noqa: S603
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            return 0
