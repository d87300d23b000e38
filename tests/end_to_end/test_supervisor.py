"""The supervisor with real processes: crashes, drains, Ctrl-C, and its own death."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from config import embedded
from config.processes import wait_until
from core.errors import ConfigError
from edge.supervisor import Child, Supervisor

ROOT = Path(__file__).parents[2]
PATIENT = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
# Writes its name when it is told to end, and again when it has drained.
DRAINING = """
import signal, sys, time
name, file = sys.argv[1:]
def note(word):
    with open(file, "a") as stream:
        stream.write(f"{name} {word}\\n")
def drain(*_):
    note("told")
    time.sleep(0.2)
    note("drained")
    sys.exit()
signal.signal(signal.SIGTERM, drain)
print("ready", flush=True)
signal.pause()
"""
WHOLE_HUB = """
import json, sys
from pathlib import Path
from config import embedded
from edge.supervisor import Child, Supervisor
folder, program, servers = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "servers"
def run(revive):
    with Supervisor(folder / "logs", stop_order=["edge", "worker"], revive=revive) as supervisor:
        for name in ("worker", "edge"):
            supervisor.start(Child(name, [sys.executable, "-P", "-c", program], {}, drain_s=60))
            supervisor.read_ready_line(name, 20)
        print(json.dumps(dict(supervisor.pids())), flush=True)
        while not supervisor.wait(1.0):
            pass
        print("stopping", flush=True)
if servers:
    with embedded.start(folder, fsync=False) as hub:
        run(hub.revive)
else:
    run(None)
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "logs", stop_order=["edge", "relay", "worker"]) as running:
        yield running


StartHub = Callable[[str, bool], "tuple[subprocess.Popen[str], list[psutil.Process]]"]


@pytest.fixture
def start_hub(tmp_path: Path) -> Iterator[StartHub]:
    """Runs a supervisor in a process of its own, with or without servers; gives it and all that it started."""
    started: list[psutil.Process] = []

    def start(program: str, servers: bool) -> "tuple[subprocess.Popen[str], list[psutil.Process]]":
        hub = subprocess.Popen(
            [sys.executable, "-c", WHOLE_HUB, str(tmp_path), program, "servers" if servers else "alone"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(psutil.Process(hub.pid))
        assert hub.stdout is not None
        assert set(json.loads(hub.stdout.readline())) == {"edge", "worker"}
        started.extend(started[0].children(recursive=True))
        return hub, started[1:]

    yield start
    for process in started:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def child(name: str, program: str, *arguments: str, drain_s: float = 10.0, restart: bool = True) -> Child:
    return Child(name, [sys.executable, "-P", "-c", program, *arguments], dict(os.environ), drain_s, restart)


def test_a_crashed_child_is_started_again(supervisor: Supervisor) -> None:
    first = supervisor.start(child("worker", PATIENT))
    supervisor.read_ready_line("worker", 20)

    os.kill(first, signal.SIGKILL)

    assert wait_until(lambda: supervisor.pids().get("worker", first) != first, 10)
    assert supervisor.read_ready_line("worker", 20) == "ready"
    assert not psutil.pid_exists(first)


def test_a_child_that_keeps_crashing_is_started_less_and_less_often(supervisor: Supervisor, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    supervisor.start(child("relay", f"import time; open({str(starts)!r}, 'a').write(f'{{time.time()}} ')"))

    assert wait_until(lambda: starts.exists() and len(starts.read_text().split()) >= 4, 20)
    times = [float(moment) for moment in starts.read_text().split()]
    gaps = [later - earlier for earlier, later in pairwise(times)]

    assert gaps[0] >= 0.2
    assert gaps[2] >= 0.8


def test_a_child_that_may_end_stays_ended_and_its_code_is_known(supervisor: Supervisor) -> None:
    supervisor.start(child("sandbox", "raise SystemExit(3)", restart=False))

    assert wait_until(lambda: supervisor.ended() == {"sandbox": 3}, 10)
    assert not supervisor.wait(0.5)
    assert supervisor.pids() == {}


def test_children_end_one_after_another_in_the_stop_order(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with Supervisor(tmp_path / "logs", stop_order=["edge", "relay", "worker"]) as supervisor:
        for name in ("edge", "sandbox", "worker", "relay"):
            supervisor.start(child(name, DRAINING, name, str(notes)))
            supervisor.read_ready_line(name, 20)

    names = ("edge", "relay", "worker", "sandbox")
    assert notes.read_text().splitlines() == [f"{name} {word}" for name in names for word in ("told", "drained")]


def test_a_child_that_will_not_end_is_killed_after_its_time(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "logs") as supervisor:
        stubborn = supervisor.start(child("worker", STUBBORN, drain_s=0.5))
        supervisor.read_ready_line("worker", 20)
        began = time.monotonic()

    assert 0.5 <= time.monotonic() - began < 5
    assert not psutil.pid_exists(stubborn)


def test_the_ready_line_comes_from_stdout_alone_and_a_child_that_ends_first_is_reported(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(child("sandbox", "import sys; print('noise', file=sys.stderr); print('port 1'); sys.stdin.read()"))
    supervisor.start(child("broken", "print('no line end', end='')", restart=False))

    assert supervisor.read_ready_line("sandbox", 20) == "port 1"
    assert (tmp_path / "logs" / "sandbox.log").read_text() == "noise\n"
    with pytest.raises(ConfigError, match="broken ended with code 0 before it was ready"):
        supervisor.read_ready_line("broken", 20)
    supervisor.start(child("late", "input()"))
    with pytest.raises(ConfigError, match=r"late was not ready within 0\.1 s"):
        supervisor.read_ready_line("late", 0.1)


def test_a_child_has_its_own_session_and_never_our_python_path(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    asked = "import os, sys; print(os.getsid(0), os.getpid(), 'PYTHONPATH' in os.environ, flush=True); sys.stdin.read()"

    pid = supervisor.start(child("edge", asked))

    assert supervisor.read_ready_line("edge", 20) == f"{pid} {pid} False"


def test_a_hub_ends_cleanly_on_one_ctrl_c(start_hub: StartHub) -> None:
    hub, children = start_hub(PATIENT, True)

    hub.send_signal(signal.SIGINT)

    assert hub.wait(20) == 0
    assert len(children) > 6
    assert names_of_living(children) == []


def test_a_second_ctrl_c_does_not_wait_for_draining(start_hub: StartHub) -> None:
    hub, children = start_hub(STUBBORN, False)
    assert hub.stdout is not None

    hub.send_signal(signal.SIGINT)
    assert hub.stdout.readline() == "stopping\n"
    assert hub.poll() is None
    hub.send_signal(signal.SIGINT)

    assert hub.wait(10) == 0
    assert len(children) == 2
    assert names_of_living(children) == []


def test_a_killed_supervisor_leaves_no_process_behind(start_hub: StartHub, tmp_path: Path) -> None:
    hub, children = start_hub(STUBBORN, True)

    hub.kill()
    hub.wait()

    assert len(children) > 6
    assert names_of_living(children) == []
    with embedded.start(tmp_path, fsync=False) as again:
        again.check()


def names_of_living(processes: Sequence[psutil.Process]) -> list[str]:
    """Who still lives after some seconds; a zombie that nobody has fetched yet counts as ended."""

    def lives(process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    wait_until(lambda: not any(map(lives, processes)), 10, step_s=0.05)
    return [process.name() for process in processes if lives(process)]
