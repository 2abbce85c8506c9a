"""The shipped proxy configuration in a real nginx, the shipped units before the real systemd-analyze."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.holders import REPOSITORY
from tests.support.proxies import PASSWORDS, Door, behind, nginx
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.deploy
OPERATOR, VIEWER = PASSWORDS["operators"], PASSWORDS["viewers"]
Doors = tuple[Door, Door, int, int]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """The operators' door and the viewers', and the ports behind them."""
    with behind() as ui, behind() as viewers, nginx(tmp_path_factory.mktemp("nginx"), ui, viewers) as (first, second):
        yield first, second, ui, viewers


def test_nobody_comes_in_without_a_password_of_their_own_door(doors: Doors) -> None:
    """Anybody on the network could start runs; or who may only look could."""
    operators, viewers, ui, looking = doors
    for door in (operators, viewers):
        assert [door.ask(who).status for who in (None, ("olga", "wrong"), ("nobody", "one"))] == [401, 401, 401]
        assert "Basic" in door.ask().headers["WWW-Authenticate"]
    assert operators.ask(VIEWER).status == 401
    assert viewers.ask(OPERATOR).status == 401
    assert operators.ask(OPERATOR).told["port"] == ui
    assert viewers.ask(VIEWER).told["port"] == looking


def test_the_password_stays_at_the_door_and_the_page_works(doors: Doors) -> None:
    """Passwords would lie in logs of the platform; or the UI would not follow what happens."""
    operators, *_ = doors
    told = operators.ask(OPERATOR, "POST").told
    assert told["path"] == "/graphql?q=1"
    assert "authorization" not in {name.lower() for name in told["headers"]}
    assert told["headers"]["Host"] == f"127.0.0.1:{operators.port}"
    assert operators.ask(OPERATOR, Upgrade="websocket", Connection="Upgrade").status == 101
    assert operators.ask(OPERATOR).headers["X-Frame-Options"] == "DENY"


def test_a_page_from_elsewhere_cannot_use_a_login(doors: Doors) -> None:
    """Any page that an operator opens could start and delete runs with the login that the browser remembers."""
    operators, *_ = doors
    here = f"https://127.0.0.1:{operators.port}"
    assert operators.ask(OPERATOR, "POST", Origin=here).status == 200
    for origin in ("https://elsewhere.example", "null", f"{here}.elsewhere.example", f"http://127.0.0.1:{operators.port}"):
        assert operators.ask(OPERATOR, "POST", Origin=origin).status == 403, origin
        assert operators.ask(OPERATOR, Origin=origin, Upgrade="websocket", Connection="Upgrade").status == 403, origin


@pytest.mark.parametrize("unit", sorted(path.name for path in (REPOSITORY / "deploy" / "systemd").iterdir()))
def test_systemd_understands_the_units(unit: str, tmp_path: Path) -> None:
    """The service would not start after the installation, or start without its limits."""
    analyze = shutil.which("systemd-analyze")
    assert analyze is not None, "systemd-analyze is missing: apt-get install systemd"
    for path in (REPOSITORY / "deploy" / "systemd").iterdir():
        text = path.read_text().replace("/srv/shp/.venv/bin/shp", str(Path(sys.executable).with_name("shp")))
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / unit)], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    complaints = [line for line in (done.stderr + done.stdout).splitlines() if str(tmp_path) in line or "shp" in line]
    assert (done.returncode, complaints) == (0, [])
