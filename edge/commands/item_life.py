"""``holdfast item rename``, ``merge``, ``split`` and ``reference``: what becomes of items over time."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.stock import GOOD, GRADES
from core.words import counted
from edge.commands.acting import MOST, DryRun, Key, Reason, Sku
from edge.commands.common import Call, say, say_json, say_table
from edge.commands.spread import spread

if TYPE_CHECKING:
    from core.goods.splitting import Piece
    from core.stock import Spot
    from core.transaction import Transaction


@spread
def rename(
    sku: Sku,
    to: Annotated[str, typer.Argument(metavar="NEW", help="the SKU that it is to have")],
    swap: Annotated[bool, typer.Option("--swap", help="NEW is another item's; the two exchange their SKUs")] = False,
    *,
    call: Call,
) -> None:
    """Give an item another SKU.

    Its listings, promises and history stay with it, and its old SKU finds it as before, until another item takes that.

    \b
    Example: holdfast item rename MUG-RED MUG-ROUGE
             holdfast item rename MUG-RED MUG-BLUE --swap
    """
    from core.goods import renames

    with call.door(Right.RULE_CHANGE) as entered, entered.begin() as tx:
        if swap:
            renames.swap(tx, sku, to)
        changed = swap or renames.rename(tx, sku, to)
        if changed:
            entered.log(tx, "item.rename", f"item:{to}", before=sku, after=to, swap=swap)
    if call.as_json:
        say_json({"before": sku, "sku": to.strip(), "swap": swap, "changed": changed})
    elif swap:
        say(f"{sku} and {to} have exchanged their SKUs.")
    else:
        say(f"{sku} is {to} now; {sku} finds it, too." if changed else f"It is {to} already.")


@spread
def merge(
    sku: Sku,
    into: Annotated[str, typer.Option("--into", metavar="SKU", help="the item that it becomes a part of")],
    reason: Annotated[str, typer.Option("--reason", help="why, for everybody who looks at it later")] = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Make two items one.

    The first becomes a part of the second. Its units, promises, locks and listings, and its place in bundles, are the
    second's from then on; its SKU and its references find the second. The second's own rules hold. There is no way back
    but to split units off again.

    \b
    Example: holdfast item merge MUG-RED-2 --into MUG-RED --dry-run
    """
    from core.goods import merging

    with call.door(Right.STOCK_CORRECT) as entered:
        done = merging.merge(
            entered.app.db, call.merchant, sku, into, actor=str(entered.actor), reason=reason, dry_run=dry_run
        )
        if not (dry_run or done.repeated):
            with entered.begin() as tx:
                entered.log(tx, "item.merge", f"item:{into}", part=sku, document=done.document_id)
    if call.as_json:
        say_json({**done._asdict(), "sku": sku, "into": into, "dry_run": dry_run})
    elif done.repeated:
        say(f"{sku} is a part of {into} already, by document {done.document_id}.")
    else:
        units = f"{counted(done.on_hand, 'unit')} on hand and {done.promised:,} promised or waiting"
        say(f"{sku} {'would become' if dry_run else 'is now'} a part of {into}, with {units}.")


@spread
def split(
    sku: Sku,
    new: Annotated[str, typer.Argument(metavar="NEW", help="the SKU of the new item")],
    take: Annotated[
        list[str] | None,
        typer.Option("--take", metavar="N[:GRADE][@PLACE]", help="units, like 5 or 3:minor_defect@BERLIN/A-01"),
    ] = None,
    listing: Annotated[
        list[str] | None, typer.Option("--listing", metavar="STORE=LISTING", help="a listing that sells it from now on")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="what people call it; else as before")] = None,
    reason: Reason = "",
    key: Key = "",
    dry_run: DryRun = False,
    *,
    call: Call,
) -> None:
    """Make a part of an item a new item.

    Free units, and listings that sell it from then on. What is promised, locked or dealt out stays what it is. Without
    a place, units are taken from the default bin.

    \b
    Example: holdfast item split MUG-RED MUG-RED-2024 --take 12 --take 3:minor_defect@BERLIN/A-01
             holdfast item split MUG-RED MUG-RED-2024 --take 12 --listing Berlin=1042
    """
    from core.goods import splitting
    from core.goods.splitting import Wish
    from core.ledger import home_of
    from edge.commands.acting import effect_key

    with call.door(Right.STOCK_CORRECT) as entered:
        with entered.begin() as tx:
            goods = _pieces(tx, take or (), home_of(entered.app.db, call.merchant).spot)
            wish = Wish(sku, new, goods, _listings(tx, listing or ()), title, reason)
        done = splitting.split(
            entered.app.db, call.merchant, wish, effect_key("cli", key), actor=str(entered.actor), dry_run=dry_run
        )
        if not (dry_run or done.repeated):
            with entered.begin() as tx:
                entered.log(tx, "item.split", f"item:{done.item_id}", of=sku, document=done.document_id)
    if call.as_json:
        say_json({**done._asdict(), "sku": new, "of": sku, "dry_run": dry_run})
    elif done.repeated:
        say(f"That was done before, by document {done.document_id}; nothing was changed.")
    else:
        units = counted(done.units, "unit")
        say(f"{new} {'would be' if dry_run else 'is'} an item of its own{' now' * (not dry_run)}, with {units}.")


@spread
def reference(
    sku: Sku,
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND=VALUE]...", help="like barcode=4006381333931 or asin=B00X")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="KIND=VALUE", help="it is called so no more")
    ] = None,
    *,
    call: Call,
) -> None:
    """Say what others call an item, or show it.

    Wherever a SKU is asked for, a barcode or any other reference will do. Suppliers' numbers are told with
    `holdfast supplier item`, and find the item, too.

    \b
    Example: holdfast item reference MUG-RED barcode=4006381333931
             holdfast stock show 4006381333931
    """
    from core import catalog
    from core.goods import references, skus

    said, gone = [_pair(one) for one in what or ()], [_pair(one) for one in drop or ()]
    right = Right.RULE_CHANGE if said or gone else Right.STOCK_VIEW
    with call.door(right) as entered, entered.begin() as tx:
        if said or gone:
            skus.take_turns(tx)
        item_id = catalog.item_id_of(tx, sku)
        for kind, value in gone:
            references.drop(tx, item_id, kind, value)
        for kind, value in said:
            references.put(tx, item_id, kind, value)
        if said or gone:
            entered.log(tx, "item.reference", f"item:{item_id}", set=list(what or ()), dropped=list(drop or ()))
        known = references.of_item(tx, item_id)
    if call.as_json:
        say_json({"sku": sku, "references": [dataclasses.asdict(one) for one in known]})
    elif known:
        say_table(["kind", "value"], [[one.kind, one.value] for one in known])
    else:
        say(f"Nobody calls {sku} anything else; `holdfast item reference {sku} barcode=4006381333931` says so.")


def _pair(text: str) -> tuple[str, str]:
    kind, equals, value = text.partition("=")
    if not equals or not kind.strip() or not value.strip():
        raise typer.BadParameter(f"{text!r} says no reference; write it like barcode=4006381333931")
    return kind, value


def _pieces(tx: "Transaction", take: Sequence[str], default: "Spot") -> "Mapping[Piece, int]":
    from core.goods.splitting import Piece
    from core.warehouse import warehouses

    found: Counter[Piece] = Counter()
    for one in take:
        what, _, place = one.partition("@")
        units, _, grade = what.partition(":")
        grade = grade.strip() or GOOD
        number = units.strip()
        known = number.isascii() and number.isdigit() and 1 <= int(number[:12]) <= MOST
        if not known or grade not in GRADES:
            raise typer.BadParameter(f"{one!r} says no units; write it like 5 or 3:{GRADES[-1]}@BERLIN/A-01")
        spot = warehouses.spot_of(tx, place) if place.strip() else default
        found[Piece(grade, spot)] += int(number)
    return found


def _listings(tx: "Transaction", named: Sequence[str]) -> list[int]:
    from core.selling import rules

    found = []
    for one in named:
        store, equals, listing = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"{one!r} names no listing; write it like Berlin=1042")
        found.append(rules.listing_subject(tx, store, listing).id)
    return found
