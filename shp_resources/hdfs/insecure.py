"""The `hdfs` client with simple authentication, made to say what WebHDFS said: status, Hadoop's exception, first line.

A module of its own because the package is an extra: imported when HDFS is first used.
"""

from __future__ import annotations

from typing import Any

from hdfs import InsecureClient
from hdfs.client import _Request

from shp_resources.hdfs.errors import Answer

_OTHER_NAMENODE = ("StandbyException", "RetriableException")


class LakeClient(InsecureClient):  # type: ignore[misc]
    """Raises `Answer` instead of the client's own error, but for what another NameNode may answer better."""

    _get_status = _Request("GET")  # how much room there is; the client does not know this operation

    def _request(self, method: str, url: str, **options: Any) -> Any:
        response = super()._request(method, url, **options)
        if response.ok:
            return response
        answer = _answer(response)
        if answer.name in _OTHER_NAMENODE and len(self.urls) > 1 and "/webhdfs/" in url and "datanode" not in url:
            return _Later(response, answer)
        raise answer


class _Later:
    """An answer that counts only when no NameNode has a better one; falsy, as the client expects."""

    def __init__(self, response: Any, answer: Answer) -> None:
        self._response, self._answer = response, answer
        self.status_code = response.status_code

    def __bool__(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)


def _answer(response: Any) -> Answer:
    try:
        told = response.json()["RemoteException"]
        name, message = str(told["exception"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        name, message = "", response.reason or ""
    return Answer(response.status_code, name, message.partition("\n")[0])
