"""Where the time of a run goes, by the times of its own events; and how much it writes down.

Must not live here: making runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2

_EVENTS = """select dagster_event_type, step_key, extract(epoch from timestamp)::float8, length(event) from event_logs
    where run_id = %s order by id"""
Event = tuple[str | None, str | None, float, int]


def phases(events: Sequence[Event]) -> dict[str, float]:
    """Seconds of each part of a run that succeeded, in order; together they are launch to end.

    Args:
        events: (type, step, seconds since 1970, characters), in the order in which they were stored.
    """

    def first(kind: str, step: str | None = None) -> float:
        return next(at for found, key, at, _ in events if found == kind and step in (None, key))

    launched, ended = first("PIPELINE_STARTING"), first("PIPELINE_SUCCESS")
    begun = next(at for found, _, at, _ in events if found == "ENGINE_EVENT" and at >= launched)
    steps = [str(key) for found, key, _, _ in events if found == "STEP_START"]
    known = {"forked, connected, run found": begun - launched, "plan and context": first("STEP_START") - begun}
    before = first("STEP_START")
    for step in steps:
        told, done = first("STEP_OUTPUT", step), first("STEP_SUCCESS", step)
        known |= {f"{step}: its work": told - before, f"{step}: telling its results": done - told}
        before = done
    return known | {"ending": ended - before}


def of_runs(dsn: str, ids: Sequence[str]) -> dict[str, Any]:
    """Medians over runs of the same job.

    Args:
        dsn: Dagster's database.
        ids: the runs.

    Returns:
        `{"seconds": {phase: median}, "events": rows of a run, "kilobytes": what they hold}`.
    """
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            runs = [_events(cursor, run_id) for run_id in ids]
    finally:
        connection.close()
    found = [phases(events) for events in runs]
    seconds = {name: round(statistics.median(one[name] for one in found), 4) for name in found[0]}
    kilobytes = statistics.median(sum(size for *_, size in events) for events in runs) / 1000
    return {"seconds": seconds, "events": round(statistics.median(map(len, runs))), "kilobytes": round(kilobytes, 1)}


def markdown(found: Mapping[str, Any]) -> str:
    """The medians as a table for people."""
    whole = sum(found["seconds"].values())
    lines = ["| part of a one-row run | ms | % |", "|---|---|---|"]
    lines += [f"| {name} | {value * 1000:.0f} | {value / whole * 100:.0f} |" for name, value in found["seconds"].items()]
    told = f"{found['events']} rows of events, {found['kilobytes']:.0f} kB."
    return "\n".join([*lines, f"| launch to end | {whole * 1000:.0f} | 100 |", "", told])


def _events(cursor: Any, run_id: str) -> list[Event]:
    cursor.execute(_EVENTS, (run_id,))
    return list(cursor.fetchall())
