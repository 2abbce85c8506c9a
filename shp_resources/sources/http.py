"""One workbook at one HTTP(S) address: ETag and Last-Modified, Range with If-Range, Retry-After.

Must not live here: tries and pauses (`shp_assets.calls`), what is kept of a download that broke off (`download`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.feeds.origin import Origin
from shp_core.healing.faults import Evidence
from shp_resources.landing import Seen, printable
from shp_resources.ledger import Source
from shp_resources.sources.protocol import PIECE, Stream, fault, moving, told
from shp_resources.sources.settings import SourceSettings

BLIND_SECONDS = 3600
"""A file of which the server tells neither version nor time is taken for changed so often."""

LONGEST_WAIT = 3600.0
"""Nobody may ask to be left alone for longer, in seconds."""

_FOREIGN = (requests.RequestException, urllib3.exceptions.HTTPError)
_NO_HEAD = (403, 405, 501)
"""Some servers let nobody ask for headers alone, and addresses that are signed for reading do not either."""

_NOT_THAT_FAR = 416


class HttpSource:
    """A file at an HTTP(S) address.

    Args:
        origin: its address.
        settings: credentials and deadlines.
    """

    def __init__(self, origin: Origin, settings: SourceSettings) -> None:
        self.system = origin.system
        self._origin, self._settings = origin, settings

    def look(self) -> list[Seen]:
        """The file as the server tells of it, without its bytes."""
        with self._told("looking"), self._session() as session:
            answer = self._ask(session, "HEAD", self._origin.uri)
            if answer.status_code in _NO_HEAD:
                answer.close()
                answer = self._ask(session, "GET", self._origin.uri, {"Range": "bytes=0-0"})
            with answer:
                self._require(answer, 200, 206, _NOT_THAT_FAR)
                return [Seen(_source(self._origin, answer.headers), quiet=True, regular=True)]

    @contextmanager
    def open(self, uri: str, version: str = "", start: int = 0) -> Iterator[Stream]:
        """The bytes, from `start` on if the server still holds that version."""
        ranged = {"Range": f"bytes={start}-", "If-Range": version} if version and start else {}
        with self._told("fetching"), self._session() as session:
            answer = self._ask(session, "GET", uri, ranged)
            if ranged and answer.status_code == _NOT_THAT_FAR:
                answer.close()
                answer = self._ask(session, "GET", uri)
            with answer:
                self._require(answer, 200, 206)
                yield self._stream(answer, version, start) if ranged and answer.status_code == 206 else self._fresh(answer)

    def _fresh(self, answer: requests.Response) -> Stream:
        """The whole file."""
        if answer.status_code == 206:
            raise moving(self.system, printable(self._origin.name))
        size = _length(answer.headers)
        if size is None and "chunked" not in answer.headers.get("Transfer-Encoding", "").lower():
            text = "an answer without a length, so nobody can tell a whole file from a part"
            raise Fault(Code.SOURCE_REFUSED, f"{self.system} gave {text}.", Evidence(self.system, text=text))
        return Stream(_version(answer.headers), 0, size, _pieces(answer))

    def _stream(self, answer: requests.Response, version: str, start: int) -> Stream:
        """The rest of a file; some servers ignore If-Range, so it must say of which version it is."""
        unit, _, said = answer.headers.get("Content-Range", "").partition(" ")
        place, _, total = said.partition("/")
        first, _, last = place.partition("-")
        whole = unit == "bytes" and first == str(start) and total.isdigit() and last == str(int(total) - 1)
        if not whole or _version(answer.headers) != version:
            raise moving(self.system, printable(self._origin.name))
        return Stream(version, start, int(total), _pieces(answer))

    def _ask(self, session: requests.Session, method: str, uri: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Bytes as they are: a length counts for nothing where they are packed on the way."""
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        return session.request(method, uri, headers=asked, timeout=self._settings.timeout, stream=True, allow_redirects=True)

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        access = self._settings.access(self._origin.place)
        with requests.Session() as session:
            session.trust_env = access.user is None and access.token is None  # a .netrc never goes before what was named
            if access.token:
                session.headers["Authorization"] = f"Bearer {access.token}"
            elif access.user:
                session.auth = (access.user, access.password or "")
            yield session

    def _require(self, answer: requests.Response, *allowed: int) -> None:
        if answer.status_code not in allowed:
            status, pause = answer.status_code, _retry_after(answer)
            raise fault(Evidence(self.system, http_status=status, retry_after=pause, text=f"HTTP {status}"), "answering")

    def _told(self, doing: str) -> Any:
        return told(self.system, doing, _FOREIGN)


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """The body as it comes, undecoded, each piece at once, so that nothing is lost when it breaks off."""
    while piece := answer.raw.read1(PIECE, decode_content=False):
        yield piece


def _source(origin: Origin, headers: Mapping[str, str]) -> Source:
    etag, changed = headers.get("ETag", ""), _moment(headers.get("Last-Modified", ""))
    if not etag and changed is None:
        now = int(time.time())
        changed = datetime.fromtimestamp(now - now % BLIND_SECONDS, UTC)
    nanoseconds = int(changed.timestamp()) * 1_000_000_000 if changed else 0
    return Source(origin.uri, printable(origin.name), _whole_length(headers) or 0, nanoseconds, 0, etag[:300])


def _version(headers: Mapping[str, str]) -> str:
    """What names the bytes exactly, to be sent back: a strong ETag, else the time of the last change."""
    etag = headers.get("ETag", "")
    if etag:
        return "" if etag.startswith("W/") else etag
    return headers.get("Last-Modified", "")


def _length(headers: Mapping[str, str]) -> int | None:
    said = headers.get("Content-Length", "")
    return int(said) if said.isdigit() else None


def _whole_length(headers: Mapping[str, str]) -> int | None:
    total = headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else _length(headers)


def _retry_after(answer: requests.Response) -> float | None:
    """How long the server asks to be left alone: seconds, or a moment."""
    said = answer.headers.get("Retry-After", "").strip()
    moment = _moment(said)
    if said.isdigit():
        return min(float(said), LONGEST_WAIT)
    return min(max(0.0, (moment - datetime.now(UTC)).total_seconds()), LONGEST_WAIT) if moment else None


def _moment(said: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
