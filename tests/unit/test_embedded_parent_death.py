"""The watcher for systems whose kernel sends no signal when a parent ends; it runs anywhere."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from config import parent_death
from config.processes import wait_until


@pytest.fixture
def target() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def tied(lifeline: int, *command: str) -> "subprocess.Popen[bytes]":
    tie = [sys.executable, "-I", "-S", parent_death.__file__, f"lifeline={lifeline}", str(int(signal.SIGTERM)), "-"]
    return subprocess.Popen([*tie, *command], pass_fds=[lifeline], stdout=subprocess.PIPE)


def watchers(lifeline: int) -> list[psutil.Process]:
    mark = f"lifeline={lifeline}"
    return [process for process in psutil.process_iter(["cmdline"]) if mark in (process.info["cmdline"] or [])]


def test_a_command_ends_when_its_lifeline_closes() -> None:
    reading, writing = os.pipe()
    command = tied(reading, "sh", "-c", "echo running; exec sleep 600")
    os.close(reading)
    assert command.stdout is not None
    assert command.stdout.readline() == b"running\n"

    os.close(writing)

    assert command.wait(10) == -signal.SIGTERM
    command.stdout.close()
    assert wait_until(lambda: not watchers(reading), 10)


def test_the_watcher_goes_with_its_command_and_holds_none_of_its_pipes() -> None:
    reading, writing = os.pipe()
    command = tied(reading, "echo", "done")
    os.close(reading)

    assert command.stdout is not None
    assert command.stdout.read() == b"done\n"
    assert command.wait(10) == 0
    assert wait_until(lambda: not watchers(reading), 10)
    command.stdout.close()
    os.close(writing)


def test_a_command_that_ignores_the_signal_is_killed_after_the_grace(target: "subprocess.Popen[bytes]") -> None:
    reading, writing = os.pipe()
    os.close(writing)

    # A process that runs ignores SIGCONT.
    parent_death.watch(reading, target.pid, signal.SIGCONT, grace_s=0.2)

    assert target.wait(10) == -signal.SIGKILL
    os.close(reading)
