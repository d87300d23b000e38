"""Goods that come, go and turn out to be other than the books say, through the core and through ``holdfast stock``."""

import pytest

from core.errors import KeyReused, NotFound, Refused
from core.goods import items
from core.goods.adjusting import Adjusted, Lose, Regrade, SetOnShelf, Unblock
from core.goods.receiving import Receive
from core.rehearsal import rehearse
from core.sales.holds import Hold
from core.stock import MINOR_DEFECT, DocumentKind, Stocked
from tests.builders import FAR_OFF, Units, World, line, order
from tests.integration import lock_acts
from tests.integration.command_line import Holdfast
from tests.integration.race_acts import together


def flawed(stocked: Stocked) -> Stocked:
    return stocked._replace(grade=MINOR_DEFECT)


def free(world: World, stocked: Stocked) -> int:
    return int(
        world.scalar(
            """SELECT coalesce(sum(free), 0) FROM sales_balance
               WHERE merchant_id = :merchant_id AND item_id = :item_id AND grade = :grade""",
            item_id=stocked.item_id, grade=stocked.grade,
        )
    )  # fmt: skip


def regrade(world: World, sku: str, units: int, key: str = "regrade/1") -> Adjusted:
    result: Adjusted = world.do(Regrade(key, "scratched", world.item(sku), MINOR_DEFECT, units))
    return result


def set_to(world: World, sku: str, counted: int, key: str = "") -> Adjusted:
    result: Adjusted = world.do(SetOnShelf(key or f"set/{world.next_seq()}", "count", world.item(sku), counted))
    return result


# ---- what comes in


def test_damaged_units_of_a_receipt_are_on_hand_and_not_for_sale(world: World) -> None:
    world.stocked("mug", units=0)
    mug = world.item("mug")
    world.do(Receive("receipt/1", DocumentKind.RECEIPT, {mug: 38}, damaged={mug: 2}))
    assert (world.units("mug").free, world.on_hand("mug")) == (38, (38, 2))


def test_what_comes_back_enters_in_the_grade_it_was_found_to_be(world: World) -> None:
    world.stocked("mug", units=1)
    mug = world.item("mug")
    world.do(Receive("return/1", DocumentKind.RETURN, {flawed(mug): 3}))
    assert (free(world, mug), free(world, flawed(mug))) == (1, 3)


def test_a_receipt_with_the_same_key_and_other_damage_is_refused(world: World) -> None:
    world.stocked("mug", units=0)
    mug = world.item("mug")
    first = world.do(Receive("receipt/1", DocumentKind.RECEIPT, {mug: 5}, damaged={mug: 1}))
    assert world.do(Receive("receipt/1", DocumentKind.RECEIPT, {mug: 5}, damaged={mug: 1})) == first
    with pytest.raises(KeyReused, match="receipt/1"):
        world.do(Receive("receipt/1", DocumentKind.RECEIPT, {mug: 5}, damaged={mug: 2}))


def test_cases_are_booked_in_sale_units(world: World) -> None:
    world.stocked("mug", units=0)
    mug = world.item("mug")
    with world.db.begin(1, actor="test") as tx:
        items.set_unit(tx, mug.item_id, "Case", 24)
        items.set_unit(tx, mug.item_id, "pallet", 960)
        assert items.in_sale_units(tx, mug.item_id, 3, "CASE") == 72
        with pytest.raises(NotFound, match="there are: case, pallet"):
            items.in_sale_units(tx, mug.item_id, 3, "crate")
        items.drop_unit(tx, mug.item_id, "case")
        assert items.units_of(tx, mug.item_id) == {"pallet": 960}


@pytest.mark.parametrize(("unit", "units"), [("case", 0), ("case", -1), ("", 2), ("case", 10**12), ("a=b", 2)])
def test_a_unit_of_nothing_or_without_a_name_is_refused(world: World, unit: str, units: int) -> None:
    world.stocked("mug", units=0)
    with pytest.raises(Refused), world.db.begin(1, actor="test") as tx:
        items.set_unit(tx, world.item("mug").item_id, unit, units)


# ---- damaged, mended, scrapped


def test_damaged_units_are_mended_or_thrown_away(world: World) -> None:
    world.stocked("mug", units=10)
    mug = {world.item("mug"): 3}
    world.do(Lose("damage/1", "dropped", DocumentKind.DAMAGE, mug))
    world.do(Unblock("mend/1", "glued", DocumentKind.MEND, {world.item("mug"): 1}))
    world.do(Unblock("scrap/1", "hopeless", DocumentKind.SCRAP, {world.item("mug"): 2}))
    assert (world.units("mug").free, world.on_hand("mug")) == (8, (8, 0))
    assert world.documents() == ["damage", "mend", "scrap"]


@pytest.mark.parametrize("kind", [DocumentKind.MEND, DocumentKind.SCRAP])
def test_only_what_is_set_apart_is_mended_or_scrapped(world: World, kind: DocumentKind) -> None:
    world.stocked("mug", units=10)
    with pytest.raises(Refused, match="set apart as unavailable are 0, not 1"):
        world.do(Unblock("x", "why not", kind, {world.item("mug"): 1}))


def test_mended_units_serve_what_waits(world: World) -> None:
    store = world.stocked("mug", units=1)
    world.do(Lose("damage/1", "dropped", DocumentKind.DAMAGE, {world.item("mug"): 1}))
    world.hear(store, order(line("mug", 1), paid=True))
    world.do(Unblock("mend/1", "glued", DocumentKind.MEND, {world.item("mug"): 1}))
    assert world.units("mug") == Units(sold=1)


def test_written_off_units_that_were_thrown_away_do_not_come_back_when_their_store_restocks_them(world: World) -> None:
    """The store takes its word back, but the goods are gone: the order is never refused for that."""
    store = world.stocked("mug", units=5)
    world.hear(store, order(line("mug", 2, written_off=2), paid=True))
    assert world.on_hand("mug") == (3, 2)
    world.do(Unblock("scrap/1", "broken", DocumentKind.SCRAP, {world.item("mug"): 1}))
    assert world.hear(store, order(line("mug", 2, cancelled=2), paid=True)) is True
    assert (world.units("mug").free, world.on_hand("mug")) == (4, (4, 0))


# ---- another grade


def test_regraded_units_leave_one_grade_and_enter_the_other_in_one_document(world: World) -> None:
    world.stocked("mug", units=10)
    mug = world.item("mug")
    adjusted = regrade(world, "mug", 4)
    assert (free(world, mug), free(world, flawed(mug))) == (6, 4)
    assert world.documents() == ["regrade"]
    assert regrade(world, "mug", 4).document_id == adjusted.document_id
    assert free(world, mug) == 6


def test_promised_units_that_turn_out_to_be_flawed_break_the_newest_promise(world: World) -> None:
    store = world.stocked("mug", units=2)
    world.hear(store, order(line("mug", 2), paid=True))
    adjusted = regrade(world, "mug", 1)
    assert [(loss.units, loss.promise is not None) for loss in adjusted.losses] == [(1, True)]
    assert world.incidents()[0].cause == "broken"
    assert free(world, flawed(world.item("mug"))) == 1


def test_flawed_units_are_sold_and_locked_like_others(world: World) -> None:
    world.stocked("mug", units=5)
    minor = flawed(world.item("mug"))
    regrade(world, "mug", 4)
    lock_acts.lock(world, "outlet", "mug", 3, stocked=minor)
    world.do(Hold("cart", {minor: 1}, FAR_OFF))
    assert free(world, minor) == 3  # of the lock's pool
    with pytest.raises(Refused):
        world.do(Hold("late", {minor: 1}, FAR_OFF))


@pytest.mark.parametrize("to", ["good", "broken", ""])
def test_units_become_another_known_grade(world: World, to: str) -> None:
    world.stocked("mug", units=5)
    with pytest.raises(Refused):
        world.do(Regrade("x", "why not", world.item("mug"), to, 1))


# ---- counted


@pytest.mark.parametrize(("counted", "kind"), [(13, "found"), (7, "missing")])
def test_a_count_books_the_difference(world: World, counted: int, kind: str) -> None:
    world.stocked("mug", units=10)
    assert set_to(world, "mug", counted).change == counted - 10
    assert (world.units("mug").free, world.on_hand("mug")) == (counted, (counted, 0))
    assert world.documents() == [kind]


def test_a_count_that_agrees_books_nothing_and_keeps_its_key(world: World) -> None:
    world.stocked("mug", units=10)
    assert set_to(world, "mug", 10, "set/monday").document_id is None
    world.receive("mug", 5)
    assert set_to(world, "mug", 10, "set/monday").repeated
    assert world.units("mug").free == 15


def test_what_is_promised_is_on_the_shelf_and_what_is_damaged_is_not(world: World) -> None:
    store = world.stocked("mug", units=10)
    world.hear(store, order(line("mug", 4), paid=True))
    world.do(Lose("damage/1", "dropped", DocumentKind.DAMAGE, {world.item("mug"): 2}))
    assert set_to(world, "mug", 8).document_id is None
    assert set_to(world, "mug", 3).change == -5
    assert world.units("mug") == Units(sold=3, backordered=1)


def test_counts_and_sales_at_the_same_time_leave_what_the_last_count_and_the_sales_say(world: World) -> None:
    """A count is compared with what is there when it is booked, never with what somebody read before."""
    store = world.stocked("mug", units=50)
    mug = world.item("mug")
    seqs = [world.next_seq() for _ in range(24)]

    def act(n: int) -> object:
        if n % 2:
            shipped = order(line("mug", 1, shipped=1), external_id=str(n), paid=True)
            return world.hear(store, shipped, fetch_seq=seqs[n])
        return world.do(SetOnShelf(f"set/{n}", "count", mug, 50))

    together(act, range(24), threads=8)
    units, (there, _) = world.units("mug"), world.on_hand("mug")
    assert units.free == there <= 50
    assert set_to(world, "mug", 50).change == 50 - there


# ---- trying out


def test_a_rehearsal_answers_as_the_act_would_and_changes_nothing(world: World) -> None:
    store = world.stocked("mug", units=3)
    world.hear(store, order(line("mug", 2), paid=True))
    command = Lose("missing/1", "gone", DocumentKind.MISSING, {world.item("mug"): 2})
    told = rehearse(world.db, 1, command, actor="test")
    assert [(loss.units, loss.promise is not None) for loss in told.losses] == [(1, False), (1, True)]
    assert (world.units("mug"), world.incidents()) == (Units(free=1, sold=2), [])
    refused = rehearse(world.db, 1, Lose("x", "gone", DocumentKind.MISSING, {world.item("mug"): 9}), actor="test")
    assert isinstance(refused, Refused)
    assert world.do(command).losses == told.losses


# ---- through the command line


def test_a_receipt_in_cases_says_how_many_came(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=0)
    assert holdfast("stock", "receive", "MUG", "3", "--unit", "case").err.count("`holdfast item unit SKU case=24`") == 1
    assert holdfast("item", "unit", "mug", "case=24", "pallet=960").code == 0
    said = holdfast("stock", "receive", "MUG", "3", "--unit", "case", "--damaged", "2")
    assert said.out.startswith("72 units of MUG booked in, 2 of them not to be sold, document ")
    assert world.on_hand("MUG") == (70, 2)
    assert holdfast("item", "unit", "MUG", "--json").json == {"sku": "MUG", "units": {"case": 24, "pallet": 960}}


def test_a_loss_is_tried_out_and_then_booked(holdfast: Holdfast, world: World) -> None:
    store = world.stocked("MUG", units=3)
    world.hear(store, order(line("MUG", 3), paid=True))

    tried = holdfast("stock", "missing", "MUG", "2", "--reason", "not there", "--dry-run")
    assert world.units("MUG") == Units(sold=3)
    told = holdfast("stock", "missing", "MUG", "2", "--reason", "not there", "--json").json

    assert "Only tried out" in tried.out
    assert "order #1001 of Main street" in tried.out
    (lost,) = told["losses"]
    assert (lost["sku"], lost["grade"], lost["units"], lost["waits"]) == ("MUG", "good", 2, True)
    assert (lost["pool"], lost["order"], lost["store"], lost["hold"]) == ("the shared pool", "#1001", "Main street", "")
    assert (told["change"], told["repeated"], told["dry_run"]) == (-2, False, False)


def test_a_hold_that_is_broken_is_named_by_its_key(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=1)
    world.do(Hold("cart-7", {world.item("MUG"): 1}, FAR_OFF))
    assert "hold cart-7" in holdfast("stock", "damage", "MUG", "1", "--reason", "dropped").out


def test_every_act_says_what_it_did(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)
    steps = [
        (("found", "MUG", "2", "--reason", "behind the shelf"), "2 units of MUG booked in"),
        (("damage", "MUG", "3", "--reason", "dropped"), "3 units of MUG are set apart as unavailable"),
        (("mend", "MUG", "1", "--reason", "glued"), "1 unit of MUG is back on sale"),
        (("scrap", "MUG", "1", "--reason", "hopeless"), "1 unit of MUG is thrown away"),
        (("regrade", "MUG", "2", "--reason", "scratched"), "2 units of MUG are minor_defect from now on"),
        (("return", "MUG", "1", "--grade", "minor_defect"), "1 unit of MUG (minor_defect) booked in"),
        (("set", "MUG", "5", "--reason", "count"), "MUG has 5 units on the shelf: 2 units fewer than the books said"),
        (("set", "MUG", "5", "--reason", "count"), "nothing was changed"),
    ]
    for arguments, sentence in steps:
        said = holdfast("stock", *arguments)
        assert (said.code, said.err) == (0, ""), arguments
        assert sentence in said.out
    assert world.on_hand("MUG") == (5, 1)
    acts = [row.act for row in world.ask("SELECT act FROM act_log WHERE merchant_id = :merchant_id ORDER BY id")]
    assert acts == [
        "stock.found",
        "stock.damage",
        "stock.mend",
        "stock.scrap",
        "stock.regrade",
        "stock.return",
        "stock.set",
    ]


def test_a_key_makes_an_act_happen_once(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)
    arguments = ("stock", "missing", "MUG", "2", "--reason", "gone", "--key", "shelf-7")
    assert holdfast(*arguments, "--json").json["repeated"] is False
    assert holdfast(*arguments, "--json").json["repeated"] is True
    assert "was booked before" in holdfast(*arguments).out
    assert world.units("MUG").free == 7
    assert len(world.ask("SELECT 1 FROM act_log WHERE merchant_id = :merchant_id")) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("missing", "MUG", "1"),
        ("missing", "MUG", "0", "--reason", "x"),
        ("set", "MUG", "-1", "--reason", "x"),
        ("regrade", "MUG", "1", "--to", "broken", "--reason", "x"),
        ("receive", "MUG", "1", "--grade", "best"),
    ],
)
def test_what_makes_no_sense_is_not_understood(holdfast: Holdfast, world: World, arguments: tuple[str, ...]) -> None:
    world.stocked("MUG", units=1)
    assert holdfast("stock", *arguments).code == 2


def test_an_empty_reason_is_refused_with_the_cure(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=1)
    said = holdfast("stock", "scrap", "MUG", "1", "--reason", " ")
    assert (said.code, said.err) == (1, "holdfast: say why: a change of stock without a reason helps nobody later\n")


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (("stock", "receive", "MUG", "1"), "stock.receive"),
        (("stock", "missing", "MUG", "1", "--reason", "x"), "stock.adjust"),
        (("stock", "set", "MUG", "1", "--reason", "x"), "stock.adjust"),
        (("stock", "reverse", "1", "--reason", "x"), "stock.correct"),
        (("item", "add", "CUP"), "rule.change"),
        (("item", "unit", "MUG", "case=2"), "rule.change"),
        (("bundle", "set", "MUG", "CUP=2"), "rule.change"),
        (("bundle", "assemble", "MUG", "1"), "stock.adjust"),
        (("bundle", "return", "MUG", "1"), "stock.receive"),
    ],
)
def test_who_may_only_look_is_told_which_right_is_missing(
    holdfast: Holdfast, world: World, arguments: tuple[str, ...], right: str
) -> None:
    world.stocked("MUG", units=1)
    holdfast("user", "add", "viewer@shop.example", "--role", "viewer")
    said = holdfast(*arguments, "--as", "viewer@shop.example")
    assert said.code == 1
    assert f"lacks the right {right}" in said.err
