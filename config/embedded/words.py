"""What a server's last words mean for the person who started it."""

from pathlib import Path

from core.errors import ConfigError

_CAUSES = (
    (
        ("No space left on device", "Check free disk space", "Disk quota exceeded"),
        "there is no space left on the disk of {home}; free some and start again",
    ),
    (
        ("Address already in use", "Address in use"),
        "its port is taken by another program; choose another port, or stop that program",
    ),
    (
        ("database files are incompatible with server",),
        "the data in {home} was written by another major version; start with that version, or dump and restore it",
    ),
    (
        ("Bad file format reading the append only file", "Unexpected end of file reading the append only file"),
        "its file is damaged; delete {home}/data, nothing is lost: it holds only messages that are sent again",
    ),
    (
        ("could not create shared memory segment", "Cannot allocate memory", "could not map anonymous shared memory"),
        "the machine gives it too little memory; stop other programs, or raise the limit, and start again",
    ),
    (
        ('lock file "postmaster.pid" already exists',),
        "a server that was started by hand runs on {home}; stop that one first",
    ),
    (
        ("could not look up effective user ID",),
        "the system has no name for the user id you run as; run as a user that is listed in /etc/passwd",
    ),
    (
        ("PermissionError: [Errno 13]",),
        "its program may not be run where it lies (as root: in TMPDIR); set TMPDIR to a folder mounted without noexec",
    ),
)


def explain(server: str, words: str, home: Path, log: Path) -> ConfigError:
    """The error for a server that ended by itself, from what it wrote; each known cause comes with its cure."""
    for marks, cause in _CAUSES:
        if any(mark in words for mark in marks):
            return ConfigError(f"{server} did not start: {cause.format(home=home)}")
    last = [line for line in words.splitlines() if line.strip()][-3:]
    return ConfigError(f"{server} ended by itself; it said: {' / '.join(last) or 'nothing'}; all of it is in {log}")
