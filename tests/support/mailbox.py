"""A real mail server on loopback, with TLS and a login, and a web server for webhooks; both answer as a test wants.

Must not live here: expectations.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from shp_resources.alerts.settings import MailServer
from shp_resources.processes import LOOPBACK, free_port

SENDER, PASSWORD = "platform@example.com", "planted-password-4711"


@dataclass
class Mailbox:
    """A mail server and what it took.

    Args:
        port: where it listens.
        implicit: TLS from the first byte on.
        answers: what it says to the next letters instead of taking them, one each.
        mails: what it took.
    """

    port: int
    implicit: bool = False
    answers: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)

    def server(self, password: str | None = PASSWORD) -> MailServer:
        """The settings with which it is used."""
        return MailServer(LOOPBACK, self.port, SENDER, password, self.implicit)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a letter, or answer what the test wants."""
        if self.answers:
            return self.answers.pop(0)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        """The subjects of what it took."""
        return [str(mail["Subject"]) for mail in self.mails]


def certificate(folder: Path) -> Path:
    """A certificate for loopback with its key, in one file."""
    path = folder / "tls.pem"
    names = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{LOOPBACK}", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *names]
    subprocess.run([*command, "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")], check=True, capture_output=True)
    path.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return path


@contextmanager
def mail_server(pem: Path | None, *, implicit: bool = False, login: bool = True) -> Iterator[Mailbox]:
    """A mail server that offers STARTTLS, or speaks TLS from the start; without a certificate it has no TLS at all."""
    mailbox = Mailbox(free_port(None), implicit)
    options: dict[str, Any] = {"hostname": LOOPBACK, "port": mailbox.port}
    if login:
        options |= {"authenticator": _may, "auth_required": True, "auth_require_tls": pem is not None and not implicit}
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        options |= {"ssl_context": context} if implicit else {"tls_context": context, "require_starttls": True}
    controller = Controller(mailbox, **options)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def _may(_server: Any, _session: Any, _envelope: Any, _mechanism: str, found: Any) -> AuthResult:
    good = isinstance(found, LoginPassword) and (found.login, found.password) == (SENDER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@contextmanager
def silent_server() -> Iterator[int]:
    """A server that takes connections and never says a word; its port."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield listener.getsockname()[1]


@dataclass
class Hook:
    """A web server for webhooks, and what it got.

    Args:
        answers: status of the next answers; 200 when there are none left.
        bodies: what was posted, refused ones too.
        kept: what it answered 200 to.
        url: where it listens.
    """

    answers: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def take(self, body: dict[str, Any]) -> int:
        """Note a posted document; the status to answer."""
        self.bodies.append(body)
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.kept.append(body)
        return status


@contextmanager
def hook_server(*answers: int) -> Iterator[Hook]:
    """A web server that answers so, then 200."""
    hook = Hook(list(answers))
    server = ThreadingHTTPServer((LOOPBACK, 0), _handler(hook.take))
    hook.url = f"http://{LOOPBACK}:{server.server_port}/hook/planted-token-4712"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(take: Callable[[dict[str, Any]], int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(take(json.loads(self.rfile.read(int(self.headers["content-length"])))))
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test's output clean."""

    return Handler
