"""The `hdfs` client, made to say what WebHDFS said: status, Hadoop's exception, first line; and who we are, by name or by ticket.

A module of its own because the package is an extra: imported when HDFS is first used.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from hdfs.client import Client, _Request
from requests.auth import AuthBase

from shp_resources.hdfs.errors import Answer
from shp_resources.kerberos import proof

_OTHER_NAMENODE = ("StandbyException", "RetriableException")


class LakeClient(Client):  # type: ignore[misc]
    """Raises `Answer` instead of the client's own error, but for what another NameNode may answer better.

    Args:
        urls: WebHDFS addresses of the NameNodes.
        user: who we say we are; not said where a ticket shows it.
        timeout: seconds to wait for a connection, and between two pieces of an answer.
        kerberos: whether to show who we are by the ticket in the credential cache.
    """

    _get_status = _Request("GET")  # how much room there is; the client does not know this operation

    def __init__(self, urls: tuple[str, ...], user: str, timeout: tuple[float, float], kerberos: bool = False) -> None:
        session = requests.Session()
        if kerberos:
            session.auth = _Ticket(urls)
        else:
            session.params = {"user.name": user}
        super().__init__(";".join(urls), timeout=timeout, session=session)

    def _request(self, method: str, url: str, **options: Any) -> Any:
        response = super()._request(method, url, **options)
        if response.ok:
            return response
        answer = _answer(response)
        if answer.name in _OTHER_NAMENODE and len(self.urls) > 1 and "/webhdfs/" in url and "datanode" not in url:
            return _Later(response, answer)
        raise answer


class _Ticket(AuthBase):
    """Shows our ticket to NameNodes; a DataNode is shown the delegation token that the NameNode put into its address."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._places = {urlsplit(url).netloc for url in urls}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        assert request.url is not None
        if urlsplit(request.url).netloc in self._places:
            request.headers["Authorization"] = proof(request.url)
        return request


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
