"""Purchase orders as they are planned: drafts and their lines, expected days, and what suppliers announce.

Whoever changes one holds its row, so acts on a purchase order come one after another, whoever sends them. The row is
locked before all rows of balances.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from core import bulk, numbered, tables
from core.books import key_hash
from core.catalog import sku_key
from core.errors import NotFound, Refused
from core.goods import skus
from core.sales import expected
from core.stock import GRADES, Stocked
from core.supply import suppliers
from core.supply.lines import Notice, PurchaseLine, PurchaseRow, comes_on, state_of
from core.transaction import Transaction
from core.zones import zone_of

ROW_LOCK = "FOR NO KEY UPDATE"
LATE = "late_supply"
MOST_UNITS = 1_000_000_000
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase order with its lines in their order, and by line what its supplier announced."""

    row: PurchaseRow
    lines: Sequence[PurchaseLine]
    notices: Mapping[int, Sequence[Notice]]

    @property
    def state(self) -> str:
        return state_of(self.row, self.lines)

    def comes_on(self, line: PurchaseLine) -> date | None:
        return comes_on(self.row, line, self.notices.get(line.id, ()))


def find(tx: Transaction, number: str) -> Purchase:
    """As it stands, for who only looks. Raises: NotFound, naming some that are there."""
    return _read(tx, number, "")


def locked(tx: Transaction, number: str) -> Purchase:
    """The same, and nobody else changes it until our transaction ends. Raises: NotFound."""
    return _read(tx, number, ROW_LOCK)


def _read(tx: Transaction, number: str, row_lock: str) -> Purchase:
    first = "`holdfast purchase new` makes one"
    row = numbered.row_of(tx, "purchase", PurchaseRow._fields, number, row_lock, first, called="purchase order")
    (purchase,) = with_lines(tx, [PurchaseRow(*row)])
    return purchase


def with_lines(tx: Transaction, rows: Collection[PurchaseRow]) -> list[Purchase]:
    """Purchase orders with all that belongs to them, for any number of them."""
    lines: dict[int, list[PurchaseLine]] = {row.id: [] for row in rows}
    for line in _lines(tx, lines):
        lines[line.purchase_id].append(line)
    notices = _notices(tx, [line.id for some in lines.values() for line in some])
    return [
        Purchase(row, lines[row.id], {line.id: notices[line.id] for line in lines[row.id] if line.id in notices})
        for row in rows
    ]


def _lines(tx: Transaction, purchase_ids: Iterable[int]) -> list[PurchaseLine]:
    rows = tx.run(
        f"""SELECT {", ".join(f"l.{name}" for name in PurchaseLine._fields)}
            FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM purchase_line WHERE merchant_id = :merchant_id
                AND purchase_id = k.id OFFSET 0) l ORDER BY l.purchase_id, l.nth""",
        ids=sorted(purchase_ids),
    )
    return [PurchaseLine(*row) for row in rows]


def _notices(tx: Transaction, line_ids: Collection[int]) -> Mapping[int, Sequence[Notice]]:
    rows = tx.run(
        f"""SELECT {", ".join(f"n.{name}" for name in Notice._fields)}
            FROM unnest(CAST(:ids AS bigint[])) k (id)
            CROSS JOIN LATERAL (SELECT * FROM purchase_notice WHERE merchant_id = :merchant_id
                AND line_id = k.id OFFSET 0) n ORDER BY n.line_id, n.expected_on, n.number""",
        ids=sorted(line_ids),
    )
    found: defaultdict[int, list[Notice]] = defaultdict(list)
    for row in rows:
        found[row.line_id].append(Notice(*row))
    return found


# ---- drafts


def new(
    tx: Transaction, number: str, supplier: str, warehouse_id: int, *, expected_on: date | None = None, note: str = ""
) -> PurchaseRow:
    """An empty draft. Raises: Refused for a number that is taken or none; NotFound."""
    number = number.strip()
    if not number or len(number) > _LONGEST or not number.isprintable():
        raise Refused(f"a purchase order's number is one line of at most {_LONGEST} letters, like PO-7")
    row = PurchaseRow(
        tx.new_id(), number, suppliers.find(tx, supplier).id, warehouse_id, expected_on, note, tx.now, tx.actor
    )
    made = tx.run(
        f"""INSERT INTO purchase (merchant_id, {", ".join(PurchaseRow._fields)})
            VALUES (:merchant_id, {", ".join(f":{name}" for name in PurchaseRow._fields)})
            ON CONFLICT (merchant_id, number) DO NOTHING""",
        **row._asdict(),
    )
    if not made.rowcount:
        raise Refused(f"there is a purchase order {number} already; `holdfast purchase show {number}` shows it")
    return row


def items_named(tx: Transaction, supplier_id: int, codes: Collection[str]) -> dict[str, skus.SkuItem]:
    """Items by our SKUs, or by the supplier's. Raises: NotFound, naming the unknown; Refused for a bundle."""
    ours = skus.find(tx, codes)
    theirs = suppliers.skus_by_code(tx, supplier_id, [code for code in codes if sku_key(code) not in ours])
    named = {code: theirs.get(code.strip(), code) for code in codes}
    items = skus.resolve(tx, named.values())
    for item in items.values():
        if item.kind == "bundle":
            raise Refused(f"{item.sku} is a bundle; order what it is made of: `holdfast item show {item.sku}` tells")
    return {code: items[sku_key(sku)] for code, sku in named.items()}


def item_named(tx: Transaction, supplier_id: int, code: str) -> skus.SkuItem:
    """One item, likewise."""
    return items_named(tx, supplier_id, [code])[code]


@dataclass(frozen=True, slots=True)
class Wanted:
    """``quantity`` (>= 1) sale units, or ``cases`` of the supplier's, of the item that it or we call ``code``.

    ``cost_minor``: of one unit; None: what the supplier says.
    """

    code: str
    quantity: int
    cases: bool = False
    grade: str = GRADES[0]
    expected_on: date | None = None
    cost_minor: int | None = None


def add_lines(tx: Transaction, number: str, wanted: Sequence[Wanted]) -> list[PurchaseLine]:
    """Order more of a draft. Raises: Refused for what cannot be ordered, or is on the order already; NotFound."""
    purchase = locked(tx, number)
    _require_draft(purchase)
    supplier_id = purchase.row.supplier_id
    items = items_named(tx, supplier_id, [one.code for one in wanted])
    brings = suppliers.brings(tx, supplier_id, [item.id for item in items.values()])
    known = {line.stocked for line in purchase.lines}
    nth = max((line.nth for line in purchase.lines), default=0)
    lines: list[PurchaseLine] = []
    for one in wanted:
        item = items[one.code]
        told = brings[item.id]
        stocked = Stocked(item.id, one.grade)
        if stocked in known:
            raise Refused(
                f"{number} has a line of {item.sku} already, of {one.grade} grade; `holdfast purchase drop-line` takes "
                "it off"
            )
        known.add(stocked)
        nth += 1
        cost = told.cost_minor if one.cost_minor is None else one.cost_minor
        lines.append(
            PurchaseLine(
                tx.new_id(), purchase.row.id, nth, *stocked, _units(one, item.sku, told.pack_size), 0, 0, 0,
                told.pack_size or 1, cost, one.expected_on,
            )
        )  # fmt: skip
    write_lines(tx, lines)
    return lines


def _units(wanted: Wanted, sku: str, pack: int | None) -> int:
    """Sale units. Raises: Refused."""
    if wanted.cases and pack is None:
        raise Refused(f"nobody said how many {sku} a case holds: `holdfast supplier item SUPPLIER {sku} --pack 24`")
    units = wanted.quantity * (pack or 1) if wanted.cases else wanted.quantity
    if not 1 <= units <= MOST_UNITS:
        raise Refused(f"order 1 to {MOST_UNITS:,} units of {sku}")
    return units


def drop_line(tx: Transaction, number: str, item_id: int, grade: str) -> bool:
    """Take a line off a draft; returns False when it has none of that item. Raises: Refused; NotFound."""
    purchase = locked(tx, number)
    _require_draft(purchase)
    gone = tx.run(
        """DELETE FROM purchase_line WHERE merchant_id = :merchant_id AND purchase_id = :id AND item_id = :item_id
             AND grade = :grade""",
        id=purchase.row.id, item_id=item_id, grade=grade,
    )  # fmt: skip
    return bool(gone.rowcount)


def _require_draft(purchase: Purchase) -> None:
    if purchase.state != "draft":
        raise Refused(f"{purchase.row.number} is {purchase.state}; more is ordered with `holdfast purchase new`")


def drop(tx: Transaction, purchase: Purchase) -> None:
    """A draft, held by ``locked``, is cancelled: nothing was on its way."""
    tx.run("UPDATE purchase SET cancelled_at = :now WHERE merchant_id = :merchant_id AND id = :id", id=purchase.row.id)


def write_lines(tx: Transaction, lines: Collection[PurchaseLine]) -> None:
    bulk.put(tx, tables.purchase_line, PurchaseLine._fields, lines, ("id",))


# ---- when goods come


def set_day(tx: Transaction, number: str, on: date, item_id: int | None = None) -> list[Stocked]:
    """A purchase order comes on another day; with ``item_id`` only its lines of that item do.

    Lines with a day of their own keep it while the order's changes; one that lead days made is not their own. Returns:
    what is concerned. Raises: Refused.
    """
    purchase = locked(tx, number)
    if purchase.state not in ("draft", "placed"):
        raise Refused(f"{number} is {purchase.state}: nothing of it is still to come")
    if item_id is None:
        tx.run(
            "UPDATE purchase SET expected_on = :on WHERE merchant_id = :merchant_id AND id = :id",
            on=on, id=purchase.row.id,
        )  # fmt: skip
        write_lines(tx, _without_lead_days(tx, purchase))
    else:
        mine = [line for line in purchase.lines if line.item_id == item_id]
        if not mine:
            raise NotFound(f"{number} has no line of that item; `holdfast purchase show {number}` lists them")
        write_lines(tx, [line._replace(expected_on=on) for line in mine])
    return follow(tx, find(tx, number))


def give_notice(tx: Transaction, number: str, notice: str, units: Mapping[int, int], on: date) -> list[Stocked]:
    """The supplier says under a number of its own what is on the way, by line; said again, the new word holds.

    ``units`` (>= 0) by line id; 0: not with this delivery after all. Returns: what is concerned. Raises: Refused.
    """
    purchase = locked(tx, number)
    if purchase.state != "placed":
        raise Refused(f"{number} is {purchase.state}; a notice is for what is still to come of a placed order")
    notice = notice.strip()
    if not notice or len(notice) > _LONGEST or not notice.isprintable():
        raise Refused("a notice has the number that its supplier gave it, like ASN-12")
    lines = {line.id: line for line in purchase.lines}
    if not units or units.keys() - lines.keys():
        raise NotFound(f"a notice names lines of {number}; `holdfast purchase show {number}` lists them")
    if any(not 0 <= n <= MOST_UNITS for n in units.values()):
        raise Refused(f"a notice announces 0 to {MOST_UNITS:,} units of a line")
    known = {(one.line_id, one.number): one for some in purchase.notices.values() for one in some}
    rows = [
        Notice(line_id, notice, n, on, earlier.came_before if earlier else lines[line_id].came, tx.now, tx.actor)
        for line_id, n in units.items()
        for earlier in [known.get((line_id, notice))]
    ]
    bulk.put(tx, tables.purchase_notice, Notice._fields, rows, ("line_id", "number"))
    return follow(tx, find(tx, number))


def lead_days(tx: Transaction, purchase: Purchase) -> dict[int, date]:
    """By line without a day, the one that the supplier's lead days make, counted from today, where there are any."""
    supplier = suppliers.get(tx, purchase.row.supplier_id)
    brings = suppliers.brings(tx, supplier.id, [line.item_id for line in purchase.lines])
    today = tx.now.astimezone(zone_of(tx)).date()
    found = {}
    for line in purchase.lines:
        own = brings[line.item_id].lead_days
        days = supplier.lead_days if own is None else own
        if purchase.comes_on(line) is None and days is not None:
            found[line.id] = today + timedelta(days=days)
    return found


def placing_key(purchase_id: int) -> str:
    """The effect key under which an order is placed; its result says which days lead days made, by line."""
    return f"purchase/{purchase_id}/place"


def _without_lead_days(tx: Transaction, purchase: Purchase) -> list[PurchaseLine]:
    """Lines whose day nobody said, without it: lead days made it when the order was placed."""
    noted = tx.run(
        "SELECT result FROM effect WHERE merchant_id = :merchant_id AND key_hash = :hash",
        hash=key_hash(placing_key(purchase.row.id)),
    ).scalar_one_or_none()
    made = {int(line_id): date.fromisoformat(day) for line_id, day in (noted or {}).items()}
    computed = (line for line in purchase.lines if line.expected_on is not None)
    return [line._replace(expected_on=None) for line in computed if made.get(line.id) == line.expected_on]


def follow(tx: Transaction, purchase: Purchase) -> list[Stocked]:
    """Say to who waits what a placed order still brings, and end what was said of lines that are late no more.

    Counted units are on sale and await nobody. Returns: what the order brings or brought.
    """
    if purchase.row.placed_at is None:
        return []
    today = tx.now.astimezone(zone_of(tx)).date()
    days = {line.id: purchase.comes_on(line) for line in purchase.lines}
    coming = [(line.stocked, line.came + line.uncounted, line.came, days[line.id]) for line in purchase.lines]
    expected.follow(tx, purchase.row.number, coming)
    in_time = [line.id for line in purchase.lines if not line.open or (day := days[line.id]) is None or day >= today]
    tx.run(
        """UPDATE incident SET closed_at = :now WHERE merchant_id = :merchant_id AND closed_at IS NULL
             AND id = ANY(ARRAY(SELECT i.id FROM unnest(CAST(:ids AS bigint[])) k (id) CROSS JOIN LATERAL (
                 SELECT id FROM incident WHERE merchant_id = :merchant_id AND order_line_id = k.id AND kind = :kind
                   AND closed_at IS NULL OFFSET 0) i))""",
        ids=in_time, kind=LATE,
    )  # fmt: skip
    return [line.stocked for line in purchase.lines]
