"""How long to wait before something is tried again: strategies with a cap and full jitter, as pure functions.

Must not live here: waiting itself, random numbers (they come in as a draw), which failures are tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    """How pauses grow from one try to the next."""

    IMMEDIATE = "immediate"
    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True)
class Backoff:
    """Pauses between tries.

    Args:
        strategy: how they grow.
        first: the longest first pause, seconds.
        cap: the longest of all, seconds.
        factor: by how much an exponential pause grows each time.
    """

    strategy: Strategy
    first: float = 0.0
    cap: float = 0.0
    factor: float = 2.0

    def longest(self, tries: int) -> float:
        """The longest pause after so many tries that failed, seconds.

        Args:
            tries: at least 1.
        """
        match self.strategy:
            case Strategy.IMMEDIATE:
                return 0.0
            case Strategy.FIXED:
                wanted = self.first
            case Strategy.LINEAR:
                wanted = self.first * tries
            case Strategy.EXPONENTIAL:
                wanted = self.first * self.factor ** min(tries - 1, 64)
        return min(wanted, self.cap)

    def pause(self, tries: int, draw: float) -> float:
        """The pause after so many tries, anywhere between nothing and the longest (full jitter), seconds.

        Args:
            tries: how many failed, at least 1.
            draw: a random number from 0 up to 1.
        """
        return draw * self.longest(tries)


@dataclass(frozen=True)
class Patience:
    """How often one call is tried before it has failed: bounded by tries and by time.

    Args:
        tries: calls in all.
        seconds: no further try begins after so long.
        backoff: pauses between them.
    """

    tries: int
    seconds: float
    backoff: Backoff


POLICIES: dict[str, Patience] = {
    "standard": Patience(4, 30.0, Backoff(Strategy.EXPONENTIAL, first=0.5, cap=8.0)),
    "patient": Patience(8, 300.0, Backoff(Strategy.EXPONENTIAL, first=1.0, cap=60.0)),
    "none": Patience(1, 0.0, Backoff(Strategy.IMMEDIATE)),
}
"""Named policies of tries within a call."""
