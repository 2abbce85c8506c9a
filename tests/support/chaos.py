"""A load of files on a whole platform while its processes are killed, and how soon it is back.

Must not live here: expectations.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request

from shp_ops.supervisor.layout import Layout
from shp_ops.supervisor.state import PlatformState
from shp_resources.processes import wait_until
from tests.support.homes import Home
from tests.support.postgres import rows
from tests.support.waiting import PATIENCE
from tests.support.workbooks import written

FEED = "visits"
VISITS = f"feed: {FEED}\nowner: team:a\ncolumns: {{Visit: {{type: integer}}}}\nkey: [Visit]\n"
_EACH = 3


def unready(url: str) -> dict[str, str]:
    """What the watchdog says is not ready, by service; itself where it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE) as answer:
            document = json.load(answer)
    except urllib.error.HTTPError as error:
        assert error.code == 503
        document = json.load(error)
    except OSError as error:
        return {"watchdog": str(error)}
    return {name: why for name, why in document["services"].items() if why}


def load(home: Home, first: int, count: int) -> list[int]:
    """Drop so many workbooks of the feed at once; the numbers that stand in them."""
    for book in range(first, first + count):
        draft = home.base / f"book{book:03}.xlsx"
        written(draft, [("Visit",), *((number,) for number in range(book * _EACH, (book + 1) * _EACH))])
        draft.replace(home.path / "landing" / FEED / draft.name)
    return list(range(first * _EACH, (first + count) * _EACH))


def dsn(home: Home) -> str:
    """Address of its embedded server."""
    return (home.path / "postgres" / "dsn").read_text()


def kill(home: Home, name: str, seconds: float = 60.0) -> tuple[float, float]:
    """Kill a service's process.

    Returns:
        Seconds until the watchdog, or its silence, told of it, and until everything was ready again.
    """
    state = _state(home)
    service, url = state.services[name], f"http://127.0.0.1:{state.services['watchdog'].port}"
    assert service.pid is not None, f"{name} does not run"
    os.kill(service.pid, signal.SIGKILL)
    began = time.monotonic()
    assert wait_until(lambda: name in unready(url), 15.0, 0.05), f"nobody saw that {name} was killed"
    seen = time.monotonic() - began
    assert wait_until(lambda: _is_another(home, name, service.pid) and unready(url) == {}, seconds, 0.1), unready(url)
    return seen, time.monotonic() - began


def kill_supervisor(home: Home) -> float:
    """Kill the supervisor, see that nothing of it is left, start it again; seconds until everything is ready."""
    began = time.monotonic()
    os.kill(int(_state(home).supervisor.partition("@")[0]), signal.SIGKILL)
    assert wait_until(lambda: home.processes() == [], PATIENCE, 0.1), home.processes()
    done = home.shp("up", "--detach")
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def visits(home: Home) -> list[int]:
    """What is loaded of the feed."""
    if rows(dsn(home), f"select to_regclass('warehouse.{FEED}') is null") == [(True,)]:
        return []
    return [visit for (visit,) in rows(dsn(home), f"select visit from warehouse.{FEED} order by 1")]


def publications(home: Home) -> dict[str, int]:
    """How often each partition was published in the warehouse."""
    query = f"select partition, count(*) from shp.publications where feed = '{FEED}' and sink = 'warehouse' group by partition"
    return dict(rows(dsn(home), query))


def _state(home: Home) -> PlatformState:
    state = PlatformState.load(Layout(home.path).state)
    assert state is not None
    return state


def _is_another(home: Home, name: str, pid: int) -> bool:
    return _state(home).services[name].pid not in (None, pid)
