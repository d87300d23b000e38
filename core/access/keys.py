"""The API keys of one merchant: made and shown once, listed, revoked. ``core.access.actors.by_key`` lets them in."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from core import key_text
from core.access import acts
from core.access.actors import Actor
from core.access.rights import Right
from core.errors import NotFound, Refused
from core.key_text import KeyText
from core.transaction import Transaction

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class KeyView:
    """An API key without its secret; ``made_by`` is an actor as documents keep it."""

    public_id: str
    name: str
    scopes: tuple[Right, ...]
    made_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def make(
    tx: Transaction, actor: Actor, name: str, scopes: Collection[Right], expires_at: datetime | None = None
) -> KeyText:
    """Make a key that may do what ``scopes`` (one or more) say, for ever or until ``expires_at``.

    Raises: Forbidden when the actor lacks a right that it would give; Refused for a name in use or that is none.
    """
    ordered = [right for right in Right if right in scopes]
    actor.require(Right.KEY_MANAGE, *ordered)
    if not ordered:
        raise Refused("a key without a scope may do nothing; give it one: --scope stock.view")
    name = _tidy_name(name)
    new = key_text.draw()
    made = tx.run(
        """INSERT INTO api_key (merchant_id, id, public_id, name, secret_hash, scopes, made_by, created_at, expires_at)
           VALUES (:merchant_id, :id, :public_id, :name, :secret_hash, CAST(:scopes AS text[]), :made_by, :now,
               :expires_at)
           ON CONFLICT (merchant_id, name) WHERE revoked_at IS NULL DO NOTHING""",
        id=tx.new_id(), public_id=new.public_id, name=name, secret_hash=new.secret_hash, made_by=str(actor),
        scopes=[str(right) for right in ordered], expires_at=expires_at,
    ).rowcount  # fmt: skip
    if not made:
        raise Refused(f"there is a key named {name} already; choose another name, or `holdfast key revoke` it first")
    until = None if expires_at is None else expires_at.isoformat()
    acts.note(tx, actor, "key.make", f"api_key:{new.public_id}", scopes=ordered, expires_at=until)
    return new


def _tidy_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Refused(f"a key needs a name of 1 to {_LONGEST_NAME} letters, like website")
    return name


def every(tx: Transaction, *, revoked: bool = False) -> list[KeyView]:
    """The merchant's keys, oldest first; those that were revoked only if asked for."""
    rows = tx.run(
        """SELECT public_id, name, scopes, made_by, created_at, expires_at, last_used_at, revoked_at FROM api_key
           WHERE merchant_id = :merchant_id AND (revoked_at IS NULL OR :revoked) ORDER BY created_at, id""",
        revoked=revoked,
    )
    return [KeyView(**{**row._mapping, "scopes": tuple(Right(scope) for scope in row.scopes)}) for row in rows]


def revoke(tx: Transaction, actor: Actor, name: str) -> str:
    """End a key at once and for good; returns its public id. Raises: NotFound; Forbidden."""
    actor.require(Right.KEY_MANAGE)
    public_id: str | None = tx.run(
        """UPDATE api_key SET revoked_at = :now WHERE merchant_id = :merchant_id AND name = :name
               AND revoked_at IS NULL RETURNING public_id""",
        name=name.strip(),
    ).scalar_one_or_none()
    if public_id is None:
        raise NotFound(f"there is no key named {name} to revoke; `holdfast key list` shows them")
    acts.note(tx, actor, "key.revoke", f"api_key:{public_id}")
    return public_id
