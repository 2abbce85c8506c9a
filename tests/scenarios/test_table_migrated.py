"""A feed's column gets another type: what needs it is held, `shp feeds migrate --apply` changes the table, all comes back by itself."""

from __future__ import annotations

from shp_ops.migrate import migrate
from tests.support.healing import Ward
from tests.support.platforms import FEED, ORDERS, order
from tests.test_sensors_gaps import asked, fill


def test_a_table_that_is_migrated_lets_go_of_what_it_held_and_is_filled_again(ward: Ward) -> None:
    """Whoever edits a type would have to find what is held, release it, and load every other file anew by hand."""
    platform = ward.platform
    ward.drop("a", "b")
    ward.look("arrivals")
    platform.feed_file(FEED, ORDERS.replace("type: money, scale: 2, currency: EUR, min: 0", "type: text"))
    platform.drop("a.xlsx", [order(1, amount="ten"), order(2, amount="12.5")])
    ward.look("arrivals", "redrives", "redrives")
    held, code = platform.state("a")
    assert (held, code) == ("exhausted", "table_mismatch")
    assert len(platform.attempts("a")) == 2, "deterministic: nothing is tried again"
    shown = migrate(platform.settings, FEED)
    assert (shown["applied"], shown["released"], platform.state("a")) == (False, [], (held, code))
    done = migrate(platform.settings, FEED, apply=True)
    assert (done["sql"], done["applied"], done["released"]) == (shown["sql"], True, ["a"])
    ward.later(60)
    ward.look("redrives")
    assert platform.state("a") == ("published", None)
    again = ward.tick("gaps")
    assert asked(again, platform) == ["b"], "what was published before is published anew"
    assert [result.success for result in fill(ward, again)] == [True]
    assert ward.states() == {"a": "published", "b": "published"}
    assert platform.sql("select amount, _partition from warehouse.orders order by 2, 1") == [("12.5", "a"), ("ten", "a"), ("10.5", "b")]
    ward.until(lambda: all(found.closed_at for found in ward.incidents()), seconds=60)
