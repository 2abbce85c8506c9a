"""The platform file `shp.yaml`: what is not about a feed. Only keys that something uses.

Must not live here: addresses and secrets; those are settings of the environment.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from shp_core.codes import Code
from shp_core.errors import UsageError
from shp_core.feeds.alerting import AlertsSection
from shp_core.feeds.base import PolicyName, Strict
from shp_core.feeds.parse import read_mapping, validated
from shp_core.healing.backoff import POLICIES, Patience
from shp_core.limits import GIB, KIB, MIB, Limits
from shp_core.retention import Retention

ProfileName = Literal["dev", "test", "prod"]
_CALLS = "How patiently a call that fails in passing is tried again (see docs/healing.md); a feed's own `calls` goes before it."

_SIZE = re.compile(r"([0-9]{1,9}) ?(KiB|MiB|GiB)\Z")
_UNITS = {"KiB": KIB, "MiB": MIB, "GiB": GIB}
_LARGEST = 1 << 60


def _size(value: Any) -> Any:
    """A number of bytes may be spelled with a unit: `512 MiB`."""
    match = _SIZE.match(value) if isinstance(value, str) else None
    if match is None and isinstance(value, str):
        raise ValueError(f"must be a number of bytes, such as 1048576 or 512 MiB, not {value!r}")
    return int(match[1]) * _UNITS[match[2]] if match else value


def limit_meanings() -> dict[str, str]:
    """What each limit is about, in the words of `Limits` itself."""
    described = inspect.getdoc(Limits) or ""
    return {match[1]: match[2] for match in re.finditer(r"^ {4}(\w+): (.+)\.$", described, re.MULTILINE)}


def _limit(item: dataclasses.Field[Any], meaning: str) -> Any:
    number: Any = float if item.type == "float" else int
    kind = Annotated[number, BeforeValidator(_size)] if item.name.endswith("_bytes") else number
    return (kind | None, Field(None, gt=0, le=_LARGEST, description=f"{meaning[:1].upper()}{meaning[1:]}."))


_MEANINGS = limit_meanings()

LimitsSection: type[Strict] = create_model(
    "LimitsSection",
    __base__=Strict,
    __doc__="Limits of the intake; what is left out keeps its default.",
    **{item.name: _limit(item, _MEANINGS[item.name]) for item in dataclasses.fields(Limits)},
)


class RetentionSection(Strict):
    """How long things are kept; a running platform takes away what is older once a day, `shp retention` at once."""

    raw_days: int = Field(Retention().raw_days, ge=1, description="Bytes of deliveries: days since they last arrived.")
    artefact_days: int = Field(Retention().artefact_days, ge=1, description="Their text rows, clean rows and rejects: days.")
    keep: int = Field(Retention().keep, ge=1, description="So many of a partition's newest deliveries are kept whatever their age.")
    run_days: int = Field(
        Retention().run_days, ge=1, description="Dagster's runs, events and captured output: days; the last of each partition stays."
    )
    alert_days: int = Field(Retention().alert_days, ge=1, description="Messages that were delivered or given up: days.")


class SourcesSection(Strict):
    """How long remote sources may take, in seconds."""

    connect_seconds: float = Field(10.0, gt=0, le=600, description="Until a connection is made.")
    read_seconds: float = Field(30.0, gt=0, le=3600, description="Between two pieces of an answer.")
    look_seconds: float = Field(15.0, gt=0, le=25, description="A look at a source, from which nothing is fetched.")
    fetch_seconds: float = Field(1800.0, gt=0, le=86_400, description="One file; what has come is gone on with at the next try.")


class Profile(Strict):
    """What one profile sets; it goes before what stands at the top level."""

    limits: LimitsSection = Field(default_factory=LimitsSection, description="Limits of the intake.")
    calls: PolicyName | None = Field(None, description=_CALLS)


class PlatformFile(Strict):
    """The platform file."""

    profile: ProfileName = Field("prod", description="Which profile is in force.")
    limits: LimitsSection = Field(default_factory=LimitsSection, description="Limits of the intake.")
    calls: PolicyName = Field("standard", description=_CALLS)
    retention: RetentionSection = Field(default_factory=RetentionSection, description="How long things are kept.")
    sources: SourcesSection = Field(default_factory=SourcesSection, description="How long remote sources may take.")
    alerts: AlertsSection = Field(default_factory=AlertsSection, description="Who is told of incidents (see docs/operations.md).")
    profiles: dict[ProfileName, Profile] = Field(default_factory=dict, description="By name, what a profile sets differently.")

    def intake_limits(self, profile: ProfileName | None = None) -> Limits:
        """The limits of the intake that are in force.

        Args:
            profile: the profile; None: the one the file names.
        """
        chosen = self._profile(profile)
        return Limits(**{**_given(self.limits), **_given(chosen.limits)})

    def patience(self, profile: ProfileName | None = None) -> Patience:
        """How patiently calls are tried again, where a feed says nothing else.

        Args:
            profile: the profile; None: the one the file names.
        """
        return POLICIES[self._profile(profile).calls or self.calls]

    def kept(self) -> Retention:
        """How long things are kept."""
        return Retention(**self.retention.model_dump())

    def _profile(self, profile: ProfileName | None) -> Profile:
        return self.profiles.get(profile or self.profile, Profile())


def load_platform(path: Path) -> PlatformFile:
    """Read the platform file; one that is empty or missing sets nothing.

    Raises:
        UsageError: `settings_invalid`, with every error of the file.
    """
    if not path.exists():
        return PlatformFile()
    found: list[str] = []
    data = read_mapping(path, "limits: {source_bytes: 512 MiB}", found, may_be_empty=True)
    file = validated(data, PlatformFile, found) if data is not None else None
    if found or file is None:
        errors = "\n".join(f"{path.name}: {sentence}" for sentence in found)
        raise UsageError(errors, f"Correct {path.name}; without it the defaults are in force.", Code.SETTINGS_INVALID)
    return file


def _given(section: Strict) -> dict[str, Any]:
    return section.model_dump(exclude_none=True)
