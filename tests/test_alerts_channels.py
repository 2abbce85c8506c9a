"""Letters on their way: a real mail server with TLS and a login, real web servers; refused, slow and absent ones too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shp_core.errors import UsageError
from shp_core.feeds.alerting import AlertsSection
from shp_resources.alerts.channels import Letter, Undelivered
from shp_resources.alerts.mail import Mail
from shp_resources.alerts.settings import AlertSettings
from shp_resources.alerts.teller import channels_of
from shp_resources.alerts.webhook import Webhook
from shp_resources.processes import LOOPBACK, free_port
from shp_resources.settings import Settings
from tests.support.mailbox import PASSWORD, SENDER, certificate, hook_server, mail_server, silent_server
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # a server without TLS is what two tests are about
LETTER = Letter(5, "[SHP] critical: warehouse\nBcc: x@example.com", "What: it is <away> [now](http://x)\nYou: wait", datetime.now(UTC))
READER = "night@example.com"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for loopback."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(pem: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The certificate, trusted by this process."""
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    yield pem


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "tls"])
def test_a_letter_goes_by_tls_with_a_login(implicit: bool, trusted: Path) -> None:
    """No alert would reach anybody through a mail server of today."""
    with mail_server(trusted, implicit=implicit) as mailbox:
        Mail(mailbox.server()).send(READER, LETTER)
    (mail,) = mailbox.mails
    assert (mail["From"], mail["To"], mail["Bcc"]) == (SENDER, READER, None)
    assert mail["Subject"] == "[SHP] critical: warehouse Bcc: x@example.com"
    assert mail.get_content().splitlines() == LETTER.text.splitlines()


def test_the_same_letter_carries_the_same_id_each_time(trusted: Path) -> None:
    """A mail system could not know that a letter came twice after a crash."""
    with mail_server(trusted) as mailbox:
        for letter in (LETTER, LETTER, replace(LETTER, id=6)):
            Mail(mailbox.server()).send(READER, letter)
    first, again, other = [mail["Message-ID"] for mail in mailbox.mails]
    assert first == again != other


def test_a_server_without_a_login_needs_no_password(trusted: Path) -> None:
    """A relay inside the house could not be used."""
    with mail_server(None, login=False) as mailbox:
        Mail(mailbox.server(password=None)).send(READER, LETTER)
    assert len(mailbox.mails) == 1


def test_a_password_is_never_sent_without_tls() -> None:
    """Whoever listens on the way would have it."""
    with mail_server(None) as mailbox, pytest.raises(Undelivered, match="offers no TLS") as caught:
        Mail(mailbox.server()).send(READER, LETTER)
    assert PASSWORD not in str(caught.value)
    assert mailbox.mails == []


def test_a_certificate_of_somebody_else_is_not_accepted(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody in between could read the password."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with mail_server(pem) as mailbox, pytest.raises(Undelivered, match="SSL"):
        Mail(mailbox.server()).send(READER, LETTER)
    assert mailbox.mails == []


def test_a_wrong_password_is_told_without_saying_it(trusted: Path) -> None:
    """The password would stand in a log."""
    with mail_server(trusted) as mailbox, pytest.raises(Undelivered, match=r"SMTPAuthenticationError, 535") as caught:
        Mail(mailbox.server("wrong-4713")).send(READER, LETTER)
    assert "4713" not in str(caught.value)


@pytest.mark.parametrize("answer", ["451 later", "554 no"])
def test_a_server_that_refuses_is_told(answer: str, trusted: Path) -> None:
    """A refused letter would count as delivered."""
    with mail_server(trusted) as mailbox:
        mailbox.answers.append(answer)
        with pytest.raises(Undelivered, match=answer[:3]):
            Mail(mailbox.server()).send(READER, LETTER)


def test_a_server_that_says_nothing_is_not_waited_for(trusted: Path) -> None:
    """One slow server would keep every other channel waiting."""
    with silent_server() as port, mail_server(trusted) as mailbox:
        slow = replace(mailbox.server(), port=port)
        started = time.monotonic()
        with pytest.raises(Undelivered, match="timed out"):
            Mail(slow, seconds=0.3).send(READER, LETTER)
        with pytest.raises(Undelivered, match="cannot be reached"):
            Webhook(f"http://{LOOPBACK}:{port}", "plain", seconds=0.3).send(LETTER)
        assert time.monotonic() - started < PATIENCE


def test_a_server_that_is_not_there_is_told(trusted: Path) -> None:
    """The one who sends would die, and with it all other alerts."""
    with mail_server(trusted) as mailbox:
        gone = replace(mailbox.server(), port=free_port(None))
    with pytest.raises(Undelivered, match="ConnectionRefusedError"):
        Mail(gone).send(READER, LETTER)
    with pytest.raises(Undelivered, match="ConnectionRefusedError"):
        Webhook(f"http://{LOOPBACK}:{gone.port}/planted", "slack").send(LETTER)


def test_each_style_says_the_same_and_nothing_in_it_is_markup() -> None:
    """A name in a sheet could call a whole channel, or become a link."""
    with hook_server() as hook:
        for style in ("slack", "teams", "plain"):
            Webhook(hook.url, style).send(LETTER)
    slack, teams, plain = hook.kept
    assert "it is &lt;away&gt;" in slack["text"] and slack["text"].startswith("*[SHP] critical")
    (attachment,) = teams["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    runs = [block["inlines"][0] for block in attachment["content"]["body"]]
    assert [run["text"] for run in runs] == [LETTER.subject, *LETTER.text.splitlines()]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert (plain["id"], plain["subject"], plain["text"]) == (5, LETTER.subject, LETTER.text)


@pytest.mark.parametrize("status", [302, 404, 429, 500])
def test_a_webhook_that_refuses_is_told_without_its_address(status: int) -> None:
    """The address of a webhook is all that is needed to write there."""
    with hook_server(status) as hook, pytest.raises(Undelivered) as caught:
        Webhook(hook.url, "slack").send(LETTER)
    assert str(caught.value) == f"the webhook answers {status}"
    assert hook.kept == []


@pytest.mark.parametrize("url", ["planted-token", "ftp//planted-token", "http://[planted-token"])
def test_an_address_that_is_none_is_told_without_it(url: str) -> None:
    """A slip in an address would end the one who sends, or put the token into a log."""
    with pytest.raises(Undelivered) as caught:
        Webhook(url, "slack").send(LETTER)
    assert "planted" not in str(caught.value)


def test_what_is_set_up_can_be_reached_and_nothing_else() -> None:
    """Letters would be written that no way leads to."""
    section = AlertsSection.model_validate({"webhooks": {"ops": "slack", "later": "teams"}})
    channels = channels_of(AlertSettings(webhooks={"ops": "http://x", "stray": "http://y"}), section)
    reached = [place for place in ("log", "webhook:ops", "webhook:later", "webhook:stray", "mail:a@b.c") if channels.reach(place)]
    assert reached == ["log", "webhook:ops"]
    with pytest.raises(Undelivered, match="not set up"):
        channels.send("mail:a@b.c", LETTER)


def test_settings_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    """Passwords would have to stand in a file that people copy."""
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    given = {
        "SMTP_SERVER": "mail.example.com",
        "SENDER_EMAIL": SENDER,
        "SENDER_PASSWORD_FILE": str(tmp_path / "secret"),
        "RECIPIENT_EMAIL": READER,
        "SHP_WEBHOOK_OPS": "http://hook/planted",
    }
    settings = Settings.load(given)
    assert settings.alerts.mail is not None
    assert (settings.alerts.mail.port, settings.alerts.mail.implicit_tls, settings.alerts.mail.password) == (587, False, PASSWORD)
    assert (settings.alerts.operators, settings.alerts.webhooks) == (READER, {"ops": "http://hook/planted"})
    assert Settings.load(settings.alerts.as_environment()).alerts == settings.alerts
    assert PASSWORD not in repr(settings)
    assert "planted" not in repr(settings)
    assert not {"SENDER_PASSWORD", "SHP_WEBHOOK_OPS"} & settings.as_environment().keys()


@pytest.mark.parametrize(
    ("more", "port", "implicit"),
    [({}, 587, False), ({"SMTP_PORT": "25"}, 25, False), ({"SMTP_PORT": "465"}, 465, True), ({"SMTP_SERVER": "smtps://mail"}, 465, True)],
)
def test_the_port_says_how_tls_begins(more: dict[str, str], port: int, implicit: bool) -> None:
    """A server of the other kind would hang until the time is up."""
    mail = Settings.load({"SMTP_SERVER": "mail", "SENDER_EMAIL": SENDER, **more}).alerts.mail
    assert mail is not None
    assert (mail.host, mail.port, mail.implicit_tls) == ("mail", port, implicit)


@pytest.mark.parametrize("given", [{"SMTP_SERVER": "mail"}, {"SMTP_SERVER": "mail", "SENDER_EMAIL": SENDER, "SMTP_PORT": "x"}])
def test_a_slip_in_the_settings_is_told(given: dict[str, str]) -> None:
    """Alerts that go nowhere are noticed when they would have been needed."""
    with pytest.raises(UsageError) as caught:
        Settings.load(given)
    assert caught.value.code == "settings_invalid"
