"""`recovery`: does a system that was away work again, and is an incident over?

An open breaker whose pause is over gets one small call; if the system answers, one parked partition is run as the probe
that decides. What the breaker lets go then is the business of `redrives`. Incidents are closed by reading sinks again.
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from shp_assets.kit import FeedKit
from shp_assets.proof import prove
from shp_assets.remote import try_source
from shp_core.errors import Fault
from shp_core.healing.breaker import Admission, Breaker, admission, answered, failed, probing, succeeded
from shp_core.healing.cause import is_source
from shp_resources.lake.settings import HDFS, YARN, try_lake, try_yarn
from shp_resources.ledger import Kept
from shp_resources.outside import Outside
from shp_sensors.lake import asked, lake_runs
from shp_sensors.redrives import redrives_of, requested
from shp_sensors.requests import live, new_keys

PROBE_TAG = "shp/probe"


def recovery_sensor(kits: Mapping[str, FeedKit]) -> dg.SensorDefinition:
    """The sensor over breakers and incidents."""

    @dg.sensor(
        name="recovery",
        description="An open breaker is probed, one run at a time; an incident is closed when the sinks were read again and agree.",
        asset_selection=dg.AssetSelection.assets(*[key for kit in kits.values() for key in kit.all_keys]),
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def recovery(context: dg.SensorEvaluationContext, outside: dg.ResourceParam[Outside]) -> dg.SensorResult:
        shut = outside.ledger.breakers.open()
        requests = [request for breaker in shut for request in _probe(context, kits, outside, breaker)]
        closed = prove(outside, kits)
        for incident in closed:
            context.log.info(f"Incident {incident.id} ({incident.cause}) is over: {incident.proof}")
        told = f"{len(shut)} breakers are open, {len(closed)} incidents were closed." if shut or closed else "Nothing is amiss."
        return dg.SensorResult(
            run_requests=requests,
            dynamic_partitions_requests=[found for kit in kits.values() for found in new_keys(context.instance, kit, requests)],
            skip_reason=None if requests else dg.SkipReason(told),
        )

    return recovery


def _probe(context: dg.SensorEvaluationContext, kits: Mapping[str, FeedKit], outside: Outside, breaker: Breaker) -> Iterator[dg.RunRequest]:
    """Try a system out when its probe is due; the request is for the run that decides."""
    if admission(breaker, outside.clock.now()) is not Admission.PROBE or breaker.name in live(context.instance, PROBE_TAG):
        return
    if not _answers(kits, outside, breaker):
        return
    waiting = outside.ledger.waiting.parked_behind(breaker.name, list(kits))
    behind = outside.ledger.lake.parked_behind(breaker.name, list(kits)) if waiting is None else None
    if waiting is None and behind is None:  # nobody is there to try it: the next call will tell
        outside.ledger.breakers.change(breaker.name, lambda found: succeeded(found, outside.clock.now()))
        return
    outside.ledger.breakers.change(breaker.name, lambda found: answered(found, outside.clock.now()))
    if waiting is not None:
        first = redrives_of(kits[waiting.feed], outside, [waiting])
        yield from requested(context.instance, outside, first, waiting.feed, probe=breaker.name)
    elif behind is not None:
        follows = lake_runs(kits[behind.feed], outside, [behind])
        yield from asked(context.instance, outside, follows, behind.feed, probe=breaker.name)


def _answers(kits: Mapping[str, FeedKit], outside: Outside, breaker: Breaker) -> bool:
    """Begin the probe with one small call."""
    now = outside.clock.now()
    seen = next((kept for kept in outside.ledger.breakers.read([breaker.name]) if kept.breaker == breaker), None)
    if seen is None or not _begun(outside, seen):
        return False  # a run was quicker
    try:
        _small_call(kits, outside, breaker.name)
    except Fault as fault:
        told = {"code": str(fault.code), "message": fault.message}
        draw = outside.chance()
        outside.ledger.breakers.change(breaker.name, lambda found: failed(found, now, draw, at_once=True, **told))
        return False
    return True


def _begun(outside: Outside, seen: Kept) -> bool:
    return outside.ledger.breakers.replace(seen, probing(seen.breaker, outside.clock.now()))


def _small_call(kits: Mapping[str, FeedKit], outside: Outside, name: str) -> None:
    system, _, feed = name.partition("/")

    def do() -> None:
        if system == "warehouse":
            outside.warehouse.try_out(kits[feed].target if feed in kits else None)
        elif system == YARN:
            try_yarn(outside.settings)
        elif is_source(name):
            try_source(outside, kits, name)
        elif system in (HDFS, "lake"):
            try_lake(outside.lake)
        else:
            outside.store.try_out()

    outside.faults.around(system, feed, "probe", do)
