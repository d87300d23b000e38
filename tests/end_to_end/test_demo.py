"""The demo as a newcomer runs it: a command in any folder, its numbers, its exit code, and nothing left behind."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

PROMISED = {
    "orders", "order_lines", "cancellations", "cancellations_unmatched", "rows_not_goods", "webhooks_sent",
    "webhooks_duplicated", "webhooks_dropped", "webhooks_reordered", "effects_applied", "orders_lost",
    "effects_doubled", "oversold_units", "oversold_units_unavoidable", "audit_violations", "listings",
    "listings_equal", "lag_ms", "seconds",
}  # fmt: skip
FILE = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,Country
1,85123A,HEART,6,2010-12-01T08:26:00,2.55,United Kingdom
1,85123a,HEART,2,2010-12-01T08:26:00,2.55,United Kingdom
1,POST,POSTAGE,1,2010-12-01T08:26:00,18,France
2,71053,LANTERN,3,2010-12-01T08:28:00,3.39,United Kingdom
3,71053,LANTERN,-10,2010-12-01T08:29:00,0,United Kingdom
C4,71053,LANTERN,-3,2010-12-01T09:00:00,3.39,United Kingdom
C5,99999,NEVER SOLD,-1,2010-12-01T09:01:00,3.39,United Kingdom
6,85123A,HEART,4,2010-12-01T09:30:00,2.55,United Kingdom
"""


@pytest.fixture
def foreign_folder(tmp_path: Path) -> Path:
    """A folder with a ``config`` and a ``core`` of its own, which must not be mistaken for ours."""
    for name in ("config", "core", "jobs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not ours')")
    return tmp_path


@contextmanager
def demo(folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """A demo under way in ``folder``, with its temporary files there too."""
    argv = [sys.executable, "-P", "-m", "edge.cli", "demo", "--once", "--json", *options]
    scratch = folder / "tmp"
    scratch.mkdir()
    process = subprocess.Popen(
        argv, cwd=folder, env=_environment(scratch), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment(scratch: Path) -> dict[str, str]:
    # The PATH's servers and another hub's settings must not matter.
    return {"PATH": "/usr/bin:/bin", "TMPDIR": str(scratch), "HOLDFAST_DATABASE_URL": "postgresql://nobody@nowhere/x"}


def finished(process: "subprocess.Popen[str]", limit_s: float = 180) -> tuple[Any, str]:
    """The one line of JSON on stdout, and what was told on stderr. A failed check fails the test."""
    told, said = process.communicate(timeout=limit_s)
    assert process.returncode == 0, said
    assert told.count("\n") == 1
    return json.loads(told), said


def family(pid: int) -> Sequence[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def all_ended(processes: Sequence[psutil.Process], limit_s: float) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=limit_s)
    return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def wait_for(process: "subprocess.Popen[str]", words: str, limit_s: float = 90) -> None:
    assert process.stderr
    deadline = time.monotonic() + limit_s
    for line in process.stderr:
        if words in line:
            return
        assert time.monotonic() < deadline, f"no {words!r} within {limit_s:g} s"
    pytest.fail(f"the demo ended before it said {words!r}")


@pytest.mark.timeout(240)
def test_a_day_with_faults_ends_with_every_check_and_leaves_nothing_behind(foreign_folder: Path) -> None:
    with demo(foreign_folder, "--limit", "40", "--seed", "3") as process:
        found, said = finished(process)

    assert found.keys() >= PROMISED
    assert found["lag_ms"].keys() == {"p50", "p95", "p99"}
    assert found["orders"] > 30
    assert found["orders_lost"] == found["effects_doubled"] == found["audit_violations"] == 0
    assert found["listings"] == found["listings_equal"] == 3 * 400
    assert found["webhooks_sent"] > 0
    assert "every check holds" in said
    assert list((foreign_folder / "tmp").glob("holdfast*")) == []


@pytest.mark.timeout(240)
def test_a_file_is_replayed_and_what_is_no_order_is_named(foreign_folder: Path) -> None:
    file = foreign_folder / "orders.csv"
    file.write_text(FILE)

    with demo(foreign_folder, "--calm", "--orders", str(file)) as process:
        found, said = finished(process)

    assert (found["orders"], found["cancellations"], found["cancellations_unmatched"]) == (3, 1, 1)
    assert (found["rows"], found["rows_not_goods"]) == (8, 2)
    assert found["listings"] == 3 * 3
    assert found["oversold_units"] == found["oversold_units_unavoidable"]
    assert "1 x POST: postage" in said
    assert "C5: no earlier order holds 1 x 99999" in said


@pytest.mark.timeout(240)
def test_ctrl_c_ends_every_process_and_takes_the_data_away(foreign_folder: Path) -> None:
    with demo(foreign_folder) as process:
        wait_for(process, "the shops open")
        processes = family(process.pid)

        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 130
        assert len(processes) >= 5
        assert all_ended(processes, 1)
    assert list((foreign_folder / "tmp").glob("holdfast-demo-*")) == []


@pytest.mark.timeout(240)
def test_a_killed_demo_leaves_no_process_behind(foreign_folder: Path) -> None:
    with demo(foreign_folder) as process:
        wait_for(process, "the shops open")
        processes = family(process.pid)

        process.kill()

        assert all_ended(processes, 15)


def test_a_file_that_cannot_be_played_is_refused_before_anything_starts(foreign_folder: Path) -> None:
    (foreign_folder / "orders.csv").write_text("InvoiceNo,StockCode,Quantity\n1,85123A,six\n")

    with demo(foreign_folder, "--orders", "orders.csv") as process:
        told, said = process.communicate(timeout=30)

    assert (process.returncode, told) == (1, "")
    assert "row 2: Quantity is 'six'" in said
    assert list((foreign_folder / "tmp").glob("holdfast*")) == []
