"""The users of one merchant: who they are, and which role each has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.access import acts
from core.access.actors import Actor, tidy_email
from core.access.rights import RIGHTS, Right, Role
from core.errors import NotFound, Refused
from core.transaction import Transaction

_COLUMNS = "m.id, m.user_id, u.email, m.name, m.role, m.disabled, m.created_at, m.removed_at"
_MEMBERS = f"""SELECT {_COLUMNS} FROM member m JOIN app_user u ON u.id = m.user_id
    WHERE m.merchant_id = :merchant_id ORDER BY m.id"""


@dataclass(frozen=True, slots=True)
class Member:
    """A user as one merchant knows it; ``id`` is what documents and the log of acts keep."""

    id: int
    user_id: UUID
    email: str
    name: str
    role: Role
    disabled: bool
    created_at: datetime
    removed_at: datetime | None

    @property
    def may_act(self) -> bool:
        return self.removed_at is None and not self.disabled

    @property
    def subject(self) -> str:
        """The member as the log of acts names it."""
        return f"user:{self.id}"


def members(tx: Transaction) -> list[Member]:
    """All users of the merchant, also those who were removed, oldest first."""
    return [_member(row) for row in tx.run(_MEMBERS)]


def _member(row: Any) -> Member:
    return Member(**{**row._mapping, "role": Role(row.role)})


def is_last_owner(all_members: Sequence[Member], one: Member) -> bool:
    """Nobody else could let people in any more if ``one`` were no owner who may act."""
    owners = [member for member in all_members if member.may_act and member.role is Role.OWNER]
    return [owner.id for owner in owners] == [one.id]


def add(tx: Transaction, actor: Actor, email: str, role: Role, name: str = "") -> Member:
    """Make somebody a user of this merchant; one who was removed comes back as the same.

    Raises: Forbidden when the actor lacks a right that comes with the role; Refused for a user there is already.
    """
    _may_manage(actor, role)
    address = tidy_email(email)
    # Holds the address until the end of the transaction, so that two who add it take turns.
    user_id = tx.run("SELECT user_called(:email)", email=address).scalar_one()
    before = next((one for one in members(tx) if one.user_id == user_id), None)
    if before is not None and before.removed_at is None:
        raise Refused(f"{address} is a user already; `holdfast user role {address} {role}` gives another role")
    tx.run(
        """INSERT INTO member (merchant_id, id, user_id, name, role, disabled, created_at)
           VALUES (:merchant_id, :id, :user_id, :name, :role, false, :now)
           ON CONFLICT (merchant_id, user_id) DO UPDATE SET removed_at = NULL, disabled = false, role = EXCLUDED.role,
               name = CASE WHEN EXCLUDED.name = '' THEN member.name ELSE EXCLUDED.name END""",
        id=before.id if before else tx.new_id(), user_id=user_id, name=name.strip(), role=role,
    )  # fmt: skip
    added = next(one for one in members(tx) if one.user_id == user_id)
    acts.note(tx, actor, "user.add", added.subject, role=role)
    return added


def change_role(tx: Transaction, actor: Actor, email: str, role: Role) -> Member:
    """Give a user another role; returns the user as before.

    Raises: NotFound; Forbidden when the actor lacks a right that the old or the new role has; Refused for the last
    owner.
    """
    one = _locked(tx, actor, email, keeps_owner=role is Role.OWNER)
    _may_manage(actor, role)
    tx.run("UPDATE member SET role = :role WHERE merchant_id = :merchant_id AND id = :id", id=one.id, role=role)
    acts.note(tx, actor, "user.role", one.subject, role=role, was=one.role)
    return one


def set_disabled(tx: Transaction, actor: Actor, email: str, disabled: bool) -> Member:
    """Let a user do nothing with this merchant for now, or let it act again; returns the user as before.

    Raises: NotFound; Forbidden; Refused for the last owner.
    """
    one = _locked(tx, actor, email, keeps_owner=not disabled)
    tx.run(
        "UPDATE member SET disabled = :disabled WHERE merchant_id = :merchant_id AND id = :id",
        id=one.id, disabled=disabled,
    )  # fmt: skip
    acts.note(tx, actor, "user.disable" if disabled else "user.enable", one.subject)
    return one


def remove(tx: Transaction, actor: Actor, email: str, *, erase: bool = False) -> Member:
    """End what a user is to this merchant; other merchants keep theirs.

    The name stays readable in the log of acts, unless ``erase``: then address and name are deleted, also those of one
    who was removed before, and what the user did stands under a number. Raises: NotFound; Forbidden; Refused for the
    last owner.
    """
    if erase:
        # The address before its members, as those who add it take them.
        tx.run("SELECT user_called(:email)", email=find(tx, email).email)
    one = _locked(tx, actor, email, keeps_owner=False, or_removed=erase)
    if erase:
        tx.run("DELETE FROM member WHERE merchant_id = :merchant_id AND id = :id", id=one.id)
        tx.run("SELECT forget_user(:user_id)", user_id=one.user_id)
    else:
        tx.run("UPDATE member SET removed_at = :now WHERE merchant_id = :merchant_id AND id = :id", id=one.id)
    acts.note(tx, actor, "user.erase" if erase else "user.remove", one.subject)
    return one


def find(tx: Transaction, email: str) -> Member:
    """A user of this merchant by address, also one who was removed. Raises: NotFound."""
    address = tidy_email(email)
    for one in members(tx):
        if one.email == address:
            return one
    raise _unknown(address)


def _unknown(address: str) -> NotFound:
    return NotFound(f"this merchant has no user {address}; `holdfast user list` shows who there is")


def _may_manage(actor: Actor, role: Role) -> None:
    """Nobody gives or takes what they don't have themselves."""
    actor.require(Right.USER_MANAGE, *(right for right in Right if right in RIGHTS[role]))


def _locked(tx: Transaction, actor: Actor, email: str, *, keeps_owner: bool, or_removed: bool = False) -> Member:
    """The user to change, with all users of the merchant locked: two owners cannot remove each other at one moment."""
    address = tidy_email(email)
    everybody = [_member(row) for row in tx.run(_MEMBERS + " FOR UPDATE OF m")]
    one = next((found for found in everybody if found.email == address), None)
    if one is None or (one.removed_at is not None and not or_removed):
        raise _unknown(address)
    _may_manage(actor, one.role)
    if not keeps_owner and is_last_owner(everybody, one):
        raise Refused(f"{address} is the last owner; make another one first: `holdfast user role EMAIL owner`")
    return one
