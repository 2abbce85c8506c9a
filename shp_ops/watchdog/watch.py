"""Asks each service how it is, each in a thread of its own, so that one that hangs hides no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

LOOK_SECONDS, SILENT_SECONDS = 2.0, 9.0


@dataclass(frozen=True)
class Seen:
    """What was seen of a service.

    Args:
        why: why it is not ready, None when it is.
        at: when, monotonic seconds.
        since: since when it is ready, or not ready, without a break.
    """

    why: str | None
    at: float
    since: float


class Watch:
    """The services of a platform, watched from `start` on.

    Args:
        probes: by name; each answers None, or why the service is not ready, and may take its time.
        pause: seconds between two looks at a service.
        silent: so many seconds without an answer a service is not ready.
    """

    def __init__(self, probes: Mapping[str, Callable[[], str | None]], pause: float = LOOK_SECONDS, silent: float = SILENT_SECONDS) -> None:
        self._probes, self._pause, self._silent = probes, pause, silent
        self._seen: dict[str, Seen] = {}
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._look, args=(name,), name=f"watch-{name}", daemon=True) for name in probes]

    @property
    def names(self) -> list[str]:
        """The services that are watched."""
        return list(self._probes)

    def start(self) -> None:
        """Begin to watch."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Watch no more; a probe that is under way ends by itself."""
        self._ending.set()

    @property
    def alive(self) -> bool:
        """Whether every service is still looked at."""
        return all(thread.is_alive() for thread in self._threads)

    def why_not_ready(self) -> dict[str, str | None]:
        """By service, None when it is ready, else the reason."""
        now = time.monotonic()
        return {name: self._why(self._seen.get(name), now) for name in self._probes}

    def away(self, names: Iterable[str]) -> dict[str, tuple[str, float]]:
        """By service that is not ready, why, and for how many seconds it is not.

        Args:
            names: the services that are meant.
        """
        now, known = time.monotonic(), self.why_not_ready()
        seen = {name: self._seen[name] for name in names if name in self._seen}
        return {name: (why, now - (one.since if one.why else one.at)) for name, one in seen.items() if (why := known[name])}

    def _why(self, seen: Seen | None, now: float) -> str | None:
        if seen is None:
            return "was not looked at yet"
        late = now - seen.at
        return seen.why if late <= self._silent or seen.why else f"has not answered for {late:.0f} s"

    def _look(self, name: str) -> None:
        while True:
            self._note(name, self._probes[name](), time.monotonic())
            if self._ending.wait(self._pause):
                return

    def _note(self, name: str, why: str | None, now: float) -> None:
        before = self._seen.get(name)
        since = before.since if before is not None and (before.why is None) == (why is None) else now
        self._seen[name] = Seen(why, now, since)
