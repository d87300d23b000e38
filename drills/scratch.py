"""A folder for servers whose data nobody keeps: no disk where there is room in memory, and always gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from config.embedded.home import announced

ENOUGH_MEMORY = 2 * 2**30  # bytes


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """A new folder whose name begins with ``name``; those of runs that were killed are removed first."""
    base = memory_folder() or Path(tempfile.gettempdir())
    _remove_left_behind(base, name)
    made = Path(tempfile.mkdtemp(prefix=f"{name}-{os.getpid()}-", dir=base))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def memory_folder() -> Path | None:
    """A folder that is no disk, if there is one with room: a disk takes longer to make files than their use does."""
    memory = Path("/dev/shm")  # noqa: S108  mkdtemp makes what is in it private
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        return None
    room = min(shutil.disk_usage(memory).free, psutil.virtual_memory().available)
    return memory if room > ENOUGH_MEMORY else None


def _remove_left_behind(base: Path, name: str) -> None:
    """The data of runs that were killed: in memory it would stay until the machine is started anew."""
    for left in base.glob(f"{name}-*-*"):
        pid = left.name.removeprefix(f"{name}-").partition("-")[0]
        lives = not pid.isdigit() or psutil.pid_exists(int(pid))
        if not lives and os.access(left, os.W_OK) and not announced(left):
            shutil.rmtree(left, ignore_errors=True)
