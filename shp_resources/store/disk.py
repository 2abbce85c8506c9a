"""The store's two ways to fail: the operating system refuses, or what lies there is not what was put there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence


@contextmanager
def disk() -> Iterator[None]:
    """Tell the operating system's errors as faults of the store; also a decorator.

    Raises:
        Fault: as `classify` names it, such as `store_refused` for a full disk.
    """
    try:
        yield
    except OSError as error:
        text = f"{type(error).__name__}: {error.strerror}"
        evidence = Evidence(system="store", errno=error.errno, text=text)
        raise Fault(classify(evidence), f"The artefact store failed: {text}.", evidence) from error


def damaged(message: str) -> Fault:
    """The fault of an artefact that is missing or other than it was made.

    Args:
        message: which, and how; goes on after "In the store, ".
    """
    return Fault(Code.ARTEFACT_DAMAGED, f"In the store, {message}.", Evidence(system="store", text=message))
