"""A mail server in a thread: it keeps what it is sent, and asks for TLS or a login where it is told to."""

from __future__ import annotations

import base64
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from socket import SocketIO


@dataclass(kw_only=True)
class Mailbox:
    """What was handed in, and how."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)


def certificate(folder: Path) -> Path:
    """A key and its own certificate for localhost, in one file."""
    file = folder / "localhost.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(file), "-out", str(folder / "only.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(file.read_text() + (folder / "only.pem").read_text())
    return file


@contextmanager
def smtp_server(
    *, pem: Path | None = None, refuse: str = "", from_start: bool = False
) -> Iterator[Mailbox]:
    """Serve on a port of localhost.

    Args:
        pem: key and certificate; STARTTLS is offered.
        refuse: a recipient that is not accepted.
        from_start: whether connections are encrypted from their start.
    """
    box = Mailbox()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if pem is not None:
        context.load_cert_chain(pem)

    class Session(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection = (
                context.wrap_socket(self.request, server_side=True) if from_start else self.request
            )
            encrypted = from_start
            stream: SocketIO = connection.makefile("rwb", buffering=0)
            stream.write(b"220 localhost\r\n")
            while line := stream.readline().decode().strip():
                verb = line.partition(" ")[0].upper()
                answer = "250 OK"
                if verb == "EHLO":
                    offers = ["localhost", "AUTH PLAIN"]
                    offers += ["STARTTLS"] if pem and not encrypted else []
                    answer = "\r\n".join(f"250-{one}" for one in offers) + "\r\n250 8BITMIME"
                elif verb == "STARTTLS":
                    stream.write(b"220 go\r\n")
                    connection = context.wrap_socket(connection, server_side=True)
                    stream, encrypted = connection.makefile("rwb", buffering=0), True
                    continue
                elif verb == "AUTH":
                    _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                    box.logins.append((user, password))
                    answer = "235 OK" if password == "right" else "535 no, ann@example.com"
                elif verb == "RCPT" and refuse and refuse in line:
                    answer = "550 no such user"
                elif verb == "DATA":
                    stream.write(b"354 go\r\n")
                    lines = []
                    while (part := stream.readline()) != b".\r\n":
                        lines.append(part)
                    mail = message_from_bytes(b"".join(lines), policy=policy.default)
                    assert isinstance(mail, EmailMessage)
                    box.mails.append(mail)
                    box.encrypted.append(encrypted)
                elif verb == "QUIT":
                    answer = "221 bye"
                stream.write(f"{answer}\r\n".encode())

    with socketserver.ThreadingTCPServer(("localhost", 0), Session) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield box
        finally:
            server.shutdown()
