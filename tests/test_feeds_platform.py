"""The platform file shp.yaml: limits and profiles."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import pytest

from shp_core.errors import UsageError
from shp_core.feeds.base import PolicyName
from shp_core.feeds.platform import LimitsSection, PlatformFile, limit_meanings, load_platform
from shp_core.healing.backoff import POLICIES
from shp_core.limits import GIB, MIB, Limits
from tests.support.generated import ROOT


def platform(tmp_path: Path, text: str) -> PlatformFile:
    """The platform file with this text."""
    (tmp_path / "shp.yaml").write_text(text, encoding="utf-8")
    return load_platform(tmp_path / "shp.yaml")


def problems(tmp_path: Path, text: str) -> list[str]:
    """The errors of a platform file with this text."""
    with pytest.raises(UsageError) as caught:
        platform(tmp_path, text)
    assert caught.value.code == "settings_invalid"
    return caught.value.message.split("\n")


@pytest.mark.parametrize("text", ["", "# nothing\n", "limits: {}\n", "profiles: {}\n", "profiles: {prod: {}}\n"])
def test_nothing_set_means_the_defaults(text: str, tmp_path: Path) -> None:
    """A new installation needs no platform file."""
    assert platform(tmp_path, text).intake_limits() == Limits()


def test_a_missing_file_means_the_defaults(tmp_path: Path) -> None:
    """The same holds when the file is not there at all."""
    assert load_platform(tmp_path / "shp.yaml") == PlatformFile()


def test_the_committed_file_sets_nothing_and_its_examples_work(tmp_path: Path) -> None:
    """What is commented out in shp.yaml can be commented in."""
    text = (ROOT / "shp.yaml").read_text(encoding="utf-8")
    assert load_platform(ROOT / "shp.yaml") == PlatformFile()
    spelled = [line[2:] for line in text.splitlines() if line.startswith(("# limits", "# profile", "# alerts", "#  "))]
    file = platform(tmp_path, "\n".join(spelled))
    assert file.intake_limits() == Limits()
    assert file.intake_limits("dev").source_bytes == 64 * MIB
    assert (file.alerts.owners, file.alerts.webhooks) == ("critical", {"ops": "slack"})


def test_limits_are_set_one_by_one() -> None:
    """Every limit of the intake can be set, under its own name, and only those."""
    for item in dataclasses.fields(Limits):
        file = PlatformFile.model_validate({"limits": {item.name: 7}})
        assert file.intake_limits() == dataclasses.replace(Limits(), **{item.name: 7})
    assert set(LimitsSection.model_fields) == {item.name for item in dataclasses.fields(Limits)} == set(limit_meanings())
    assert all(len(meaning) > 10 for meaning in limit_meanings().values())


def test_a_profile_goes_before_the_top_level(tmp_path: Path) -> None:
    """One file serves development, tests and production."""
    file = platform(
        tmp_path, "profile: dev\nlimits: {rows: 5, sheets: 6}\nprofiles: {dev: {limits: {rows: 9}}, test: {limits: {rows: 1}}}\n"
    )
    assert (file.intake_limits().rows, file.intake_limits().sheets) == (9, 6)
    assert (file.intake_limits("test").rows, file.intake_limits("prod").rows) == (1, 5)


@pytest.mark.parametrize(("spelled", "value"), [("1048576", MIB), ("512 MiB", 512 * MIB), ("2GiB", 2 * GIB), ("'64 KiB'", 64 << 10)])
def test_bytes_may_have_a_unit(spelled: str, value: int, tmp_path: Path) -> None:
    """Nobody has to count the digits of a gibibyte."""
    assert platform(tmp_path, f"limits: {{source_bytes: {spelled}}}").intake_limits().source_bytes == value


def test_all_errors_at_once_in_the_style_of_feeds(tmp_path: Path) -> None:
    """A wrong setting is told with its place and its remedy, and so are all the others."""
    text = """
profle: dev
limits: {row: 1, source_bytes: 5 GB, sheets: 0, entries: many, rows: 5 MiB}
profiles: {stage: {}, dev: {limits: [a]}}
colour: {}
"""
    assert problems(tmp_path, text) == [
        "shp.yaml: limits.source_bytes: must be a number of bytes, such as 1048576 or 512 MiB, not '5 GB'.",
        "shp.yaml: limits.entries: must be a whole number, not 'many'.",
        "shp.yaml: limits.sheets: must be greater than 0, not 0.",
        "shp.yaml: limits.rows: must be a whole number, not '5 MiB'.",
        "shp.yaml: limits.row: is not a known key here; did you mean `rows`?",
        "shp.yaml: profiles.stage: must be 'dev', 'test' or 'prod', not 'stage'.",
        "shp.yaml: profiles.dev.limits: must be a mapping of keys to values, not ['a'].",
        "shp.yaml: profle: is not a known key here; did you mean `profile`?",
        "shp.yaml: colour: is not a known key here; remove it, or write one of profile, limits, calls, retention, sources, alerts, "
        "profiles.",
    ]


@pytest.mark.parametrize("text", ["- a\n", "just text\n", "limits: [\n", "limits: {rows: 1}\nlimits: {rows: 2}\n"])
def test_a_file_that_is_no_mapping(text: str, tmp_path: Path) -> None:
    """A broken platform file is told; it is never taken for an empty one."""
    assert problems(tmp_path, text)[0].startswith("shp.yaml: ")


def test_policies_are_chosen_by_the_file_the_profile_and_the_feed(tmp_path: Path) -> None:
    """A test run would wait for minutes, or a shaky network be given up at once, with no way to say otherwise."""
    assert set(get_args(PolicyName)) == set(POLICIES)
    assert platform(tmp_path, "").patience() == POLICIES["standard"]
    file = platform(tmp_path, "calls: patient\nprofile: test\nprofiles: {test: {calls: none}}\n")
    assert file.patience() == POLICIES["none"]
    assert file.patience("prod") == POLICIES["patient"]
    assert "profiles.dev.calls" in problems(tmp_path, "profiles: {dev: {calls: often}}\n")[0]
