"""A real nginx with our configuration on ports of a test's own, and what stands behind it: a server that tells what it was sent."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from shp_resources.processes import LOOPBACK, free_port, port_is_free, stop, wait_until
from tests.support.holders import REPOSITORY
from tests.support.mailbox import certificate
from tests.support.waiting import PATIENCE

CONFIGURATION = REPOSITORY / "deploy" / "nginx" / "shp.conf"
PASSWORDS = {"operators": ("olga", "one"), "viewers": ("vera", "two")}


@dataclass(frozen=True)
class Answer:
    """A status, the headers and what was said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """What the server behind tells that it was sent."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Door:
    """One of the proxy's addresses.

    Args:
        port: where it listens.
        trusted: checks its certificate.
    """

    port: int
    trusted: ssl.SSLContext

    def ask(self, who: tuple[str, str] | None = None, method: str = "GET", **headers: str) -> Answer:
        """Ask for a page, with a name and a password; headers with underscores for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            sent["Authorization"] = "Basic " + b64encode(":".join(who).encode()).decode()
        connection = http.client.HTTPSConnection(LOOPBACK, self.port, timeout=PATIENCE, context=self.trusted)
        try:
            connection.request(method, "/graphql?q=1", headers=sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), b"" if answer.status == 101 else answer.read())
        finally:
            connection.close()


class _Telling(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Tell what was sent; agree to another protocol."""
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.send_header("Upgrade", self.headers["Upgrade"])
            self.send_header("Connection", "upgrade")
            self.end_headers()
            return
        body = json.dumps({"path": self.path, "port": self.server.server_address[1], "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def behind() -> Iterator[int]:
    """A server on the loopback address that tells what it was sent; yields its port."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _Telling)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def nginx(folder: Path, operators: int, viewers: int) -> Iterator[tuple[Door, Door]]:
    """Our configuration in a real nginx, before these two ports; yields the doors of operators and of viewers."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    assert program is not None, "nginx is missing: apt-get install nginx-light"
    ours = [free_port(), 0]
    ours[1] = free_port(taken=ours)
    certificate(folder)
    for place, (name, password) in PASSWORDS.items():
        hashed = subprocess.run(["openssl", "passwd", "-6", password], check=True, capture_output=True, text=True).stdout
        (folder / place).write_text(f"{name}:{hashed}")
    (folder / "nginx.conf").write_text(_configuration(folder, ours, (operators, viewers)))
    command = [program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    trusted = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    try:
        assert wait_until(lambda: not any(map(port_is_free, ours)), PATIENCE)
        yield Door(ours[0], trusted), Door(ours[1], trusted)
    finally:
        stop(process, 10)


def _configuration(folder: Path, ours: list[int], theirs: tuple[int, int]) -> str:
    text = CONFIGURATION.read_text()
    changes = {
        "listen              8443 ssl": f"listen {LOOPBACK}:{ours[0]} ssl",
        "listen              8444 ssl": f"listen {LOOPBACK}:{ours[1]} ssl",
        "127.0.0.1:3000": f"{LOOPBACK}:{theirs[0]}",
        "127.0.0.1:3001": f"{LOOPBACK}:{theirs[1]}",
        "/etc/shp/tls/": f"{folder}/",
        "/etc/shp/": f"{folder}/",
    }
    for before, after in changes.items():
        assert before in text, f"{before!r} is not in the configuration any more"
        text = text.replace(before, after)
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"user root;\ndaemon off;\npid {folder}/pid;\nevents {{}}\nhttp {{ access_log off; {temporary}\n{text}\n}}\n"
