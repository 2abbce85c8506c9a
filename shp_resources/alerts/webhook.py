"""A message to a webhook: as Slack, as Teams, or as a program of your own reads it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from shp_resources.alerts.channels import Letter, Undelivered

SECONDS = 10.0
_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


class Webhook:
    """Sends to one address.

    Args:
        url: where to; a secret, so no message names it.
        style: `slack`, `teams` or `plain`.
        seconds: how long its answer is waited for.
    """

    def __init__(self, url: str, style: str, seconds: float = SECONDS) -> None:
        self._url, self._style, self._seconds = url, style, seconds

    def send(self, letter: Letter) -> None:
        """Send a letter.

        Raises:
            Undelivered: the address was not reached, refused, or took too long.
        """
        body = json.dumps(_PAYLOADS[self._style](letter)).encode()
        try:
            request = urllib.request.Request(self._url, body, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=self._seconds) as answer:
                answer.read(1024)
        except urllib.error.HTTPError as error:
            raise Undelivered(f"the webhook answers {error.code}") from error
        except (OSError, HTTPException) as error:
            raise Undelivered(f"the webhook cannot be reached ({type(getattr(error, 'reason', error)).__name__})") from None
        except ValueError:  # what is wrong with an address would repeat it
            raise Undelivered("the webhook's address is no address") from None


def _slack(letter: Letter) -> dict[str, Any]:
    return {"text": f"*{_escaped(letter.subject)}*\n{_escaped(letter.text)}"}


def _escaped(text: str) -> str:
    """As Slack wants it: nothing in a name becomes a link, or calls a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(letter: Letter) -> dict[str, Any]:
    lines = [_run(letter.subject, weight="Bolder"), *(_run(line) for line in letter.text.splitlines() if line)]
    card = {"$schema": _SCHEMA, "type": "AdaptiveCard", "version": "1.2", "body": lines}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _run(text: str, **style: str) -> dict[str, Any]:
    """A line as a run of text: Markdown in a name stays what it is."""
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _plain(letter: Letter) -> dict[str, Any]:
    return {"id": letter.id, "subject": letter.subject, "text": letter.text, "at": letter.made_at.isoformat()}


_PAYLOADS = {"slack": _slack, "teams": _teams, "plain": _plain}
