"""Fallback sources: in order, by verdict, never silently, and gone when the source is back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.platforms import Platform, book_of, order
from tests.support.remote_feeds import PATH, RemoteFeed
from tests.support.remote_web import RemoteWeb, Trouble, remote_web


@pytest.fixture
def web() -> Iterator[RemoteWeb]:
    """A server that holds nothing yet."""
    with remote_web() as server:
        yield server


def test_a_fallback_stands_in_until_the_source_is_back(platform: Platform, web: RemoteWeb) -> None:
    """A source that is away would stop a feed that has a mirror; or the mirror's rows would stay, and nobody know whose they are."""
    remote = RemoteFeed(platform, web, f", fallbacks: [{{uri: {web.url}/mirror/other-name.xlsx}}]")
    mirror = web.put("/mirror/other-name.xlsx", book_of(order(1, amount=10), order(2, amount=1)))
    assert f"prices comes from the fallback {mirror}" in remote.round()
    assert (remote.rows, remote.state) == ([1, 2], ("published", None))
    assert remote.flags == {"fallback": mirror}
    (arrival,) = [event for event in platform.outside.ledger.history("orders", "prices") if event["what"] == "arrival"]
    assert (arrival["via"], arrival["uri"]) == ("fallback", mirror)
    web.put(PATH, book_of(order(1, amount=12), order(3, amount=1), order(4, amount=1)))
    platform.tick("remotes")
    (run,) = platform.fulfil(platform.tick())
    assert platform.metadata(run, "raw")["uri"] == web.url + PATH
    assert (remote.rows, remote.state) == ([1, 3, 4], ("published", None))
    assert set(remote.flags) == {"reconciled_at"}
    reconciled = platform.metadata(run, "warehouse")["reconciled"]
    assert (reconciled["placeholder_of"], reconciled["rows"]) == (mirror, {"placeholder": 2, "delivered": 3})
    assert reconciled["sums"]["amount"] == {"placeholder": "11.00", "delivered": "14.00"}


def test_people_are_told_once_that_a_source_lets_nobody_in(platform: Platform, web: RemoteWeb) -> None:
    """A password that ran out would be noticed when somebody misses the prices."""
    remote = RemoteFeed(platform, web)
    web.put(PATH, book_of(order(1)))
    remote.round()
    web.needs = "Bearer new"
    for _ in range(3):
        remote.round()
        platform.tick("recovery")
    (told,) = platform.outside.ledger.incidents.open()
    assert (told.cause, told.severity, told.code, told.members) == ("source/orders", "warning", "source_refused", ())
    web.needs = None
    remote.round()
    assert platform.outside.ledger.incidents.open() == []


def test_a_fallback_never_replaces_what_the_source_delivered(platform: Platform, web: RemoteWeb) -> None:
    """An old mirror would take the place of today's prices whenever the source has a hiccup."""
    remote = RemoteFeed(platform, web, f", fallbacks: [{{uri: {web.url}/mirror/prices.xlsx}}]")
    web.put(PATH, book_of(order(7)))
    web.put("/mirror/prices.xlsx", book_of(order(1)))
    remote.round()
    del web.files[PATH]
    remote.round()
    assert (remote.rows, remote.flags) == ([7], {})


def test_the_source_takes_over_though_it_is_what_it_was(platform: Platform, web: RemoteWeb) -> None:
    """A source that comes back with the file it had before would stay behind its fallback for ever."""
    remote = RemoteFeed(platform, web, f", fallbacks: [{{uri: {web.url}/mirror/prices.xlsx}}]")
    good = web.put(PATH, book_of(order(7)))
    web.put("/mirror/prices.xlsx", book_of(order(1)))
    web.troubles = [Trouble(status=403)]
    remote.round()
    assert (remote.rows, remote.state) == ([], ("waiting", "source_refused"))
    told = remote.round()
    assert "comes from the fallback" in told
    assert (remote.rows, remote.flags["fallback"]) == ([1], f"{web.url}/mirror/prices.xlsx")
    remote.round()
    assert remote.rows == [1], "bytes that could not be had a moment ago are not asked for at every look"
    remote.later(minutes=6)
    remote.round()
    assert remote.rows == [7]
    assert "fallback" not in remote.flags
    assert good.endswith(PATH)


def test_fallbacks_are_tried_in_order_and_the_last_good_delivery_last(platform: Platform, web: RemoteWeb) -> None:
    """A feed with three ways to its prices would stop at the first that is broken, or an old delivery go before a fresh mirror."""
    second, third = f"{web.url}/second/prices.xlsx", f"{web.url}/third/prices.xlsx"
    fallbacks = f"[{{uri: {second}}}, {{uri: {third}}}, {{snapshot: {{max_age: 24h}}}}]"
    remote = RemoteFeed(platform, web, f", fallbacks: {fallbacks}")
    web.put(PATH, book_of(order(1)))
    remote.round()
    web.put(PATH, book_of(order(2)))
    web.put("/third/prices.xlsx", book_of(order(3)))
    web.troubles = [Trouble(status=403), Trouble(status=403)]
    remote.round()
    assert remote.state == ("waiting", "source_refused")
    remote.round()  # the second is not there, the third refuses
    assert (remote.rows, remote.state) == ([1], ("waiting", "source_refused"))
    remote.round()
    assert (remote.rows, remote.state, remote.flags) == ([1], ("published", None), {"fallback": "snapshot"})
    vias = [event["via"] for event in platform.outside.ledger.history("orders", "prices") if event["what"] == "arrival"]
    assert vias == ["sensor", "sensor", "fallback", "snapshot"]
    remote.later(minutes=6)
    remote.round()
    assert (remote.rows, remote.state) == ([2], ("published", None))


def test_a_snapshot_that_is_too_old_does_not_stand(platform: Platform, web: RemoteWeb) -> None:
    """Last month's prices would pass for today's."""
    remote = RemoteFeed(platform, web, ", fallbacks: [{snapshot: {max_age: 1h}}]")
    web.put(PATH, book_of(order(1)))
    remote.round()
    web.put(PATH, book_of(order(2)))
    web.troubles = [Trouble(status=403)]
    remote.round()
    remote.later(hours=2)
    remote.round()
    assert remote.state == ("waiting", "source_refused")
    assert remote.rows == [1]
