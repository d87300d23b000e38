"""The copy of a file that is read in: it has no name, and is read by several at once."""

import tempfile
from pathlib import Path

import pytest

from edge.csv_files import opened


def test_a_copy_leaves_nothing_behind_however_the_process_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = tmp_path / "items.csv", tmp_path / "temporary"
    file.write_text("sku,title\nMUG,Mug\n")
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with opened(file, ["sku", "title"]) as copy:
        assert list(folder.iterdir()) == []
        assert list(copy.rows()) == [(2, ["MUG", "Mug"])]


def test_who_reads_a_copy_does_not_move_others_who_read_it(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    rows = [(n, [f"SKU-{n}", ("Becher – " * 40)]) for n in range(2, 2_000)]
    file.write_text("sku,title\n" + "".join(f"{','.join(cells)}\n" for _, cells in rows))
    with opened(file, ["sku", "title"]) as copy:
        both = zip(copy.rows(), copy.rows(), strict=True)
        assert [one for one, other in both if one == other] == rows
