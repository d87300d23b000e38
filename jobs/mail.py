"""Warnings by mail, over SMTP, as text and HTML: one mail a minute for a merchant, however many alerts there are.

A mail is sent again only when we do not know whether the server took it: this process died between the server's answer
and our note of it. It then names the same alerts under the same Message-ID, so that mail programs can show it once.
"""

import smtplib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from config.wiring import App
from core import work
from core.alerts import lifecycle as alerts
from core.alerts import mail as alert_mail
from core.alerts.mail import Letter, Notice
from core.alerts.words import Told, moment, tell
from core.backoff import backoff_s
from core.errors import ConfigError
from core.work import Lease
from jobs.registry import LEASE_S, job

_ACTOR = "job:mail"
_TIMEOUT_S = 20
_HELD_BACK = "a mail went out less than a minute ago"
_templates = Environment(
    loader=PackageLoader("jobs", "templates"), autoescape=select_autoescape(["html"]), undefined=StrictUndefined
)


@job("mail")
def send_mail(app: App, merchant_id: int, _store_id: int) -> None:
    """Send the next mail that is owed. One that cannot be sent stays, with the reason, and is tried again."""
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        leases = work.claim(tx, "mail", 0, limit=1, lease_s=LEASE_S)
    if not leases:
        return
    # Not in one transaction with the claim: who snoozes an alert takes its row first, and the row of the work then.
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        letter, now = alert_mail.pick(tx), tx.now
    if letter is not None:
        try:
            _deliver(
                app.settings.smtp_url.get_secret_value(), compose(letter, merchant_id, app.settings.mail_from, now)
            )
        except (OSError, smtplib.SMTPException, ConfigError) as error:
            with app.db.begin(merchant_id, actor=_ACTOR) as tx:
                work.postpone(tx, leases, delay_s=backoff_s(leases[0].tries + 4), reason=f"mail: {error}")
            return
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            alert_mail.sent(tx, letter)
    _put_away(app, merchant_id, leases, is_sent=letter is not None)


def _put_away(app: App, merchant_id: int, leases: Sequence[Lease], *, is_sent: bool) -> None:
    """Come back when the next mail may go out. Until then the minute after a mail holds back whoever wants one."""
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        due = alert_mail.next_due(tx)
        if due is not None and due - tx.now <= alert_mail.SPACING and not is_sent:
            wait_s = max((due - tx.now).total_seconds(), 0.0)
            work.postpone(tx, leases, delay_s=wait_s, reason=_HELD_BACK, counts=False, may_die=False)
            return
        work.settle(tx, leases)
        if due is not None:
            alerts.want_mail(tx, due)


@dataclass(frozen=True, slots=True)
class _Section:
    """One alert as the templates take it."""

    id: int
    told: Told
    noticed: str
    ended: str
    again: bool


def compose(letter: Letter, merchant_id: int, sender: str, now: datetime) -> EmailMessage:
    """The mail that a letter is; equal letters carry equal ``Message-ID``s. Raises: ConfigError without a sender."""
    if not sender:
        raise ConfigError("no sender: set HOLDFAST_MAIL_FROM")
    sections = [_section(notice, letter) for notice in letter.notices]
    values = {"sections": sections, "left_out": _left_out(letter.left_out), "merchant": letter.merchant}
    message = EmailMessage()
    message["Subject"] = _subject(sections, sum(letter.left_out.values()))
    message["From"], message["To"], message["Date"] = sender, letter.receiver, formatdate(now.timestamp())
    message["Message-ID"] = f"<alerts-{merchant_id}-{letter.id}@holdfast.invalid>"
    message.set_content(_templates.get_template("alerts.txt").render(values))
    message.add_alternative(_templates.get_template("alerts.html").render(values), subtype="html")
    return message


def _section(notice: Notice, letter: Letter) -> _Section:
    return _Section(
        notice.id,
        tell(notice.kind, notice.facts, letter.zone),
        moment(notice.opened_at, letter.zone),
        moment(notice.closed_at, letter.zone) if notice.closed_at not in (None, notice.opened_at) else "",
        notice.again,
    )


def _subject(sections: Sequence[_Section], left_out: int) -> str:
    first, more = sections[0], len(sections) - 1 + left_out
    headline = f"Still so: {first.told.headline}" if first.again else first.told.headline
    return f"{headline}, and {more:,} more" if more else headline


def _left_out(counts: Mapping[str, int]) -> list[str]:
    return [f"{n:,} {kind.replace('_', ' ')}" for kind, n in counts.items()]


def _deliver(url: str, message: EmailMessage) -> None:
    with _server(url) as server:
        server.send_message(message)


@contextmanager
def _server(url: str) -> Iterator[smtplib.SMTP]:
    """A connection to ``smtp://`` (STARTTLS where offered) or ``smtps://``. Raises: ConfigError; OSError."""
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ConfigError("no mail server: set HOLDFAST_SMTP_URL to smtp://user:password@host:587 or smtps://...:465")
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(parts.hostname, parts.port or 465, timeout=_TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(parts.hostname, parts.port or 587, timeout=_TIMEOUT_S)
    with server:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        yield server
