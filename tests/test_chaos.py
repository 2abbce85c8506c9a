"""Every process of a platform killed in turn while fifty files are loaded, and the supervisor at last."""

from __future__ import annotations

import pytest

from shp_resources.processes import wait_until
from tests.support.chaos import VISITS, dsn, kill, kill_supervisor, load, publications, visits
from tests.support.homes import Home
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.platform, pytest.mark.slow]
CHILDREN = ("runs", "daemon", "code", "web", "watchdog", "postgres")
FILES = 50


def test_fifty_files_are_published_once_whatever_is_killed(home: Home) -> None:
    """A night with an unstable machine would lose files, load some twice, or leave a platform that nobody restarts."""
    (home.base / "feeds" / "visits.yaml").write_text(VISITS, encoding="utf-8")
    done = home.shp("up", "--detach")
    assert done.returncode == 0, done.stderr
    try:
        expected = load(home, 0, FILES)
        assert wait_until(lambda: len(visits(home)) > 0, PATIENCE, 0.1)
        took = {name: kill(home, name) for name in CHILDREN}
        took["supervisor"] = (0.0, kill_supervisor(home))
        told = {name: f"seen {seen:.1f} s, ready {ready:.1f} s" for name, (seen, ready) in took.items()}
        assert max(ready for _, ready in took.values()) < 60, told
        assert wait_until(lambda: visits(home) == expected, 180, 0.5), (told, len(visits(home)))
        states = rows(dsn(home), "select state, count(*) from shp.partitions where feed = 'visits' group by 1")
        assert states == [("published", FILES)], told
        assert set(publications(home).values()) == {1}
    finally:
        home.shp("down")
    assert home.processes() == []
    print(told)  # noqa: T201 - the numbers, for whoever runs it with -s
