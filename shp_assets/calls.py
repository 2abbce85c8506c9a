"""Calls of outside systems: the breaker before, tries within, what the breaker learns after.

    call ──▶ breaker ──▶ try, and again where the failure is a passing one ──▶ result or fault; the breaker hears of it

Lives here: the one way in which a run reaches a warehouse or writes to the store.
Must not live here: what a failure means, when a breaker opens, how long to wait (`shp_core.healing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_after_delay

from shp_core.codes import Code
from shp_core.errors import Fault, Refusal, ShpError
from shp_core.healing.backoff import Patience
from shp_core.healing.breaker import Admission, Breaker, Phase, admission, asked_for, failed, probing, succeeded
from shp_core.healing.cause import breaker_name, breaker_names
from shp_core.healing.decide import Effect, treatment_of
from shp_core.healing.faults import Evidence
from shp_resources.ledger import Kept
from shp_resources.outside import Outside

T = TypeVar("T")

_LOOK_SECONDS, _LOOKS = 0.2, 150


class Asked(Enum):
    """Who waits for a call, and what that means to an open breaker."""

    NOBODY = "nobody"
    """It is kept back."""
    COMMAND = "command"
    """The same; but it waits for the outcome of a probe that is under way, half a minute at most."""
    PERSON = "person"
    """As a command; and the next probe is due at once."""


def call(
    outside: Outside,
    system: str,
    feed: str,
    do: Callable[[], T],
    key: str = "",
    asked: Asked = Asked.NOBODY,
    patience: Patience | None = None,
) -> T:
    """Call an outside system, if its breaker lets us.

    Args:
        outside: the outside systems.
        system: which one.
        feed: for which feed.
        do: the call; it is made again after a passing failure, so it must be all or nothing.
        key: tells this call from others of the feed; only for rehearsed faults.
        asked: who waits for it.
        patience: how often and how long it is tried; None: what the installation says.

    Raises:
        Fault: `breaker_open`, and the system was not called; or what the last try raised.
        Refusal: what the call raised.
    """
    switch = Switch(outside, system, feed, asked)
    switch.admit()
    with switch.told():
        return patiently(patience or outside.patience, outside.sleep, outside.chance, partial(outside.faults.around, system, feed, key, do))


@contextmanager
def watched(outside: Outside, system: str, feed: str) -> Iterator[None]:
    """Let the breaker hear of what goes wrong, without asking it before: for work whose beginning was let through."""
    with Switch(outside, system, feed).told():
        yield


def patiently(patience: Patience, sleep: Callable[[float], None], chance: Callable[[], float], do: Callable[[], T]) -> T:
    """Try a call again while its failures are passing ones, bounded by tries and by time.

    Args:
        patience: how often and how long.
        sleep: waits so many seconds.
        chance: draws a number from 0 up to 1.
        do: the call.
    """

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(patience.backoff.pause(state.attempt_number, chance()), _asked_to_wait(error))

    tries = Retrying(
        retry=retry_if_exception(lambda error: _passes(error, patience)),
        stop=stop_after_attempt(patience.tries) | stop_after_delay(patience.seconds),
        wait=pause,
        sleep=sleep,
        reraise=True,
    )
    return tries(do)


def _passes(error: BaseException, patience: Patience) -> bool:
    """Whether a failure passes within a call: one that asks for a longer pause is a re-drive's business."""
    return isinstance(error, Fault) and error.code is Code.TRANSIENT and _asked_to_wait(error) <= patience.seconds


def _asked_to_wait(error: BaseException | None) -> float:
    return (error.evidence.retry_after or 0.0) if isinstance(error, Fault) else 0.0


@dataclass
class Switch:
    """The breakers before one call: that of the system, and that of the feed's place in it.

    Args:
        outside: the outside systems; its ledger keeps the breakers.
        system: which one is called.
        feed: for which feed.
        asked: who waits for the call.
    """

    outside: Outside
    system: str
    feed: str
    asked: Asked = Asked.NOBODY
    _met: list[Kept] = field(default_factory=list)

    def admit(self) -> None:
        """Ask whether the call may be made; of a breaker whose probe is due, the call becomes the probe.

        Raises:
            Fault: `breaker_open`.
        """
        self._look()
        for kept in self._met:
            if self._admission(kept.breaker) is Admission.REFUSE:
                raise _kept_back(self.system, kept.breaker)
        for kept in self._met:
            if self._admission(kept.breaker) is Admission.PROBE:
                self._begin_probe(kept)

    def _look(self) -> None:
        """Read the breakers; who waits for the call sees how a probe under way ends."""
        for _ in range(_LOOKS):
            self._met = self.outside.ledger.breakers.read(breaker_names(self.system, self.feed))
            under_way = any(kept.breaker.phase is Phase.HALF_OPEN for kept in self._met)
            if self.asked is Asked.NOBODY or not under_way:
                return
            self.outside.sleep(_LOOK_SECONDS)

    def _admission(self, breaker: Breaker) -> Admission:
        now = self.outside.clock.now()
        return admission(asked_for(breaker, now) if self.asked is Asked.PERSON else breaker, now)

    def _begin_probe(self, kept: Kept) -> None:
        if not self.outside.ledger.breakers.replace(kept, probing(kept.breaker, self.outside.clock.now())):
            raise _kept_back(self.system, kept.breaker)  # another process was quicker: one probe at a time

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell the breakers how the body ended."""
        try:
            yield
        except Refusal:
            self._worked()
            raise
        except Fault as fault:
            with suppress(ShpError):  # the ledger is away: the fault itself must be seen
                self._failed(fault)
            raise
        self._worked()

    def _worked(self) -> None:
        for kept in self._met:
            if kept.breaker != Breaker(kept.breaker.name, closed_at=kept.breaker.closed_at):
                self._change(kept.breaker.name, lambda breaker: succeeded(breaker, self.outside.clock.now()))

    def _failed(self, fault: Fault) -> None:
        """The system answered, if what went wrong is not the system's."""
        effect = treatment_of(fault.code).breaker
        name = breaker_name(self.system, self.feed, fault.evidence)
        if effect is Effect.NONE or fault.evidence.system != self.system or name is None:
            self._worked()
            return
        now, draw, at_once = self.outside.clock.now(), self.outside.chance(), effect is Effect.OPENS
        told = {"code": str(fault.code), "message": fault.message}
        self._change(name, lambda breaker: failed(breaker, now, draw, at_once=at_once, **told))

    def _change(self, name: str, transition: Callable[[Breaker], Breaker]) -> None:
        self.outside.ledger.breakers.change(name, transition)


def _kept_back(system: str, breaker: Breaker) -> Fault:
    """The verdict of an open breaker; its name is the evidence, which makes it the cause."""
    why = f"{breaker.code}: {breaker.message}" if breaker.code else "it does not work"
    return Fault(Code.BREAKER_OPEN, f"{breaker.name} is not asked until a probe gets through ({why}).", Evidence(system, text=breaker.name))
