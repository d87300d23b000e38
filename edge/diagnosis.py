"""What the facts of a checkup mean: problems and notes, each a sentence with its cure. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.model import StoreMode
from core.queries import StoreView
from core.silence import Silence
from core.transaction import APP_ROLE
from edge.checkup import Checkup, DatabaseFacts, MerchantFacts

OLDEST_POSTGRESQL = 16
# The relay looks each second; beyond these the process in question is not there, or far behind.
RELAY_LATE = timedelta(seconds=15)
WORKER_LATE = timedelta(seconds=60)
STALE_LATE = timedelta(seconds=60)
POLL_LATE = timedelta(seconds=120)
POLLS_MISSED = 4
NO_WEBHOOK_FOR = timedelta(hours=1)
_DEAD_LETTERS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about one part of a hub, with its cure. A note is worth knowing and no fault."""

    about: str
    sentence: str
    note: bool = False


def diagnose(checkup: Checkup) -> list[Finding]:
    """All problems and notes of a checkup, the causes before their consequences."""
    found = [Finding(about, sentence) for about, sentence in checkup.failures]
    if checkup.database:
        found += _of_database(checkup.database)
    if checkup.merchant:
        found += _of_processes(checkup.merchant)
        silent = _silent(checkup.merchant)
        found += _of_merchant(checkup.merchant, silent, mail_server=checkup.mail_server)
        for store in checkup.merchant.stores:
            found += _of_store(store, silent.get(store.name), checkup.merchant.now)
    return found


def _of_database(facts: DatabaseFacts) -> Iterator[Finding]:
    if facts.major < OLDEST_POSTGRESQL:
        yield Finding("database", f"PostgreSQL {facts.version} is too old; use {OLDEST_POSTGRESQL} or newer")
    if facts.schema != facts.schema_needed:
        newer = facts.schema is not None and facts.schema > facts.schema_needed
        cure = "install the newer Holdfast" if newer else "run `holdfast migrate`"
        yield Finding(
            "database", f"it has schema {facts.schema or 'none'}, this code needs {facts.schema_needed}; {cure}"
        )
    if facts.role != APP_ROLE or facts.role_is_strong:
        yield Finding(
            "database",
            f"the processes work as role {facts.role}, which could change what was recorded; run ALTER ROLE {APP_ROLE} "
            f"NOSUPERUSER NOBYPASSRLS, and connect as {APP_ROLE} or a member of it",
        )
    elif facts.login_is_strong:
        yield Finding(
            "database",
            f"the login {facts.login} may do anything; give HOLDFAST_DATABASE_URL a login that is only a member of "
            f"{APP_ROLE}",
            note=True,
        )


def _of_processes(facts: MerchantFacts) -> Iterator[Finding]:
    pulse = facts.pulse
    relay_due = min((at for at in (pulse.schedule_due_since, pulse.unsent_since) if at), default=facts.now)
    if facts.now - relay_due > RELAY_LATE:
        yield Finding(
            "relay",
            f"nobody has picked up work for {_lasting(facts.now - relay_due)}; start `holdfast relay`, "
            "or `holdfast up` for everything",
        )
    elif pulse.untaken_since and facts.now - pulse.untaken_since > WORKER_LATE:
        yield Finding(
            "worker",
            f"work has waited {_lasting(facts.now - pulse.untaken_since)} for a worker; start `holdfast worker`, "
            "or one more of them",
        )


def _silent(facts: MerchantFacts) -> dict[str, Silence]:
    """By name the stores that refuse us, and those that do not answer for longer than the moment in which many fail."""
    late = {store.name for store in facts.stores if _unread(store, facts.now)}
    return {one.store: one for one in facts.silent if one.refuses or one.store in late}


def _of_merchant(facts: MerchantFacts, silent: Mapping[str, Silence], *, mail_server: bool) -> Iterator[Finding]:
    if facts.audit_violations:
        yield Finding(
            "books",
            f"{facts.audit_violations} rows break a rule of the ledger; `holdfast audit` shows them, "
            "`holdfast store pause --all` stops all writing meanwhile",
        )
    for name in facts.unreadable:
        yield Finding(
            name,
            "its credentials were sealed with a key that is not here; bring back the old key in HOLDFAST_SECRET_KEYS "
            f"(several may stand there), or give new credentials: `holdfast store renew {name}`",
        )
    if facts.unsent:
        orders, units, oldest = len(facts.unsent), sum(one.units for one in facts.unsent), facts.unsent[0]
        yield Finding(
            "orders",
            f"{units} units of {orders} paid orders could be sent, and no warehouse is told to: {oldest.number} was "
            f"the first, {_lasting(facts.now - oldest.since)} ago; `holdfast order list --unsent` shows them, "
            "`holdfast fulfil allocate NUMBER` tells a warehouse to, or says what keeps them from it",
        )
    dead = [row for row in facts.given_up if row.dead_at is not None]
    for row in dead[:_DEAD_LETTERS_NAMED]:
        yield Finding(
            row.store or "work",
            f"{row.topic} {row.subject} was given up after {row.tries} tries: {row.reason}; mend that, then "
            f"`holdfast work replay {row.topic}`".replace("  ", " "),
        )
    if len(dead) > _DEAD_LETTERS_NAMED:
        yield Finding("work", f"{len(dead)} dead letters in all; `holdfast work list` shows them")
    for row in facts.given_up:
        if row.dead_at is None and row.store not in silent:
            yield Finding(
                row.store or "work",
                f"{row.topic} {row.subject} has failed {row.tries} times: {row.reason}; it is tried again by "
                "itself, mend the cause".replace("  ", " "),
            )
    if facts.warned_items and not facts.email:
        yield Finding(
            "mail", "items have a low-stock warning and nobody gets it; say who: `holdfast merchant --email ADDRESS`"
        )
    elif facts.warned_items and not mail_server:
        yield Finding(
            "mail",
            "HOLDFAST_SMTP_URL is not set here; unless the worker has it, low-stock warnings cannot be sent",
            note=True,
        )


def _of_store(store: StoreView, silence: Silence | None, now: datetime) -> Iterator[Finding]:
    name = store.name
    if store.mode is StoreMode.OFF:
        yield Finding(name, f"it is off; `holdfast store mode {name} observe` lets Holdfast read it", note=True)
        return
    if not store.poll_every:
        yield Finding(name, f"its connection broke off half-way; repeat `holdfast store add {name}` as before")
    unread = _unread(store, now)
    if silence and silence.refuses:
        yield Finding(
            name,
            f"{silence.trouble} ({_lasting(now - silence.since)} now); `holdfast store test {name}` tries it again, "
            f"`holdfast store renew {name}` takes new credentials",
        )
    elif silence:
        yield Finding(
            name,
            f"{unread}: {silence.trouble or 'see the log of the worker'}; it is tried until it answers, "
            f"`holdfast store test {name}` tries it now",
        )
    elif unread:
        yield Finding(name, f"{unread}; see that a worker runs, and `holdfast work list --all`")
    yield from _of_listings(store, silence, now)
    yield from _of_orders(store)
    if store.paused:
        yield Finding(name, f"it is paused, nothing is written; `holdfast store resume {name}` goes on", note=True)
    elif store.mode is not StoreMode.LIVE:
        yield Finding(
            name, f"it is in mode {store.mode}, nothing is written; `holdfast store mode {name} live`", note=True
        )
    if store.last_webhook_at is None and now - store.created_at > NO_WEBHOOK_FOR:
        yield Finding(
            name,
            "no webhook ever arrived, so its orders are only polled; see that HOLDFAST_PUBLIC_URL is set where the hub "
            "runs, and can be reached from outside",
            note=True,
        )


def _of_listings(store: StoreView, silence: Silence | None, now: datetime) -> Iterator[Finding]:
    name = store.name
    if store.writes and not silence and store.stale_since and now - store.stale_since > STALE_LATE:
        yield Finding(
            name,
            f"{store.stale} listings have waited up to {_lasting(now - store.stale_since)} for their number; "
            "`holdfast stock show SKU` says what one waits for",
        )
    if store.quarantined:
        yield Finding(
            name,
            f"{store.quarantined} listings are refused by the store and not pushed; `holdfast store map {name}` lists "
            "them with the reason, and mapping one again lets it go on",
        )
    if store.unmapped:
        yield Finding(
            name, f"{store.unmapped} listings show no item; `holdfast store map {name}` lists them", note=True
        )


def _of_orders(store: StoreView) -> Iterator[Finding]:
    name = store.name
    if store.held_lines:
        yield Finding(
            name,
            f"{store.held_lines} order lines wait because their listing shows no item; `holdfast store map {name}` "
            "lists them, and mapping replays them",
        )
    if store.open_incidents:
        yield Finding(
            name,
            f"{store.oversold_units} units were sold that are not there ({store.open_incidents} order lines); receive "
            "stock (`holdfast stock receive SKU N`), or cancel those orders in the store",
        )


def _unread(store: StoreView, now: datetime) -> str:
    """Since when a store's orders were not read, as words; empty when its poll is not late."""
    kind, _, every_s = store.poll_every.partition(" ")
    if kind != "every":
        return ""
    since = now - (store.last_poll_at or store.created_at)
    if since <= max(POLL_LATE, timedelta(seconds=POLLS_MISSED * float(every_s))):
        return ""
    return f"its orders were last read {_lasting(since)} ago" if store.last_poll_at else "its orders were never read"


def _lasting(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
