"""What YARN says of applications: the REST interfaces of ResourceManager and NodeManagers, behind our errors.

Standard library only, but for a ticket. The ResourceManager's diagnostics do not name a cause (a mapper that exits with 1 and a missing
python look alike); the logs of the tasks do.
"""

from __future__ import annotations

import errno
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from typing import Any

from shp_core.errors import Fault
from shp_core.healing.classify import classify
from shp_core.healing.faults import Evidence
from shp_resources.hdfs.errors import next_step
from shp_resources.kerberos import opener

SYSTEM = "yarn"
WAITING = ("NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED")
ENDED = ("FINISHED", "FAILED", "KILLED")
_SECONDS = 10.0
_LOG_BYTES = 65_536


@dataclass(frozen=True)
class Application:
    """An application as the ResourceManager sees it.

    Args:
        id: its id.
        name: its name.
        state: one of YARN's application states.
        final: `SUCCEEDED`, `FAILED`, `KILLED`, or `UNDEFINED` while it runs.
        diagnostics: what the ResourceManager has to say.
        master_logs: address of the pages with its application master's logs; "" before there is one.
        tags: its tags.
    """

    id: str
    name: str
    state: str
    final: str
    diagnostics: str
    master_logs: str
    tags: frozenset[str] = frozenset()

    @property
    def ended(self) -> bool:
        """Whether it has come to its end, whichever."""
        return self.state in ENDED

    @property
    def waiting(self) -> bool:
        """Whether nobody works on it yet."""
        return self.state in WAITING


class Yarn:
    """A ResourceManager.

    Args:
        url: its address.
        user: who we say we are there; not said where a ticket shows it.
        kerberos: whether to show who we are by the ticket in the credential cache.
    """

    def __init__(self, url: str, user: str, kerberos: bool = False) -> None:
        self._url, self._user, self._kerberos = url, user, kerberos

    def newest(self, tag: str) -> Application | None:
        """The newest application with a tag, whatever its state.

        Raises:
            Fault: the ResourceManager does not answer.
        """
        found = self._tagged([tag])
        return _application(max(found, key=lambda one: (one["startedTime"], one["id"]))) if found else None

    def tagged(self, tags: Iterable[str]) -> list[Application]:
        """All applications with any of these tags, whatever their state.

        Raises:
            Fault: the ResourceManager does not answer.
        """
        return [_application(one) for one in self._tagged(tags)]

    def _tagged(self, tags: Iterable[str]) -> list[dict[str, Any]]:
        told = self._ask(f"/ws/v1/cluster/apps?applicationTags={urllib.parse.quote(','.join(tags))}")
        found: list[dict[str, Any]] = (told["apps"] or {}).get("app", [])
        return found

    def get(self, application: str) -> Application:
        """An application.

        Raises:
            Fault: the ResourceManager does not answer, or has forgotten it (it was restarted).
        """
        return _application(self._ask(f"/ws/v1/cluster/apps/{application}")["app"])

    def kill(self, application: str) -> None:
        """End an application; the ResourceManager does it a moment later."""
        self._ask(f"/ws/v1/cluster/apps/{application}/state", "PUT", b'{"state": "KILLED"}')

    def last_words(self, application: Application) -> str:
        """The end of the application's own logs; "" when no NodeManager has them.

        Args:
            application: one that had an application master.
        """
        if not application.master_logs:
            return ""
        texts = [self._log(f"{application.master_logs}/{name}/?start=-{_LOG_BYTES}") for name in ("stderr", "syslog")]
        return "\n".join(text for text in texts if text)

    def _log(self, url: str) -> str:
        try:
            page = self._send(url).decode("utf-8", errors="replace")
        except (OSError, ValueError):  # the log is a help, not a condition
            return ""
        found = re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)
        return unescape(found[1]).strip() if found else ""

    def _ask(self, path: str, method: str = "GET", data: bytes | None = None) -> Any:
        said = "" if self._kerberos else f"{'&' if '?' in path else '?'}user.name={urllib.parse.quote(self._user)}"
        try:
            return json.loads(self._send(f"{self._url}{path}{said}", method, data))
        except (OSError, ValueError) as error:
            evidence = _evidence(error)
            raise Fault(classify(evidence), f"YARN does not answer: {evidence.text}", evidence, next_step(error, evidence)) from error

    def _send(self, url: str, method: str = "GET", data: bytes | None = None) -> bytes:
        headers = {"Accept": "application/json, text/html", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)
        with opener(self._kerberos).open(request, timeout=_SECONDS) as answer:
            found: bytes = answer.read()
            return found


def _application(told: dict[str, Any]) -> Application:
    logs = str(told.get("amContainerLogs") or "")
    tags = frozenset(str(told.get("applicationTags") or "").split(",")) - {""}
    return Application(told["id"], told["name"], told["state"], told["finalStatus"], str(told.get("diagnostics") or ""), logs, tags)


def _evidence(error: Exception) -> Evidence:
    text = f"{type(error).__name__}: {error}"[:300]
    if isinstance(error, urllib.error.HTTPError):
        # A ResourceManager that was restarted has forgotten its applications.
        return Evidence(SYSTEM, http_status=error.code, errno=errno.ESTALE if error.code == 404 else None, text=text)
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    number = errno.ETIMEDOUT if isinstance(reason, TimeoutError) else getattr(reason, "errno", None)
    return Evidence(SYSTEM, errno=number or errno.ECONNRESET, text=text)
