"""`/livez`, `/readyz` and `/metrics` on the loopback address, for monitoring.

Must not live here: what is answered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shp_resources.processes import LOOPBACK

Answer = tuple[int, str, bytes]
_JSON, _TEXT = "application/json", "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Answers:
    """What is answered.

    Args:
        alive: whether the watchdog itself does its work.
        services: by name, why it is not ready.
        metrics: the text of all metrics.
    """

    alive: Callable[[], bool]
    services: Callable[[], Mapping[str, str | None]]
    metrics: Callable[[], bytes]

    def to(self, path: str) -> Answer:
        """The answer to a path: status, content type, body."""
        known = {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._metrics}
        answer = known.get(path.partition("?")[0])
        return answer() if answer else _json(404, {"paths": sorted(known)})

    def _livez(self) -> Answer:
        alive = self.alive()
        return _json(200 if alive else 503, {"alive": alive})

    def _readyz(self) -> Answer:
        services = self.services()
        ready = not any(services.values())
        return _json(200 if ready else 503, {"ready": ready, "services": services})

    def _metrics(self) -> Answer:
        return 200, _TEXT, self.metrics()


def _json(status: int, document: Mapping[str, object]) -> Answer:
    return status, _JSON, json.dumps(document).encode() + b"\n"


def server(port: int, answers: Answers) -> ThreadingHTTPServer:
    """A server that listens, and answers once it is told to serve.

    Args:
        port: on the loopback address; 0: any that is free.
        answers: what is answered.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            """Answer."""
            status, kind, body = answers.to(self.path)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A line for each scrape would fill the log."""

    found = ThreadingHTTPServer((LOOPBACK, port), Handler)
    found.daemon_threads = True
    return found
