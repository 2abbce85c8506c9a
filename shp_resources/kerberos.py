"""Who we are, shown to web addresses that ask for Kerberos (SPNEGO), by the ticket in the credential cache.

`kinit` or `k5start` makes the ticket and keeps it valid. Must not live here: passwords, keytabs, what is asked of whom
(`shp_resources.hdfs`, `shp_resources.yarn`). The package is an extra: imported when a ticket is first shown.
"""

from __future__ import annotations

import errno
import urllib.parse
import urllib.request
from base64 import b64encode
from functools import cache
from typing import Any

KERBEROS = "kerberos"
KINIT = "Get a ticket for the platform's user: kinit -kt KEYTAB PRINCIPAL (docs/hadoop.md tells how to keep it valid), then look: klist"
_SPNEGO, _KRB5 = "1.3.6.1.5.5.2", "1.2.840.113554.1.2.2"
_KDC_AWAY = 2529639068
"""KRB5_KDC_UNREACH, as GSSAPI tells it."""


class NoProof(OSError):
    """It cannot be shown who we are; nothing was asked.

    Args:
        number: errno: EACCES, or EHOSTUNREACH when no KDC answers.
        text: what is wrong.
        next_step: what the operator can do.
    """

    def __init__(self, number: int, text: str, next_step: str) -> None:
        super().__init__(number, text)
        self.next_step = next_step

    def __str__(self) -> str:
        return str(self.strerror)


def proof(url: str) -> str:
    """The value of `Authorization` for one request; made anew for each, so that threads share nothing.

    Args:
        url: what is asked; the service is `HTTP` at its host.

    Raises:
        NoProof: no ticket, an expired one, no KDC, a host that the realm does not know, or the package is missing.
    """
    gssapi, name = _package(), f"HTTP@{urllib.parse.urlsplit(url).hostname}"
    try:
        service = gssapi.Name(name, gssapi.NameType.hostbased_service)
        try:
            token = _token(gssapi, service, _SPNEGO)
        except gssapi.exceptions.GSSError:
            token = _token(gssapi, service, _KRB5)  # fails as well, in words that name cache, realm or principal
    except gssapi.exceptions.GSSError as error:
        raise _told(error, name) from error
    return f"Negotiate {b64encode(token).decode()}"


class Negotiated(urllib.request.BaseHandler):
    """Shows who we are with every request of an opener, of redirected ones too: to each host by its own name."""

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """Add the proof to a request."""
        request.add_unredirected_header("Authorization", proof(request.full_url))
        return request

    https_request = http_request


@cache
def opener(kerberos: bool) -> urllib.request.OpenerDirector:
    """What opens web addresses, with or without showing who we are."""
    return urllib.request.build_opener(*([Negotiated()] if kerberos else []))


def _token(gssapi: Any, service: Any, mechanism: str) -> bytes:
    token: bytes = gssapi.SecurityContext(name=service, mech=gssapi.OID.from_int_seq(mechanism), usage="initiate").step()
    return token


def _package() -> Any:
    try:
        import gssapi
    except ImportError as error:  # an OSError of the package's own says that libgssapi is missing
        text = f"SHP_HADOOP_AUTH is kerberos, and its package cannot be imported ({error})"
        raise NoProof(errno.EACCES, text, "Install the extra: pip install 'shp[kerberos]' (needs libkrb5-dev and a C compiler).") from error
    return gssapi


def _told(error: Any, name: str) -> NoProof:
    """A failure of GSSAPI in its own words, which name cache, principal or realm."""
    text = " ".join(str(error).replace("\0", " ").rpartition("): ")[2].split())[:250]
    if error.min_code == _KDC_AWAY:
        return NoProof(errno.EHOSTUNREACH, f"no KDC answers: {text}", "Is the KDC of the realm up? Look: /etc/krb5.conf, klist")
    return NoProof(errno.EACCES, f"no Kerberos ticket for {name}: {text}", KINIT)
