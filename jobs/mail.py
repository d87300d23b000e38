"""Warnings by mail: one per alert, over SMTP, as text and HTML."""

import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from config.wiring import App
from core import work
from core.backoff import backoff_s
from core.errors import ConfigError
from core.work import Lease
from jobs.registry import LEASE_S, job

_ACTOR = "job:mail"
_TIMEOUT_S = 20
_templates = Environment(
    loader=PackageLoader("jobs", "templates"), autoescape=select_autoescape(["html"]), undefined=StrictUndefined
)


@job("mail")
def send_mail(app: App, merchant_id: int, store_id: int) -> None:
    """Send what waits to be sent. A mail that cannot be sent stays, with the reason, and is tried again."""
    while True:
        with app.db.begin(merchant_id, actor=_ACTOR) as tx:
            leases = work.claim(tx, "mail", store_id, limit=1, lease_s=LEASE_S)
        if not leases:
            return
        _send_one(app, merchant_id, leases[0])


def _send_one(app: App, merchant_id: int, lease: Lease) -> None:
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        alert = tx.run(
            """SELECT a.id, a.kind, a.facts, a.opened_at, a.mailed_at, m.alert_email, m.name, m.time_zone FROM alert a
               JOIN merchant m ON m.id = a.merchant_id WHERE a.merchant_id = :merchant_id AND a.id = :id""",
            id=int(lease.subject),
        ).one()
    if alert.mailed_at is None and alert.alert_email:
        message = compose(
            alert.facts,
            sender=app.settings.mail_from,
            receiver=alert.alert_email,
            merchant=alert.name,
            at=alert.opened_at.astimezone(ZoneInfo(alert.time_zone)),
            message_id=f"<alert-{merchant_id}-{alert.id}@holdfast.invalid>",
        )
        try:
            _deliver(app.settings.smtp_url.get_secret_value(), message)
        except (OSError, smtplib.SMTPException, ConfigError) as error:
            with app.db.begin(merchant_id, actor=_ACTOR) as tx:
                work.postpone(tx, [lease], delay_s=backoff_s(lease.tries + 4), reason=f"mail: {error}")
            return
    with app.db.begin(merchant_id, actor=_ACTOR) as tx:
        tx.run(
            """UPDATE alert SET mailed_at = :now WHERE merchant_id = :merchant_id AND id = :id AND mailed_at IS NULL
               AND :sent""",
            id=int(lease.subject),
            sent=bool(alert.alert_email),
        )
        work.settle(tx, [lease])


def compose(
    facts: Mapping[str, object], *, sender: str, receiver: str, merchant: str, at: datetime, message_id: str = ""
) -> EmailMessage:
    """The low-stock mail; a repeat carries the same ``message_id``, so that mail programs show it once.

    Raises: ConfigError without a sender.
    """
    if not sender:
        raise ConfigError("no sender: set HOLDFAST_MAIL_FROM")
    message = EmailMessage()
    # A header is one line, whatever a store calls its things.
    message["Subject"] = " ".join(f"Low stock: {facts['sku']} has {facts['free']} left".split())
    message["From"], message["To"] = sender, receiver
    message["Date"], message["Message-ID"] = (
        formatdate(at.timestamp()),
        message_id or make_msgid(domain="holdfast.invalid"),
    )
    values = {**facts, "merchant": merchant, "at": at.strftime("%Y-%m-%d %H:%M %Z")}
    message.set_content(_templates.get_template("low_stock.txt").render(values))
    message.add_alternative(_templates.get_template("low_stock.html").render(values), subtype="html")
    return message


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
