"""Random files of stock, written in all the ways that spreadsheets write them: what they say is what there is, what is
exported says it again, and taking a file back leaves what was there before.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from core import audit, ledger
from core.files import running, undoing
from core.files.columns import find_columns
from core.files.desk import Desk
from core.files.kinds import KINDS
from core.files.running import Done
from core.transaction import Database
from core.warehouse import warehouses
from edge.csv_files import opened, written
from tests.property.histories import played, random_shop

ACTOR = "test"
PLACES = ("MAIN", "BERLIN")
GRADES = ("good", "minor_defect")
FORMULAS = ("=", "+", "-", "@")
WALKED = played(12, soak=400)
Cell = tuple[str, str, str]  # SKU, warehouse, grade
How = tuple[str, str, Literal[0, 1]]  # delimiter, encoding, quoting

# Codes as people choose them who never heard of CSV.
_letters = st.characters(codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters="\0")
_codes = st.text(_letters, min_size=1, max_size=6).map(str.strip).filter(lambda code: code and code.isprintable())
_skus = st.one_of(
    _codes,
    _codes.map(lambda code: f"={code}"),
    _codes.map(lambda code: f"'={code}"),
    _codes.map(lambda c: f'{c},"{c};'),
)
_counts = st.dictionaries(
    st.tuples(st.integers(0, 3), st.sampled_from(PLACES), st.sampled_from(GRADES)), st.integers(0, 50), max_size=6
)


def merchant(db: Database) -> int:
    merchant_id = random_shop(db).merchant_id
    with db.begin(merchant_id, actor=ACTOR) as tx:
        warehouses.add(tx, "BERLIN", {})
    return merchant_id


def read(db: Database, merchant_id: int, kind: str, path: Path, **said: object) -> Done:
    columns = KINDS[kind].columns
    desk = desk_of(db, merchant_id, **said)
    with opened(path, [name for column in columns for name in column.names]) as source:
        header = find_columns(columns, source.names, {})
        file = running.File(KINDS[kind], header, source.rows, path.name, source.digest + bytes([len(said)]))
        tried = running.go_through(file, desk)
        assert tried.problems == []
        done = running.do(file, desk, again=True, best_effort=False)
        assert done.tally is not None
        assert (tried.made, tried.changed, tried.same) == (done.tally.made, done.tally.changed, done.tally.same)
        return done


def desk_of(db: Database, merchant_id: int, **said: object) -> Desk:
    return Desk(db, merchant_id, ACTOR, lambda commands: ledger.run(db, merchant_id, commands, actor=ACTOR), said=said)


def write(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]], how: How) -> Path:
    """As a spreadsheet would, which knows nothing of ours."""
    delimiter, encoding, quoting = how
    text = io.StringIO()
    sheet = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    sheet.writerow(names)
    sheet.writerows([[f"'{cell}" if _looks_live(str(cell)) else cell for cell in row] for row in rows])
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def _looks_live(cell: str) -> bool:
    return cell.lstrip("'").startswith((*FORMULAS, "＝", "＋", "－", "＠"))


def exported(db: Database, merchant_id: int, kind: str, path: Path) -> list[list[str]]:
    """What an export says, read by hand; no cell of it is a formula."""
    with db.begin(merchant_id, actor=ACTOR) as tx, written(path, KINDS[kind].exported) as one:
        for page in KINDS[kind].pages(tx, True):
            for row in page:
                one(row)
    _, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    assert not [cell for row in rows for cell in row if cell.startswith(FORMULAS)]
    return [[cell[1:] if cell.startswith("'") and _looks_live(cell) else cell for cell in row] for row in rows]


def test_what_files_say_is_what_there_is_and_what_is_written_says_it_again(db: Database, tmp_path: Path) -> None:
    how = st.tuples(
        st.sampled_from([",", ";", "\t"]), st.sampled_from(["utf-8", "utf-8-sig"]),
        st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    )  # fmt: skip

    @WALKED
    @given(
        skus=st.lists(_skus, min_size=4, max_size=4, unique_by=lambda sku: sku.casefold()),
        files=st.lists(st.tuples(_counts, st.booleans(), how), min_size=1, max_size=4),
    )
    def walk(skus: list[str], files: list[tuple[dict[tuple[int, str, str], int], bool, How]]) -> None:
        merchant_id = merchant(db)
        made = read(
            db, merchant_id, "items", write(tmp_path / "items.csv", ["sku"], [[sku] for sku in skus], files[0][2])
        )
        assert made.tally is not None
        assert made.tally.made == len(skus)
        told: dict[Cell, int] = {}
        before, done = told, None
        for counts, adds, written_how in files:
            before = dict(told)
            rows = [[skus[n], place, grade, units] for (n, place, grade), units in counts.items()]
            path = write(tmp_path / "stock.csv", ["SKU", "Location", "Grade", "Qty"], rows, written_how)
            done = read(db, merchant_id, "stock", path, **({"adds": True} if adds else {}))
            for sku, place, grade, units in rows:
                cell = (str(sku), str(place), str(grade))
                told[cell] = int(str(units)) + (told.get(cell, 0) if adds else 0)
            assert stock(db, merchant_id, tmp_path) == nonzero(told)

        again = read(db, merchant_id, "stock", tmp_path / "out.csv")
        assert again.tally is not None
        assert (again.tally.made, again.tally.changed) == (0, 0)
        assert done is not None
        back = undoing.undo(KINDS["stock"], desk_of(db, merchant_id), done.row, "mistake", dry_run=False)
        assert back.kept == 0
        assert stock(db, merchant_id, tmp_path) == nonzero(before)
        with db.begin(merchant_id, actor=ACTOR) as tx:
            assert audit.audit(tx) == []

    walk()


def stock(db: Database, merchant_id: int, folder: Path) -> dict[Cell, int]:
    rows = exported(db, merchant_id, "stock", folder / "out.csv")
    return nonzero({(sku, place, grade): int(units) for sku, place, _, grade, units in rows})


def nonzero(told: dict[Cell, int]) -> dict[Cell, int]:
    return {cell: units for cell, units in told.items() if units}
