"""The section `alerts` of `shp.yaml`: who is told of incidents.

Must not live here: passwords and addresses of webhooks; those are settings of the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from shp_core.alerts.routing import LOG, OPERATORS, WEBHOOK, Route, Routing
from shp_core.feeds.base import Strict, tell_all
from shp_core.healing.decide import Severity

SeverityName = Literal["info", "warning", "critical"]
Style = Literal["slack", "teams", "plain"]
_ADDRESS = re.compile(r"[^@\s:]+@[^@\s]+\.[^@\s]+\Z")
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class RouteSection(Strict):
    """Who is told beside the owners of feeds."""

    to: list[str] = Field(min_length=1, description="E-mail addresses, `webhook:NAME`, `operators` (RECIPIENT_EMAIL) or `log`.")
    severity: SeverityName = Field("warning", description="From this severity on.")
    feeds: list[str] = Field(default_factory=list, description="Incidents of these feeds only; all by default.")


def _default_routes() -> list[RouteSection]:
    return [RouteSection(to=[OPERATORS]), RouteSection(to=[LOG], severity="info")]


class AlertsSection(Strict):
    """Who is told of incidents, and how often."""

    owners: SeverityName | Literal["never"] = Field("warning", description="From this severity on a feed's owner is told.")
    remind_hours: float = Field(24, gt=0, le=8760, description="How often people are reminded of what lasts.")
    teams: dict[str, list[str]] = Field(
        default_factory=dict, description="Who an owner `team:NAME` is, spelled like `to`; `operators` where a team is left out."
    )
    webhooks: dict[str, Style] = Field(
        default_factory=dict, description="By name: `slack`, `teams` or `plain`; the address is the variable `SHP_WEBHOOK_<NAME>`."
    )
    routes: list[RouteSection] = Field(
        default_factory=_default_routes, description="Who else is told; by default `operators` from `warning` on, and `log` of all."
    )

    @model_validator(mode="after")
    def _known(self) -> AlertsSection:
        named = [*(name for team in self.teams.values() for name in team), *(name for route in self.routes for name in route.to)]
        tell_all([*_wrong_names(self.webhooks), *_wrong_places(named, self.webhooks)])
        return self

    def routing(self) -> Routing:
        """Who is told what."""
        routes = tuple(Route(tuple(route.to), Severity(route.severity), frozenset(route.feeds)) for route in self.routes)
        owners = None if self.owners == "never" else Severity(self.owners)
        teams = {name: tuple(members) for name, members in self.teams.items()}
        return Routing(routes, owners, teams, timedelta(hours=self.remind_hours))


def _wrong_names(webhooks: Iterable[str]) -> Iterator[str]:
    for name in webhooks:
        if not _NAME.match(name):
            yield f"a webhook is called {name!r}; use small letters, digits and _, such as `ops`"


def _wrong_places(named: Iterable[str], webhooks: Iterable[str]) -> Iterator[str]:
    known = {LOG, OPERATORS, *(f"{WEBHOOK}{name}" for name in webhooks)}
    for name in named:
        if name not in known and not _ADDRESS.match(name):
            yield f"{name!r} is neither an e-mail address, nor `log`, `operators`, nor a webhook that `webhooks` names"
