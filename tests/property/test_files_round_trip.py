"""All that files can say of a merchant, taken over by another one: what that one writes is the same again, also when it
is taken over once more, and reading it where it came from changes nothing.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from core import audit
from core.files.kinds import KINDS
from core.goods.barcodes import check_digit
from core.transaction import Database
from tests.property.histories import played
from tests.property.test_import_export import ACTOR, exported, merchant, read, write

WALKED = played(3, soak=150)
SKUS = 6  # three plain ones, a kit, a bundle, and a bundle of these
# In the order in which each finds what it names. Receipts are left out: goods that came elsewhere are a file of stock.
TAKEN_OVER = ("items", "bundles", "suppliers", "supplier-items", "stock", "purchases", "transfers", "locks")
SAID: Mapping[str, Mapping[str, object]] = {"locks": {"approves": True, "as_owner": True}}
Row = Sequence[object]

_letters = st.characters(codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters="\0")
_word = st.text(_letters, min_size=1, max_size=5).filter(str.isprintable)
_code = st.one_of(_word, _word.map(lambda word: f"={word}"), _word.map(lambda word: f"'-{word}"))
_line = st.one_of(st.just(""), _code, st.tuples(_code, _code).map(lambda two: f'{two[0]}, "{two[1]}"; x'))
_note = st.one_of(_line, st.tuples(_word, _word).map("\n".join))
_quantity = st.integers(1, 900)
_grade = st.sampled_from(["good", "minor_defect", ""])
_barcode = st.integers(10**11, 10**12 - 1).map(lambda number: f"{number}{check_digit(str(number))}")
_units = st.lists(st.sampled_from(["case=24", "tray=6", "a; b=7"]), unique=True).map("; ".join)
_currency = st.sampled_from(["EUR", "JPY", "KWD"])
_plain = st.integers(0, 2)
_pair = st.tuples(_plain, _grade.map(lambda grade: grade or "good"))
_goods = st.lists(_pair, min_size=1, max_size=3, unique=True)


def distinct(code: str) -> str:
    """What tells codes apart here."""
    return code.strip().casefold()


@st.composite
def shops(draw: st.DrawFn) -> dict[str, list[Row]]:
    """Files, the first row of each with the names of its columns."""
    skus = draw(st.lists(_code, min_size=SKUS, max_size=SKUS, unique_by=distinct))
    barcodes = iter(draw(st.lists(_barcode, min_size=SKUS, max_size=SKUS, unique=True)))
    suppliers = draw(st.lists(st.sampled_from(["ACME", "B-1", "=C"]), min_size=1, unique=True))
    kinds = ("plain", "plain", "plain", "kit", "bundle", "bundle")
    files: dict[str, list[Row]] = {
        "items": [("sku", "title", "kind", "units", "barcodes")],
        "bundles": [("bundle", "kind", "part", "grade", "units")],
        "suppliers": [("code", "name", "email", "currency", "lead_days")],
        "supplier-items": [("supplier", "sku", "supplier_sku", "pack_size", "least_units", "lead_days", "cost")],
        "stock": [("sku", "warehouse", "grade", "quantity")],
        "purchases": [("number", "supplier", "warehouse", "expected_on", "note", "state", "sku", "grade", "quantity",
                       "cost", "line_expected_on")],
        "transfers": [("number", "from", "to", "expected_on", "note", "sku", "grade", "quantity", "sent")],
        "locks": [("key", "sku", "grade", "quantity", "type", "warehouse", "owner", "priority", "until", "overflow",
                   "reason")],
    }  # fmt: skip
    files["items"] += [
        (sku, draw(_line), kind, draw(_units), draw(st.sampled_from([next(barcodes), ""])))
        for sku, kind in zip(skus, kinds, strict=True)
    ]
    for made, inside in ((5, (4, 3)), (3, ()), (4, (3,))):
        parts = [(skus[n], grade) for n, grade in draw(_goods)] + [(skus[n], "good") for n in inside]
        files["bundles"] += [(skus[made], kinds[made], *part, draw(st.integers(1, 9))) for part in parts]
    days = st.sampled_from(["", 0, 7])
    files["suppliers"] += [
        (code, draw(_line) or code, draw(st.sampled_from(["", "desk@acme.example"])), draw(_currency), draw(days))
        for code in suppliers
    ]
    for code in suppliers:
        brought = draw(st.lists(_plain, unique=True))
        files["supplier-items"] += [
            (code, skus[n], draw(st.sampled_from(["", f"={n}", f"M;{n}"])), draw(_quantity), draw(_quantity),
             draw(days), draw(st.sampled_from(["", 3, 70])))
            for n in brought
        ]  # fmt: skip
    counted = draw(st.lists(st.tuples(st.sampled_from([0, 1, 2, 3]), st.sampled_from(["MAIN", "BERLIN"]), _grade),
                            unique_by=lambda row: (row[0], row[1], row[2] or "good"), max_size=5))  # fmt: skip
    files["stock"] += [(skus[n], place, grade, draw(st.integers(0, 900))) for n, place, grade in counted]
    due = st.sampled_from(["", "2027-02-01"])
    for number in draw(st.lists(_code, max_size=3, unique_by=distinct)):
        head = (number, draw(st.sampled_from(suppliers)), draw(st.sampled_from(["", "BERLIN"])), draw(due), draw(_note))
        state = draw(st.sampled_from(["draft", "placed", ""]))
        files["purchases"] += [
            (*head, state, skus[n], grade, draw(_quantity), draw(st.sampled_from(["", 3, 70])), draw(due))
            for n, grade in draw(_goods)
        ]
    for number in draw(st.lists(_code, max_size=2, unique_by=distinct)):
        asked = (number, *draw(st.permutations(["MAIN", "BERLIN"])), draw(due), draw(_note))
        files["transfers"] += [
            (*asked, skus[n], grade, draw(_quantity), draw(st.integers(0, 9))) for n, grade in draw(_goods)
        ]
    files["locks"] += [
        (key, skus[draw(_plain)], draw(_grade), draw(_quantity), "business", draw(st.sampled_from(["", "MAIN"])),
         draw(st.sampled_from(["", "@fairs"])), draw(st.integers(0, 5)),
         draw(st.sampled_from(["", "2099-01-01T12:00+01:00"])), draw(st.sampled_from(["", "no"])), draw(_line))
        for key in draw(st.lists(_code.map(lambda code: code.replace("/", "|")), max_size=2, unique_by=distinct))
    ]  # fmt: skip
    return files


def written(db: Database, merchant_id: int, folder: Path) -> dict[str, list[list[str]]]:
    """All files of a merchant, by kind. Rows of nothing are left out: a bin that never had any tells of none."""
    found = {kind: exported(db, merchant_id, kind, folder / f"{merchant_id}-{kind}.csv") for kind in TAKEN_OVER}
    found["stock"] = sorted(row for row in found["stock"] if row[-1] != "0")
    # In the order in which items were made.
    found["supplier-items"] = sorted(found["supplier-items"])
    return found


def taken_over(db: Database, from_id: int, folder: Path) -> int:
    merchant_id = merchant(db)
    for kind in TAKEN_OVER:
        read(db, merchant_id, kind, folder / f"{from_id}-{kind}.csv", **SAID.get(kind, {}))
    return merchant_id


def test_what_one_merchant_writes_another_takes_over_and_writes_again(db: Database, tmp_path: Path) -> None:
    @WALKED
    @given(files=shops())
    def walk(files: dict[str, list[Row]]) -> None:
        first = merchant(db)
        for kind in TAKEN_OVER:
            names, *rows = files[kind]
            path = write(tmp_path / "rows.csv", [str(name) for name in names], rows, (",", "utf-8", csv.QUOTE_MINIMAL))
            done = read(db, first, kind, path, **SAID.get(kind, {}))
            assert done.tally is not None
            assert done.tally.rows == len(rows)
        told = written(db, first, tmp_path)
        for kind in TAKEN_OVER:
            again = read(db, first, kind, tmp_path / f"{first}-{kind}.csv", **SAID.get(kind, {})).tally
            assert again is not None
            assert (kind, again.made, again.changed) == (kind, 0, 0)

        second = taken_over(db, first, tmp_path)
        retold = written(db, second, tmp_path)
        third = taken_over(db, second, tmp_path)

        assert retold == told
        assert written(db, third, tmp_path) == told
        assert {kind for kind, rows in files.items() if rows[1:]} >= {kind for kind, rows in told.items() if rows}
        with db.begin(third, actor=ACTOR) as tx:
            assert audit.audit(tx) == []

    walk()


def test_every_kind_that_can_be_taken_over_is_walked() -> None:
    assert set(TAKEN_OVER) | {"receipts"} == set(KINDS)
