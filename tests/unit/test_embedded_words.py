"""What is decided without starting a server."""

import platform
from pathlib import Path

import pytest

from config.embedded.binaries import postgres_folder, valkey_program
from config.embedded.words import explain
from config.processes import Backoff, trim_log
from core.errors import ConfigError

HOME, LOG = Path("/srv/hub/postgres"), Path("/srv/hub/postgres/server.log")


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ('FATAL:  could not write to file "pg_wal/xlogtemp.1": No space left on device', "free some"),
        ("ERROR:  could not extend file\nHINT:  Check free disk space.", "free some"),
        ('LOG:  could not bind IPv4 address "127.0.0.1": Address already in use', "choose another port"),
        ("FATAL:  database files are incompatible with server", "start with that version"),
        ("# Bad file format reading the append only file appendonly.aof.1.incr.aof", "delete /srv/hub/postgres/data"),
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory", "stop other programs"),
        ('FATAL:  lock file "postmaster.pid" already exists', "stop that one first"),
        ("initdb: could not look up effective user ID 1234: user does not exist", "listed in /etc/passwd"),
        ("PermissionError: [Errno 13] Permission denied", "set TMPDIR"),
    ],
)
def test_each_known_cause_of_a_failed_start_names_its_cure(words: str, cure: str) -> None:
    assert cure in str(explain("PostgreSQL", words, HOME, LOG))


def test_an_unknown_cause_shows_the_last_words_and_the_log() -> None:
    text = str(explain("Valkey", "first\n\nsecond\nthird\nfourth\n", HOME, LOG))

    assert "second / third / fourth" in text
    assert "first" not in text
    assert str(LOG) in text


def test_a_machine_without_carried_servers_is_told_to_bring_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    with pytest.raises(ConfigError, match=r"riscv64.*HOLDFAST_DATABASE_URL and HOLDFAST_REDIS_URL"):
        valkey_program()


def test_a_version_that_is_not_carried_is_refused_with_the_ones_that_are() -> None:
    with pytest.raises(ConfigError, match="16 and 18"):
        postgres_folder(12)


def test_waits_between_starts_grow_to_a_cap_and_a_calm_life_makes_them_small_again() -> None:
    backoff = Backoff(first_s=1.0, cap_s=8.0, calm_s=30.0)

    waits = [backoff.ended(now=100.0, lived_s=0.1) for _ in range(6)]
    after_calm = backoff.ended(now=200.0, lived_s=31.0)

    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert after_calm == 1.0
    assert backoff.not_before == 201.0


def test_a_long_log_moves_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old line\n" * 10)

        trim_log(log, limit_bytes=1000)
        kept = log.read_bytes()
        trim_log(log, limit_bytes=50)
        writer.write(b"new line\n")

    assert kept == b"old line\n" * 10
    assert log.read_bytes() == b"new line\n"
    assert (tmp_path / "worker.log.1").read_bytes() == kept
