"""Free TCP ports of 127.0.0.1, and what to do when one is taken before the server has it."""

import logging
import socket
from collections.abc import Callable
from typing import TypeVar

from c360_graph.errors import SandboxError

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_ATTEMPTS = 5

_Server = TypeVar("_Server")


class PortTakenError(SandboxError):
    """Another program took the port between its choice and the server's start."""


def free_port() -> int:
    """A TCP port that nobody listens at just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def on_free_port(*, launch: Callable[[int], _Server]) -> _Server:
    """What ``launch(port)`` returns, tried with another port where one was taken meanwhile.

    Raises:
        SandboxError: what ``launch`` raised, the fifth lost port in a row included.
    """
    for _ in range(_ATTEMPTS - 1):
        port = free_port()
        try:
            return launch(port)
        except PortTakenError:
            _log.info("Port %d was taken meanwhile, trying another one", port)
    return launch(free_port())
