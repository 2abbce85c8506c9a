"""A sheet that changed its shape: held with a proposal, accepted by a person, loaded by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shp_ops.accept import accept, drift_of, proposal
from tests.support.healing import Ward
from tests.support.platforms import HEADER, ORDERS, Platform, order
from tests.support.workbooks import written

LINES = [order(number, contact=None) for number in range(1, 13)]


def reloaded(platform: Platform) -> None:
    """The feed files as they are now are in force, as in a code server that was started again."""
    for name in ("orders", "counts"):
        platform.feed_file(name, (platform.settings.feeds / f"{name}.yaml").read_text(encoding="utf-8"))


def story(ward: Ward, name: str, lines: Any, header: Any, code: str, words: str) -> None:
    """A file is held with these words, accepted, loaded, and its incident is over."""
    platform = ward.platform
    platform.drop(f"{name}.xlsx", lines, header=header)
    ward.look("arrivals")
    assert platform.state(name) == ("quarantined", code)
    assert words in (platform.record(name).message or "")
    assert any(words in str(event.get("message")) for event in platform.outside.ledger.history("orders", name))
    assert ward.look("redrives") == [], "nothing changed yet"
    accept(platform.settings, "orders", name).write()
    reloaded(platform)
    ward.until(lambda: platform.state(name)[0] == "published", seconds=60)
    ward.until(lambda: all(found.closed_at for found in ward.incidents()), seconds=60)
    assert platform.loaded(name) == [line[0] for line in lines]
    assert len(platform.attempts(name)) == 2


def test_a_renamed_and_a_new_column(ward: Ward) -> None:
    """A sender who renames a column would stop a feed until somebody who knows YAML comes to the office."""
    lines = [(*line, f"{number}.5") for number, line in enumerate(LINES)]
    words = "'Country' seems to be called 'Country code' now; 'Weight' is new"
    story(ward, "a", lines, ("Order", "Country code", "Day", "Amount", "Contact", "Weight"), "column_missing", words)
    file = (ward.platform.settings.feeds / "orders.yaml").read_text(encoding="utf-8")
    assert 'Country: {type: text, transform: [upper], in: [AT, DE, FR], aliases: ["Country code"]}' in file
    assert ward.platform.sql("select weight from warehouse.orders order by 1 limit 1")[0] is not None
    ward.platform.drop("b.xlsx", [order(100)])
    ward.look("arrivals")
    assert ward.platform.state("b") == ("published", None), "the old spelling is good, too"


def test_a_column_is_known_by_what_earlier_files_held(ward: Ward) -> None:
    """A sender who calls a column quite otherwise, and adds another, would leave it to a person to find out which is which."""
    platform = ward.platform
    platform.feed_file("orders", ORDERS.replace(", in: [AT, DE, FR]", ""))
    platform.drop("a.xlsx", [order(number, ("AT", "DE", "FR")[number % 3], contact=None) for number in range(1, 13)])
    ward.look("arrivals")
    lines = [(number, f"hue {number}", "2026-03-01", 10.5, None, ("AT", "DE", "FR")[number % 3]) for number in range(13, 25)]
    platform.drop("b.xlsx", lines, header=("Order", "Farbe", "Day", "Amount", "Contact", "Staat"))
    ward.look("arrivals")
    assert "'Country' seems to be called 'Staat' now; 'Farbe' is new" in (platform.record("b").message or "")
    told, _ = proposal(platform.settings, "orders", "b")
    assert any("Staat" in str(line) for line in told), "and so it is proposed"


def test_a_header_that_moved(ward: Ward) -> None:
    """A title that somebody sets above the table would stop a feed."""
    lines = [(), ("Orders of November",), HEADER, *LINES]
    path = written(ward.platform.landing() / "a.xlsx", lines)
    assert path.exists()
    ward.look("arrivals")
    assert ward.platform.state("a") == ("quarantined", "header_missing")
    assert "the header seems to stand in row 3 now" in (ward.platform.record("a").message or "")
    accept(ward.platform.settings, "orders", "a").write()
    reloaded(ward.platform)
    ward.until(lambda: ward.platform.state("a")[0] == "published", seconds=60)
    assert len(ward.platform.loaded("a")) == len(LINES)


def test_a_column_that_holds_something_else(ward: Ward) -> None:
    """Dates that are written otherwise would be told as so many rejects, and not as what they are."""
    lines = [order(number, day=f"{number}.03.2026", contact=None) for number in range(13, 25)]
    story(ward, "a", lines, HEADER, "column_retyped", "Most of the 12 rows have no value of the agreed type in: day (12)")
    assert "%d.%m.%Y" in (ward.platform.settings.feeds / "orders.yaml").read_text(encoding="utf-8")


def test_the_file_stays_as_it_was_until_somebody_agrees(ward: Ward) -> None:
    """Looking at a proposal would change the contract."""
    platform = ward.platform
    platform.drop("a.xlsx", [line[:4] for line in LINES], header=(*HEADER[:3], "Sum"))
    ward.look("arrivals")
    told, acceptable = proposal(platform.settings, "orders", "a")
    assert acceptable
    assert [(one["change"], one["column"], one["found"]) for one in told] == [("renamed", "Amount", "Sum")]
    made = accept(platform.settings, "orders", "a")
    assert '+  Amount:  {type: money, scale: 2, currency: EUR, min: 0, aliases: ["Sum"]}' in made.diff
    assert (platform.settings.feeds / "orders.yaml").read_text(encoding="utf-8") == ORDERS


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(ward: Ward) -> None:
    """A colleague's edit would be lost."""
    platform = ward.platform
    platform.drop("a.xlsx", [line[:4] for line in LINES], header=(*HEADER[:3], "Sum"))
    ward.look("arrivals")
    made = accept(platform.settings, "orders", "a")
    path = Path(made.path)
    path.write_text(f"# mine\n{ORDERS}", encoding="utf-8")
    with pytest.raises(Exception, match="was changed meanwhile"):
        made.write()
    assert path.read_text(encoding="utf-8").startswith("# mine")
    assert [found.name for found in path.parent.iterdir() if "draft" in found.name] == []


def test_where_there_is_nothing_to_accept(ward: Ward) -> None:
    """A partition that is held for another reason would have its feed file changed."""
    platform = ward.platform
    platform.drop("a.xlsx", [order(1)])
    ward.look("arrivals")
    assert drift_of(platform.settings, "orders", "a").findings == ()
    with pytest.raises(Exception, match="nothing to accept"):
        accept(platform.settings, "orders", "a")
    with pytest.raises(Exception, match="Nothing is known"):
        accept(platform.settings, "orders", "b")
