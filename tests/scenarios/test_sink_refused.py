"""A warehouse that takes the right to write away, and gives it back."""

from __future__ import annotations

from shp_core.healing.breaker import Phase
from tests.support.healing import Ward, calls_counted, role_of
from tests.support.postgres import rows


def test_permission_denied_and_granted(ward: Ward) -> None:
    """A right that somebody revoked by mistake would cost every file of the night, or be knocked at all night."""
    dsn = ward.platform.dsn
    role = f"loader_{dsn.rpartition('_')[2]}"
    loader = role_of(dsn, role)
    rows(dsn, f'grant create, temporary on database "{dsn.rpartition("/")[2]}" to {role}')
    ward.platform.turn_to(loader)
    try:
        _story(ward, dsn, role)
    finally:
        ward.platform.turn_to(None)
        rows(dsn, f"reassign owned by {role} to current_user")
        rows(dsn, f"drop owned by {role}")
        rows(dsn, f"drop role {role}")


def _story(ward: Ward, dsn: str, role: str) -> None:
    ward.drop("before")
    ward.look("arrivals")
    assert ward.states() == {"before": "published"}
    rows(dsn, "alter table warehouse.orders owner to current_user")
    rows(dsn, f"revoke all on warehouse.orders from {role}")

    ward.drop("a", "b")
    ward.look("arrivals")
    assert {ward.platform.state(name) for name in ("a", "b")} == {("parked", "sink_refused"), ("parked", "breaker_open")}
    assert (ward.phase("warehouse/orders"), ward.phase("warehouse")) == (Phase.OPEN, Phase.CLOSED)
    (incident,) = ward.incidents()
    assert (incident.cause, incident.severity, len(incident.members)) == ("warehouse/orders", "critical", 2)
    with calls_counted() as calls:
        for _ in range(240):  # twenty minutes
            ward.later(5)
            assert ward.look("recovery", "redrives") == [], "no run is spent on what still refuses"
    assert 3 <= len(calls) <= 10, "one small call after each pause, and the pauses grow"

    rows(dsn, f"grant all on warehouse.orders to {role}")
    ward.until(lambda: set(ward.states().values()) == {"published"}, seconds=600)
    assert sorted(partition for (partition,) in rows(dsn, "select _partition from warehouse.orders")) == ["a", "b", "before"]
    ward.look("recovery")
    assert [found.closed_at is not None for found in ward.incidents()] == [True]
