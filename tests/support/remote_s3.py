"""A real S3 server (moto) on the loopback address, behind a door that fails as it is told.

Must not live here: expectations.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

BUCKET = "inbox"


@dataclass(frozen=True)
class Failure:
    """What goes wrong with one answer that brings bytes of an object.

    Args:
        status: answer this instead.
        cut_after: send so many bytes of what was announced.
        then: done before the answer.
    """

    status: str | None = None
    cut_after: int | None = None
    then: Callable[[], None] | None = None


@dataclass
class RemoteS3:
    """The server.

    Args:
        url: its address.
        failures: what goes wrong with the next answers, in order.
        ranges: the ranges that were asked for.
    """

    url: str = ""
    failures: list[Failure] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)

    def put(self, key: str, content: bytes) -> str:
        """Hold an object; its address."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"s3://{BUCKET}/{key}"

    def remove(self, key: str) -> None:
        """Hold it no more."""
        self.client.delete_object(Bucket=BUCKET, Key=key)

    @property
    def client(self) -> Any:
        """The sender's way to it."""
        keys = {"aws_access_key_id": "sender", "aws_secret_access_key": "s3cr3t", "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.url, config=Config(s3={"addressing_style": "path"}), **keys)


@contextmanager
def remote_s3() -> Iterator[RemoteS3]:
    """A server with one empty bucket."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    s3 = RemoteS3()
    server = make_server("127.0.0.1", 0, _Door(s3, DomainDispatcherApplication(create_backend_app)), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    s3.url = f"http://127.0.0.1:{server.server_port}"
    s3.client.create_bucket(Bucket=BUCKET)
    try:
        yield s3
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Door:
    """Lets requests through, or lets them fail."""

    def __init__(self, s3: RemoteS3, app: Callable[..., Iterable[bytes]]) -> None:
        self._s3, self._app = s3, app

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        ranged = environ.get("HTTP_RANGE")
        if environ["REQUEST_METHOD"] != "GET" or not ranged:
            return self._app(environ, start)
        self._s3.ranges.append(ranged)
        failure = self._s3.failures.pop(0) if self._s3.failures else Failure()
        if failure.then is not None:
            failure.then()
        if failure.status is not None:
            start(failure.status, [("Content-Length", "0")])
            return [b""]
        whole = self._app(environ, start)
        return whole if failure.cut_after is None else [b"".join(whole)[: failure.cut_after]]
