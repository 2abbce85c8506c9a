"""Does it answer? Each probe asks the service itself and returns None, or the reason why it is not ready."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from shp_resources.fork_client import ForkClient, ForkServerAway
from shp_resources.processes import LOOPBACK

HEARTBEAT_SECONDS = 120.0  # daemons beat every 30 s; a long sensor evaluation may delay a beat or two
REQUIRED_DAEMONS = frozenset({"ASSET", "BACKFILL", "FRESHNESS_DAEMON", "MONITORING", "QUEUED_RUN_COORDINATOR", "SCHEDULER", "SENSOR"})
_SECONDS = 5.0
_LOCATIONS = """{ version workspaceOrError { __typename ... on PythonError { message } ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""


def postgres(dsn: str | None) -> str | None:
    """Whether the database answers a query."""
    if dsn is None:
        return "not running"
    try:
        query(dsn, "select 1")
    except database_error() as error:
        return _first_line(error)
    return None


def listening(port: int) -> str | None:
    """Whether anybody accepts connections on this port; the code server does once it has loaded its code."""
    try:
        socket.create_connection((LOOPBACK, port), _SECONDS).close()
    except OSError as error:
        return f"does not accept connections ({error.strerror or error})"
    return None


def code(port: int) -> str | None:
    """Whether the code server answers a gRPC call."""
    import grpc  # 12 MB and threads of its own: for `shp status`, never in the supervisor
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    try:
        with grpc.insecure_channel(f"{LOOPBACK}:{port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = health.Check(health_pb2.HealthCheckRequest(service="DagsterApi"), timeout=_SECONDS)
    except grpc.RpcError as error:
        return f"does not answer ({error.code().name.lower()})"
    return None if answer.status == health_pb2.HealthCheckResponse.SERVING else "answers that it does not serve"


def forks(home: Path) -> str | None:
    """Whether the fork server answers; while it imports changed files anew it counts as ready."""
    try:
        ForkClient(home).ping()
    except ForkServerAway as error:
        return str(error)
    return None


def web(url: str) -> str | None:
    """Whether the webserver answers a query and has loaded our code without an error."""
    try:
        data = graphql(url, _LOCATIONS)
    except (OSError, ValueError) as error:
        return f"does not answer ({_first_line(error)})"
    entries = data["workspaceOrError"].get("locationEntries")
    if not entries:
        return f"has no code location ({data['workspaceOrError'].get('message', 'empty workspace')})"
    return next((reason for reason in map(_why_not_loaded, entries) if reason), None)


def daemon(dsn: str | None, since: float) -> str | None:
    """Whether every daemon has sent a heartbeat, since this start and lately.

    Args:
        dsn: address of Dagster's database.
        since: when the process was started, in seconds since 1970.
    """
    if dsn is None:
        return "its database is not running"
    try:
        beats = heartbeats(dsn)
    except database_error() as error:
        return _first_line(error)
    return _why_no_heartbeat(beats, max(since, time.time() - HEARTBEAT_SECONDS))


def heartbeats(dsn: str) -> dict[str, float]:
    """By daemon, when it last gave a sign of life, in seconds since 1970.

    Raises:
        psycopg2.Error: the database does not answer (see `database_error`).
    """
    beats = [json.loads(body) for (body,) in query(dsn, "select body from daemon_heartbeats")]
    return {beat["daemon_type"]: beat["timestamp"] for beat in beats}


def watchdog(port: int) -> str | None:
    """Whether the watchdog does its work."""
    try:
        urllib.request.urlopen(f"http://{LOOPBACK}:{port}/livez", timeout=_SECONDS).close()
    except OSError as error:
        return f"does not answer ({_first_line(error)})"
    return None


def graphql(url: str, query: str) -> dict[str, Any]:
    """Ask Dagster's webserver.

    Raises:
        OSError: nobody answers at this address.
        ValueError: the answer is no answer.
    """
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        data = json.load(answer).get("data")
    if not isinstance(data, dict):
        raise ValueError("the answer holds no data")
    return data


def _why_not_loaded(entry: dict[str, Any]) -> str | None:
    result = entry["locationOrLoadError"]
    if entry["loadStatus"] != "LOADED" or result is None:
        return f"is loading {entry['name']}"
    if result["__typename"] != "RepositoryLocation":
        return f"could not load {entry['name']}: {str(result.get('message', '')).strip()[:300]}"
    return None


def _why_no_heartbeat(beats: dict[str, float], after: float) -> str | None:
    # A beat's own `errors` stay for five minutes after whatever they tell of: they are for the UI, not for readiness.
    fresh = {name for name, at in beats.items() if at >= after}
    missing = sorted(REQUIRED_DAEMONS - fresh)
    return f"no heartbeat of {', '.join(missing).lower()}" if missing else None


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    """Ask the database something that takes no time.

    Raises:
        psycopg2.Error: it does not answer within seconds (see `database_error`).
    """
    import psycopg2

    with closing(psycopg2.connect(dsn.replace("+psycopg2", "", 1), connect_timeout=int(_SECONDS))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("set statement_timeout = '5s'")
            cursor.execute(statement)
            return list(cursor.fetchall())


def database_error() -> type[Exception]:
    """What `query` raises; named late, for the driver is imported with the first question."""
    import psycopg2

    return psycopg2.Error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300]
