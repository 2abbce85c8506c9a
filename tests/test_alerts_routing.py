"""Who is told: the owners of the feeds concerned, and whom `shp.yaml` names, from a severity on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shp_core.alerts.concern import Concern
from shp_core.alerts.routing import Routing, destinations
from shp_core.errors import UsageError
from shp_core.feeds.platform import load_platform
from shp_core.healing.decide import Severity
from tests.test_alerts_plan import concern

OWNERS = {"sales": "Sales-Ops@example.com", "stock": "team:stock", "tills": "team:tills"}
OPERATORS = "night@example.com"


def about(*feeds: str, severity: Severity = Severity.WARNING) -> Concern:
    """An incident that holds a partition of each of these feeds."""
    return replace(concern(1), severity=severity, members=tuple((feed, "n1") for feed in feeds))


def told(text: str, one: Concern, tmp_path: Path, operators: str | None = OPERATORS) -> list[str]:
    """Who is told under a platform file with this text."""
    (tmp_path / "shp.yaml").write_text(text, encoding="utf-8")
    return destinations(one, load_platform(tmp_path / "shp.yaml").alerts.routing(), OWNERS, operators)


def test_by_default_operators_and_the_owner_are_told_and_the_log(tmp_path: Path) -> None:
    """An installation that sets nothing would tell nobody."""
    assert told("", about("sales"), tmp_path) == ["mail:night@example.com", "log", "mail:sales-ops@example.com"]
    assert load_platform(tmp_path / "none.yaml").alerts.routing() == Routing()


def test_information_goes_to_the_log_alone(tmp_path: Path) -> None:
    """People would be called for what needs nobody."""
    assert told("", about("sales", severity=Severity.INFO), tmp_path) == ["log"]


def test_who_is_owner_and_operator_is_told_once(tmp_path: Path) -> None:
    """The same person would get everything twice."""
    assert told("", about("sales"), tmp_path, "sales-ops@EXAMPLE.com") == ["mail:sales-ops@example.com", "log"]


def test_a_team_is_who_the_file_says(tmp_path: Path) -> None:
    """An owner `team:stock` has no address of its own."""
    text = "alerts: {teams: {stock: [a@example.com, webhook:stock]}, webhooks: {stock: slack}, routes: []}"
    assert told(text, about("stock"), tmp_path) == ["mail:a@example.com", "webhook:stock"]


def test_a_team_that_nobody_named_is_answered_for_by_the_operators(tmp_path: Path) -> None:
    """An incident of such a feed would be told to nobody."""
    assert told("alerts: {routes: []}", about("tills"), tmp_path) == ["mail:night@example.com"]


def test_every_owner_concerned_is_told(tmp_path: Path) -> None:
    """The warehouse is away for all feeds; only the first one's owner would know why."""
    found = told("alerts: {routes: []}", about("sales", "tills"), tmp_path)
    assert set(found) == {"mail:sales-ops@example.com", "mail:night@example.com"}


def test_owners_may_be_left_alone(tmp_path: Path) -> None:
    """Owners who only want to hear of the worst would read everything."""
    assert told("alerts: {owners: never, routes: []}", about("sales"), tmp_path) == []
    assert told("alerts: {owners: critical, routes: []}", about("sales"), tmp_path) == []
    worst = about("sales", severity=Severity.CRITICAL)
    assert told("alerts: {owners: critical, routes: []}", worst, tmp_path) == ["mail:sales-ops@example.com"]


def test_a_route_is_for_a_severity_and_for_feeds(tmp_path: Path) -> None:
    """The night shift would be called for every late file of every feed."""
    text = "alerts: {owners: never, routes: [{to: [b@example.com], severity: critical, feeds: [stock]}]}"
    assert told(text, about("stock", severity=Severity.CRITICAL), tmp_path) == ["mail:b@example.com"]
    assert told(text, about("stock"), tmp_path) == []
    assert told(text, about("sales", severity=Severity.CRITICAL), tmp_path) == []


def test_without_an_address_of_the_operators_nothing_goes_nowhere(tmp_path: Path) -> None:
    """Letters to nobody would fill the outbox."""
    assert told("", about("tills"), tmp_path, None) == ["log"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alerts: {routes: [{to: [webhook:ops]}]}", "'webhook:ops' is neither"),
        ("alerts: {teams: {stock: [slack]}}", "'slack' is neither"),
        ("alerts: {webhooks: {Ops-1: slack}}", "small letters"),
        ("alerts: {webhooks: {ops: irc}}", "alerts.webhooks.ops"),
        ("alerts: {remind_hours: 0}", "alerts.remind_hours"),
        ("alerts: {routes: [{to: []}]}", "alerts.routes"),
    ],
)
def test_a_slip_in_the_file_is_told(text: str, words: str, tmp_path: Path) -> None:
    """An alert that goes nowhere is noticed when it would have been needed."""
    with pytest.raises(UsageError) as caught:
        told(text, about("sales"), tmp_path)
    assert words in caught.value.message
