"""Dagster's own way to run: a code server whose child works for the run.

Must not live here: expectations; the fork server (`forks`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._grpc.client import DagsterGrpcClient

from shp_resources.processes import LOOPBACK, free_port, wait_until
from tests.support.forks import Forks
from tests.support.waiting import PATIENCE


@dataclass
class CodeServer:
    """A code server of the code location that `forks` has, and a workspace that consists of it.

    Args:
        forks: home and runs.
        process: the server.
        port: where it listens.
    """

    forks: Forks
    process: subprocess.Popen[bytes]
    port: int

    @property
    def client(self) -> DagsterGrpcClient:
        """Talks to it."""
        return DagsterGrpcClient(port=self.port, host=LOOPBACK)

    def create(self, job: str, config: dict[str, Any] | None = None) -> dg.DagsterRun:
        """A run of a job that this server has."""
        run_id = self.forks.create(job, config)
        run = self.forks.instance.get_run_by_id(run_id)
        assert run is not None
        location = GrpcServerCodeLocationOrigin(LOOPBACK, self.port, location_name="small")
        known = run._replace(remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job))
        self.forks.instance.delete_run(run_id)
        return self.forks.instance.add_run(known)

    def kill(self) -> None:
        """Kill it with a signal that nobody can catch; its workers live on."""
        self.process.kill()
        self.process.wait()


@contextmanager
def code_server(forks: Forks) -> Iterator[CodeServer]:
    """A code server that answers; it ends with the block."""
    port = free_port()
    command = ["dagster", "api", "grpc", "--module-name", forks.module, "--host", LOOPBACK, "--port", str(port), "--location-name", "small"]
    with (forks.home / "code.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=log, stderr=log, env=os.environ, start_new_session=True)
    made = CodeServer(forks, process, port)
    try:
        assert wait_until(lambda: _answers(made), PATIENCE, 0.1), (forks.home / "code.log").read_text()
        yield made
    finally:
        made.kill()


def _answers(server: CodeServer) -> bool:
    try:
        return bool(server.client.ping("here")["echo"])
    except dg.DagsterError:
        return False
