"""A network that fails on purpose: a TCP proxy between the driver and Neo4j."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

COMMIT = b"\x00\x02\xb0\x12\x00\x00"
"""Bolt's COMMIT: a chunk of two bytes, a structure with no fields and the tag 0x12, the end."""

Moment = Literal["before it is forwarded", "when it is answered"]
ServerSide = Literal["closed", "left open"]


@dataclass
class _Fault:
    """What is to happen once when `seen` says so of a request's bytes."""

    seen: Callable[[bytes], bool]
    moment: Moment
    server_side: ServerSide


class _Link:
    """One connection of the driver and the one behind it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.cut_at_answer: ServerSide | None = None
        self.silent = False
        self.left_open = False

    def cut(self, server_side: ServerSide) -> None:
        """The driver sees a closed connection; the server too, or it hears nothing any more."""
        self.left_open = server_side == "left open"
        _close(self.client)
        if not self.left_open:
            _close(self.server)


class FaultyProxy:
    """Forwards bytes until it is told to fail. Every fault is over when it has happened."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._links: list[_Link] = []
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._refusing = False
        self._silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.failed = 0
        """How many times a connection was cut."""

    @property
    def uri(self) -> str:
        """The address for drivers."""
        return f"bolt://127.0.0.1:{self.port}"

    def fail_once(
        self,
        request: bytes | Callable[[bytes], bool],
        *,
        moment: Moment = "before it is forwarded",
        server_side: ServerSide = "closed",
    ) -> None:
        """Cut the connection over which the next such request comes. May be called several times."""
        seen = request if callable(request) else lambda data: request in data
        with self._lock:
            self._faults.append(_Fault(seen, moment, server_side))

    def cut(self, *, server_side: ServerSide = "closed") -> None:
        """Cut all connections now; new ones are accepted."""
        with self._lock:
            links = [link for link in self._links if not link.left_open]
            self.failed += len(links)
        for link in links:
            link.cut(server_side)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Cut all connections and accept none while the block runs."""
        self._refusing = True
        self.cut()
        try:
            yield
        finally:
            self._refusing = False

    def silence(self) -> None:
        """From now on nothing is forwarded on the connections of now, and both ends stay open."""
        with self._lock:
            for link in self._links:
                link.silent = True

    def fall_silent(self) -> None:
        """A black hole from now on: connections are accepted, and nothing is forwarded."""
        self._silent = True
        self.silence()

    def speak_again(self) -> None:
        """New connections are forwarded again; those that fell silent stay so."""
        self._silent = False

    def run(self) -> None:
        """Accept connections until closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                _close(client)
                continue
            self._connect(client)

    def close(self) -> None:
        """End everything, the servers' sides too that were left open."""
        _close(self._listener)
        for link in self._links:
            link.cut("closed")

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _close(client)
            return
        link = _Link(client, server)
        link.silent = self._silent
        with self._lock:
            self._links.append(link)
        for pump in (self._requests, self._answers):
            threading.Thread(target=pump, args=(link,), daemon=True).start()

    def _requests(self, link: _Link) -> None:
        for data in _received(link.client):
            if link.silent:
                continue
            fault = self._take_fault(data)
            if fault is not None and fault.moment == "before it is forwarded":
                link.cut(fault.server_side)
                return
            if fault is not None:
                link.cut_at_answer = fault.server_side
            with suppress(OSError):
                link.server.sendall(data)
        if not link.left_open:
            link.cut("closed")

    def _answers(self, link: _Link) -> None:
        for data in _received(link.server):
            if link.silent:
                continue
            if link.cut_at_answer is not None:
                link.cut(link.cut_at_answer)
            with suppress(OSError):
                link.client.sendall(data)
        _close(link.client)

    def _take_fault(self, data: bytes) -> _Fault | None:
        with self._lock:
            # Each is asked: some count what they see.
            due = [fault for fault in self._faults if fault.seen(data)]
            if not due:
                return None
            self._faults.remove(due[0])
            self.failed += 1
            return due[0]


@contextmanager
def faulty_proxy(host: str, port: int) -> Iterator[FaultyProxy]:
    """A proxy on a free port of the loopback, in threads."""
    proxy = FaultyProxy(host, port)
    threading.Thread(target=proxy.run, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()


def _received(connection: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while data := connection.recv(65536):
            yield data


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
