"""To whom an incident is told: by severity and feed, and to the owners of the feeds that it is about.

A destination is `mail:ADDRESS`, `webhook:NAME` or `log`. Must not live here: addresses of webhooks, and sending.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from shp_core.alerts.concern import Concern
from shp_core.healing.decide import Severity

LOG, OPERATORS, MAIL, WEBHOOK = "log", "operators", "mail:", "webhook:"
_TEAM = "team:"
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Route:
    """Who is told beside the owners.

    Args:
        to: as `shp.yaml` names them: an e-mail address, `webhook:NAME`, `operators` or `log`.
        severity: from which severity on.
        feeds: of these feeds only; empty: of all.
    """

    to: tuple[str, ...]
    severity: Severity = Severity.WARNING
    feeds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Routing:
    """Who is told what.

    Args:
        routes: who is told beside the owners.
        owners: from which severity on the owners of feeds are told; None: never.
        teams: by the name of an owner `team:NAME`, who that is.
        remind: how often people are reminded of what lasts.
    """

    routes: tuple[Route, ...] = (Route((OPERATORS,)), Route((LOG,), Severity.INFO))
    owners: Severity | None = Severity.WARNING
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remind: timedelta = timedelta(hours=24)


def destinations(concern: Concern, routing: Routing, owners: Mapping[str, str], operators: str | None) -> list[str]:
    """Where an incident is told, each place once.

    Args:
        concern: the incident.
        routing: who is told what.
        owners: by feed, its owner as the feed file names it.
        operators: e-mail address of those who run the platform, None where there is none.
    """
    named = [*_routed(concern, routing), *_owners(concern, routing, owners)]
    places = (_place(name, operators) for name in named)
    return list(dict.fromkeys(place for place in places if place is not None))


def _routed(concern: Concern, routing: Routing) -> Iterator[str]:
    for route in routing.routes:
        if _reaches(concern, route.severity) and (not route.feeds or route.feeds & concern.feeds):
            yield from route.to


def _owners(concern: Concern, routing: Routing, owners: Mapping[str, str]) -> Iterator[str]:
    if routing.owners is None or not _reaches(concern, routing.owners):
        return
    for feed in sorted(concern.feeds & owners.keys()):
        owner = owners[feed]
        yield from _team(owner.removeprefix(_TEAM), routing) if owner.startswith(_TEAM) else (owner,)


def _team(name: str, routing: Routing) -> Iterable[str]:
    """A team that `shp.yaml` does not know is answered for by those who run the platform."""
    return routing.teams.get(name, (OPERATORS,))


def _reaches(concern: Concern, severity: Severity) -> bool:
    return _RANK[concern.severity] >= _RANK[severity]


def _place(name: str, operators: str | None) -> str | None:
    if name == OPERATORS:
        return f"{MAIL}{operators.lower()}" if operators else None
    return name if name == LOG or name.startswith(WEBHOOK) else f"{MAIL}{name.lower()}"
