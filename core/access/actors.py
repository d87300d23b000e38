"""Who acts: a user, an API key, a store, a job or the shell, and what each may do for one merchant."""

import hmac
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import text as statement

from core import key_text
from core.access.rights import ALL, RIGHTS, Right, Role, roles_with
from core.errors import BadKey, Forbidden, NotFound, Refused
from core.transaction import Database, Transaction

_USE_NOTED_EACH = timedelta(minutes=1)


class ActorKind(StrEnum):
    """The first word of what documents and the log of acts keep of an actor."""

    USER = "user"
    API_KEY = "api_key"
    STORE = "store"
    JOB = "job"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts for one merchant.

    ``ref`` is a number or an id that says nothing of a person, because what keeps it is never changed or deleted; empty
    for the shell. ``name`` is for people and is kept nowhere. ``role`` is a user's.
    """

    merchant_id: int
    kind: ActorKind
    ref: str
    name: str
    rights: frozenset[Right]
    role: Role | None = None

    def __str__(self) -> str:
        """What documents and the log keep: ``cli``, ``user:2049``, ``api_key:8d1f0c...``."""
        return f"{self.kind}:{self.ref}" if self.ref else str(self.kind)

    def require(self, *rights: Right) -> None:
        """Raises: Forbidden for the first of ``rights`` that this actor lacks."""
        for right in rights:
            if right not in self.rights:
                raise Forbidden(right, self.described, roles_with([right]), self._cure(right))

    @property
    def described(self) -> str:
        """For people: the name, with the role of a user."""
        return f"{self.name} ({self.role})" if self.role else self.name

    def _cure(self, right: Right) -> str:
        if self.kind is ActorKind.API_KEY:
            return f"an owner makes a key that has it: `holdfast key make NAME --scope {right}`"
        return f"an owner gives another role: `holdfast user role {self.name} ROLE`"


def shell(merchant_id: int) -> Actor:
    """Whoever has the shell of the hub has its keys and its data: everything is allowed."""
    return Actor(merchant_id, ActorKind.CLI, "", "cli", ALL)


def tidy_email(text: str) -> str:
    """An address as it is kept: without blanks around it, in lower case. Raises: Refused for what is none."""
    address = unicodedata.normalize("NFC", text.strip()).lower()
    name, _, host = address.rpartition("@")
    if not name or not host or "@" in name or len(address) > 254 or not address.isprintable() or " " in address:
        raise Refused(f"{text!r} is no e-mail address; write one like a@example.com")
    return address


def as_user(db: Database, merchant_id: int, email: str) -> Actor:
    """The user with that address, with the rights of the role that the user has with this merchant.

    Raises: NotFound for an address that is no user of this merchant; Refused for a user who is disabled.
    """
    address = tidy_email(email)
    with db.begin(merchant_id, actor="system") as tx:
        row = tx.run(
            """SELECT m.id, m.role, m.disabled FROM app_user u
               JOIN member m ON m.merchant_id = :merchant_id AND m.user_id = u.id AND m.removed_at IS NULL
               WHERE lower(u.email) = lower(:email)""",
            email=address,
        ).one_or_none()
    if row is None:
        raise NotFound(f"this merchant has no user {address}; `holdfast user list` shows who there is")
    if row.disabled:
        raise Refused(f"{address} is disabled and may do nothing; an owner says `holdfast user enable {address}`")
    role = Role(row.role)
    return Actor(merchant_id, ActorKind.USER, str(row.id), address, RIGHTS[role], role)


def by_key(db: Database, text: str) -> Actor:
    """Whoever shows this API key, of the merchant it belongs to; its use is noted, at most once a minute.

    Raises: BadKey, the same for what is no key, is unknown, wrong, expired or revoked.
    """
    key = key_text.read(text)
    with db.outside() as connection:
        merchant_id = connection.execute(statement("SELECT merchant_of_key(:id)"), {"id": key.public_id}).scalar_one()
    if merchant_id is None:
        raise BadKey
    with db.begin(merchant_id, actor=f"{ActorKind.API_KEY}:{key.public_id}") as tx:
        row = tx.run(
            """SELECT id, name, secret_hash, scopes, last_used_at, revoked_at IS NULL
                   AND (expires_at IS NULL OR expires_at > :now) AS works
               FROM api_key WHERE merchant_id = :merchant_id AND public_id = :public_id""",
            public_id=key.public_id,
        ).one()
        if not (hmac.compare_digest(row.secret_hash, key.secret_hash) and row.works):
            raise BadKey
        if row.last_used_at is None or row.last_used_at <= tx.now - _USE_NOTED_EACH:
            _note_use(tx, row.id)
    scopes = frozenset(Right(scope) for scope in row.scopes)
    return Actor(merchant_id, ActorKind.API_KEY, key.public_id, row.name, scopes)


def _note_use(tx: Transaction, key_id: int) -> None:
    tx.run(
        """UPDATE api_key SET last_used_at = :now WHERE merchant_id = :merchant_id AND id = :id
             AND (last_used_at IS NULL OR last_used_at <= :before)""",
        id=key_id, before=tx.now - _USE_NOTED_EACH,
    )  # fmt: skip


def names_of(tx: Transaction, refs: Iterable[str]) -> Mapping[str, str]:
    """What people call what documents and the log name.

    A user's address; the name of a key, a store or a supplier; an item's SKU; a lock's key; a listing's id in its
    store; a warehouse's code; a purchase order's number.

    What is erased, or of another kind, is left out.
    """
    rows = tx.run(_NAMES, refs=sorted(set(refs)))
    return {row.ref: row.name for row in rows}


_NAMES = """
    SELECT k.ref, n.name FROM unnest(CAST(:refs AS text[])) k (ref)
    CROSS JOIN LATERAL (SELECT CASE WHEN k.ref ~ '^[a-z]+:[0-9]{1,18}$' THEN split_part(k.ref, ':', 2)::bigint END,
        split_part(k.ref, ':', 1)) r (id, kind)
    CROSS JOIN LATERAL (
        SELECT u.email AS name FROM member m JOIN app_user u ON u.id = m.user_id
        WHERE r.kind = 'user' AND m.merchant_id = :merchant_id AND m.id = r.id
        UNION ALL SELECT a.name FROM api_key a
        WHERE r.kind = 'api_key' AND a.merchant_id = :merchant_id AND a.public_id = split_part(k.ref, ':', 2)
        UNION ALL SELECT s.name FROM store s WHERE r.kind = 'store' AND s.merchant_id = :merchant_id AND s.id = r.id
        UNION ALL SELECT i.sku FROM item i WHERE r.kind = 'item' AND i.merchant_id = :merchant_id AND i.id = r.id
        UNION ALL SELECT l.key FROM lock l WHERE r.kind = 'lock' AND l.merchant_id = :merchant_id AND l.id = r.id
        UNION ALL SELECT s.name || ' ' || l.external_id FROM listing l JOIN store s
            ON s.merchant_id = :merchant_id AND s.id = l.store_id
        WHERE r.kind = 'listing' AND l.merchant_id = :merchant_id AND l.id = r.id
        UNION ALL SELECT w.code FROM warehouse w
        WHERE r.kind = 'warehouse' AND w.merchant_id = :merchant_id AND w.id = r.id
        UNION ALL SELECT s.code FROM supplier s
        WHERE r.kind = 'supplier' AND s.merchant_id = :merchant_id AND s.id = r.id
        UNION ALL SELECT p.number FROM purchase p
        WHERE r.kind = 'purchase' AND p.merchant_id = :merchant_id AND p.id = r.id
    ) n"""
