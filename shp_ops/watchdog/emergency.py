"""Tells people that the platform itself is not ready, past the ledger, which may be what is away.

What was told, and the letters that are not delivered yet, lie in a file below the home, so no restart tells it twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shp_core.alerts.concern import Concern
from shp_core.alerts.outage import Outage, step
from shp_core.alerts.plan import Kind, Notice
from shp_core.alerts.routing import destinations
from shp_core.alerts.words import message
from shp_core.codes import Code
from shp_core.healing.decide import Severity
from shp_resources.alerts.channels import Letter, Undelivered
from shp_resources.alerts.teller import GIVEN_UP_AFTER, Teller

_LEDGER = "postgres"
_PAUSE = timedelta(seconds=30)


@dataclass(frozen=True)
class _Kept:
    """The file's content: times in ISO 8601."""

    outage: Outage = field(default_factory=Outage)
    what: str = ""
    letters: tuple[tuple[str, str, str, datetime], ...] = ()


class Emergency:
    """Looks at the services, and tells people when one stays away.

    Args:
        services: by name, why it is not ready.
        teller: channels, routes and the clock; its ledger is not asked.
        path: where what was told is kept.
    """

    def __init__(self, services: Callable[[], Mapping[str, str | None]], teller: Teller, path: Path) -> None:
        self._services, self._teller, self._path = services, teller, path
        self._kept = _load(path)
        self._next_try: datetime | None = None

    def look(self) -> None:
        """Look once: tell what is due, and try again what was not delivered."""
        now = self._teller.clock.now()
        away = {name: why for name, why in self._services().items() if why}
        outage, kind = step(self._kept.outage, bool(away), now, self._teller.routing.remind)
        new = replace(self._kept, outage=outage)
        if kind is not None:
            new = self._written(replace(new, what=", ".join(sorted(away)) or self._kept.what), kind, away, now)
            self._next_try = None
        self._keep(new)
        self._deliver(now)

    def _written(self, kept: _Kept, kind: Kind, away: Mapping[str, str], now: datetime) -> _Kept:
        code = Code.LEDGER_UNREACHABLE if _LEDGER in kept.what else Code.SERVICE_FAILED
        words = "; ".join(f"{name}: {why}" for name, why in sorted(away.items()))
        since, over = self._kept.outage.since or now, now if kind is Kind.CLOSED else None
        concern = Concern(0, kept.what, Severity.CRITICAL, code, words, since, over, "every service answers again." if over else None)
        told = message([Notice(concern, kind)], now)
        places = destinations(concern, self._teller.routing, {}, self._teller.operators)
        reached = [place for place in places if self._teller.channels.reach(place)]
        return replace(kept, letters=(*kept.letters, *((place, told.subject, told.text, now) for place in reached)))

    def _deliver(self, now: datetime) -> None:
        if self._next_try is not None and now < self._next_try:
            return
        left = tuple(letter for letter in self._kept.letters if now - letter[3] < GIVEN_UP_AFTER and not self._sent(*letter))
        self._next_try = now + _PAUSE if left else None
        self._keep(replace(self._kept, letters=left))

    def _sent(self, destination: str, subject: str, text: str, made_at: datetime) -> bool:
        try:
            self._teller.channels.send(destination, Letter(0, subject, text, made_at))
        except Undelivered:
            return False
        return True

    def _keep(self, new: _Kept) -> None:
        if new == self._kept:
            return
        self._kept = new
        draft = self._path.with_name(f"{self._path.name}.draft")
        with suppress(OSError):  # a full disk is what people must be told of; a restart may tell it again then
            draft.write_text(json.dumps(asdict(new), default=datetime.isoformat), encoding="utf-8")
            draft.replace(self._path)


def _load(path: Path) -> _Kept:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return _Kept()
    outage = Outage(**{name: _instant(at) for name, at in found["outage"].items()})
    letters = tuple((place, subject, text, datetime.fromisoformat(at)) for place, subject, text, at in found["letters"])
    return _Kept(outage, found["what"], letters)


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
