"""Does Hadoop answer? Each probe asks the daemon itself and returns None, or the reason why it is not ready.

Counts of live nodes go on counting killed daemons for minutes; so the DataNode is asked by writing a file, the
NodeManager by its own address.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Any

from shp_resources.kerberos import NoProof, opener

_SECONDS = 5.0
_FAILURES = (OSError, ValueError, KeyError, TypeError, HTTPException)
"""What somebody who is no Hadoop daemon, or one that dies in the middle of an answer, leads to."""

_WORDS = b"written by shp to see whether a file can be written\n"


def namenode(url: str, user: str, kerberos: bool = False) -> str | None:
    """Whether WebHDFS answers about the root folder.

    Args:
        url: its address.
        user: who we say we are; not said where a ticket shows it.
        kerberos: whether to show who we are by the ticket in the credential cache.
    """
    try:
        query = "op=GETFILESTATUS" if kerberos else urllib.parse.urlencode({"op": "GETFILESTATUS", "user.name": user})
        _send(f"{url}/webhdfs/v1/?{query}", kerberos=kerberos)
    except _FAILURES as error:
        return _why(error)
    return None


def datanode(url: str, user: str) -> str | None:
    """Whether a file can be written and read back.

    Args:
        url: the NameNode's address; it names the DataNode.
        user: who writes.
    """
    path = f"/tmp/.shp-ready-{os.getpid()}"
    try:
        place = _webhdfs(url, path, "CREATE", user, "PUT", overwrite="true", noredirect="true")["Location"]
        _send(place, "PUT", _WORDS)
        place = _webhdfs(url, path, "OPEN", user, noredirect="true")["Location"]
        found = _send(place)
        _webhdfs(url, path, "DELETE", user, "DELETE")
    except _FAILURES as error:
        return _why(error)
    return None if found == _WORDS else "gives back other bytes than were written"


def resourcemanager(url: str, kerberos: bool = False) -> str | None:
    """Whether it says that it is started.

    Args:
        url: its address.
        kerberos: whether to show who we are by the ticket in the credential cache.
    """
    try:
        state = json.loads(_send(f"{url}/ws/v1/cluster/info", kerberos=kerberos))["clusterInfo"]["state"]
    except _FAILURES as error:
        return _why(error)
    return None if state == "STARTED" else f"is {state.lower()}"


def nodemanager(url: str, resourcemanager_url: str) -> str | None:
    """Whether it answers, finds itself healthy, and the ResourceManager gives it work."""
    try:
        node = _ask(f"{url}/ws/v1/node/info")["nodeInfo"]
        known = (_ask(f"{resourcemanager_url}/ws/v1/cluster/nodes?states=RUNNING")["nodes"] or {}).get("node", [])
    except _FAILURES as error:
        return _why(error)
    if not node.get("nodeHealthy"):
        return f"is not healthy ({str(node.get('healthReport', '')).strip()[:200]})"
    # The ResourceManager calls a host as the machine's resolver does: 127.0.0.1 may be localhost there.
    port = url.rpartition(":")[2]
    met = any(str(one.get("nodeHTTPAddress", "")).rpartition(":")[2] == port for one in known)
    return None if met else "is not known to the ResourceManager yet"


def _webhdfs(url: str, path: str, operation: str, user: str, method: str = "GET", **more: str) -> Any:
    query = urllib.parse.urlencode({"op": operation, "user.name": user, **more})
    return json.loads(_send(f"{url}/webhdfs/v1{path}?{query}", method) or b"{}")


def _ask(url: str) -> Any:
    return json.loads(_send(url))


def _send(url: str, method: str = "GET", data: bytes | None = None, kerberos: bool = False) -> bytes:
    request = urllib.request.Request(url, data, {"Accept": "*/*", "Content-Type": "application/octet-stream"}, method=method)
    with opener(kerberos).open(request, timeout=_SECONDS) as answer:
        found: bytes = answer.read()
        return found


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answers HTTP {error.code} ({_remote(error.read())})"
    if isinstance(error, NoProof):
        return f"was not asked ({error}); {error.next_step}"
    if isinstance(error, urllib.error.URLError):
        return f"does not answer ({error.reason})"
    return f"does not answer ({type(error).__name__}: {str(error)[:200]})"


def _remote(body: bytes) -> str:
    """What Hadoop says of an error: its exception's name and first line."""
    try:
        told = json.loads(body)["RemoteException"]
        return f"{told['exception']}: {told['message']}".partition("\n")[0][:200]
    except (ValueError, KeyError, TypeError):
        return body[:80].decode("utf-8", errors="replace").strip()
