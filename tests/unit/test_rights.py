"""Who may what, and how a refusal says so."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from core.access.actors import Actor, ActorKind, shell, tidy_email
from core.access.rights import RIGHTS, Right, Role, roles_with
from core.errors import BadKey, Forbidden, Refused
from core.key_text import KeyText, draw, read

PAGE = Path(__file__).parents[2] / "docs" / "rights.md"
MOVES_UNITS = {
    Right.STOCK_RECEIVE, Right.STOCK_ADJUST, Right.STOCK_CORRECT, Right.HOLD_MAKE, Right.ORDER_CHANGE,
    Right.LOCK_CHANGE, Right.LOCK_DECIDE, Right.LOCK_REQUEST, Right.POOL_CHANGE,
}  # fmt: skip


def a_user(role: Role) -> Actor:
    return Actor(1, ActorKind.USER, "2049", "a@example.com", RIGHTS[role], role)


def test_the_owner_may_do_everything_and_so_may_the_shell() -> None:
    assert RIGHTS[Role.OWNER] == shell(1).rights == frozenset(Right)


def test_every_role_may_look_and_a_viewer_may_nothing_else() -> None:
    assert all(Right.STOCK_VIEW in rights for rights in RIGHTS.values())
    assert RIGHTS[Role.VIEWER] == {Right.STOCK_VIEW}


def test_only_the_owner_lets_others_in() -> None:
    for right in (Right.USER_MANAGE, Right.KEY_MANAGE, Right.MERCHANT_CHANGE):
        assert roles_with([right]) == [Role.OWNER]


def test_who_keeps_the_hub_running_moves_no_unit() -> None:
    assert not RIGHTS[Role.OPERATOR] & MOVES_UNITS


def test_whoever_handles_goods_decides_nothing_about_who_gets_them() -> None:
    assert Right.LOCK_DECIDE not in RIGHTS[Role.WAREHOUSE]
    assert Right.RULE_CHANGE not in RIGHTS[Role.WAREHOUSE]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("right", Right)
def test_an_actor_may_what_its_role_says_and_nothing_else(role: Role, right: Right) -> None:
    if right in RIGHTS[role]:
        a_user(role).require(right)
    else:
        with pytest.raises(Forbidden) as refused:
            a_user(role).require(right)
        assert refused.value.right == right
        assert set(refused.value.roles) == {other for other in Role if right in RIGHTS[other]}


def test_a_refusal_names_who_lacks_what_and_the_cure() -> None:
    with pytest.raises(Forbidden) as refused:
        a_user(Role.VIEWER).require(Right.STOCK_VIEW, Right.STOCK_RECEIVE)

    assert str(refused.value) == (
        "a@example.com (viewer) lacks the right stock.receive, which comes with: owner, planner, warehouse; an owner "
        "gives another role: `holdfast user role a@example.com ROLE`"
    )


def test_a_key_that_lacks_a_right_is_told_that_another_key_is_the_cure() -> None:
    key = Actor(1, ActorKind.API_KEY, "00ff00ff00ff00ff", "website", frozenset({Right.STOCK_VIEW}))

    with pytest.raises(Forbidden, match=r"holdfast key make NAME --scope hold\.make"):
        key.require(Right.HOLD_MAKE)


def test_documents_keep_no_address_of_anybody() -> None:
    assert str(shell(1)) == "cli"
    assert str(a_user(Role.OWNER)) == "user:2049"


@pytest.mark.parametrize("typed", ["A@Example.com", "  a@example.COM "])
def test_an_address_is_the_same_however_it_is_typed(typed: str) -> None:
    assert tidy_email(typed) == "a@example.com"


@pytest.mark.parametrize("typed", ["", "a", "@", "a@", "@example.com", "a@b@c", "a b@example.com", "a\n@b", "a@b\x00"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(Refused, match="no e-mail address"):
        tidy_email(typed)


def test_an_address_of_any_length_that_mail_allows_and_no_longer() -> None:
    assert tidy_email("a" * 242 + "@example.com")
    with pytest.raises(Refused):
        tidy_email("a" * 243 + "@example.com")


def test_a_key_reads_back_as_it_was_drawn_and_no_two_are_alike() -> None:
    keys = [draw() for _ in range(100)]

    assert [read(str(key)) for key in keys] == keys
    assert len({key.secret for key in keys}) == len({key.public_id for key in keys}) == 100
    assert all(len(bytes.fromhex(key.secret)) == 32 for key in keys)


def test_what_is_kept_of_a_key_depends_on_every_letter_of_its_secret() -> None:
    key = KeyText("0" * 16, "a" * 64)
    others = [replace(key, secret=key.secret[:n] + "b" + key.secret[n + 1 :]) for n in range(64)]

    assert len({key.secret_hash, *(other.secret_hash for other in others)}) == 65
    assert key.secret not in repr(key)


@pytest.mark.parametrize(
    "text",
    ["", "hf_", "hf__", "website", f"hf_{'0' * 16}", f"hf_{'0' * 16}_{'a' * 63}", f"hf_{'0' * 16}_{'a' * 64}\n",
     f"hf_{'0' * 16}_{'A' * 64}", f"HF_{'0' * 16}_{'a' * 64}", f"hf_{'0' * 16}_{'a' * 63}\x00", "hf_" + "٣" * 16],
)  # fmt: skip
def test_what_is_no_key_is_not_even_looked_up(text: str) -> None:
    with pytest.raises(BadKey):
        read(text)


def test_the_page_on_rights_shows_the_table_as_it_is() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if re.match(r"\| (right|`[a-z]+\.[a-z]+`) \|", line)
    ]

    assert rows[0] == ["right", "covers", *Role]
    assert [[row[0], *row[2:]] for row in rows[1:]] == [
        [f"`{right}`", *("yes" if right in RIGHTS[role] else "" for role in Role)] for right in Right
    ]
    assert all(row[1] for row in rows[1:])
