"""What the commands share: options, the way to a hub, and how answers look for people and for machines."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.access.rights import Right
from core.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from config.settings import Settings
    from config.wiring import App
    from core.access.actors import Actor
    from core.transaction import Transaction

FIRST_MERCHANT = 1
_QUIET = ("httpx", "dramatiq", "alembic", "urllib3")


def _somebody(context: typer.Context, param: typer.CallbackParam, value: str) -> str:
    """An empty ``--as``, from a script whose variable is not set, must not mean the shell with all its rights."""
    given = context.get_parameter_source(param.name or "")
    if not value.strip() and given is not None and given.name != "DEFAULT":
        raise typer.BadParameter("it is empty; name a user, or leave --as out to act as whoever has the shell")
    return value


Merchant = Annotated[int, typer.Option("--merchant", metavar="ID", help="whose: the number of the merchant")]
As = Annotated[
    str,
    typer.Option(
        "--as", metavar="EMAIL", help="act as this user of the merchant, with that user's rights", callback=_somebody
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="answer in one line of JSON, for machines")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="folder of the hub's own servers; else HOLDFAST_DATA_DIR"),
]


def settings_for(data_dir: Path | None) -> "Settings":
    """The settings, with the folder that the command line names. Raises: ConfigError."""
    from config.settings import Settings

    return Settings.load() if data_dir is None else Settings.load(data_dir=data_dir)


def located(data_dir: Path | None = None) -> "Settings":
    """The settings of the hub that runs, be its servers its own or embedded. Raises: ConfigError."""
    from config.hub import locate

    return locate(settings_for(data_dir))


def log_to_stderr(level: str) -> None:
    """Our own words at ``level``, those of libraries only when they warn."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for noisy in _QUIET:
        logging.getLogger(noisy).setLevel("WARNING")


@contextmanager
def whole_hub(data_dir: Path | None) -> Iterator["App"]:
    """The App of the hub that runs, for one command of whoever has the shell. Raises: ConfigError."""
    settings = located(data_dir)

    from config.wiring import build

    log_to_stderr("WARNING")
    with database_errors_told():
        app = build(settings, pool_size=2)
        try:
            yield app
        finally:
            app.close()


@contextmanager
def hub(merchant: int, data_dir: Path | None) -> Iterator["App"]:
    """The same, for one command of one merchant. Raises: ConfigError; NotFound."""
    with whole_hub(data_dir) as app:
        _require_merchant(app, merchant)
        yield app


@dataclass(frozen=True, slots=True)
class Door:
    """An open hub, and who came in; ``str(actor)`` is what documents keep."""

    app: "App"
    actor: "Actor"

    @property
    def merchant_id(self) -> int:
        return self.actor.merchant_id

    def begin(self) -> "AbstractContextManager[Transaction]":
        """A transaction of this actor for this merchant."""
        return self.app.db.begin(self.merchant_id, actor=str(self.actor))

    @contextmanager
    def begin_or_try(self, dry_run: bool) -> "Iterator[Transaction]":
        """The same, with ``dry_run`` taken back at its end: what would have happened was seen and is not so."""
        with self.begin() as tx:
            yield tx
            if dry_run:
                tx.connection.rollback()

    def log(self, tx: "Transaction", act: str, subject: str, **detail: object) -> None:
        """Write down what was done, in the transaction that does it; see ``core.access.acts.note``."""
        from core.access import acts

        acts.note(tx, self.actor, act, subject, **detail)

    def log_all(self, tx: "Transaction", act: str, done: Mapping[str, Mapping[str, object]]) -> None:
        """The same for many subjects at once; ``done``: detail by subject."""
        from core.access import acts

        acts.note_all(tx, self.actor, act, done)


@contextmanager
def door(merchant: int, data_dir: Path | None, as_: str, right: Right) -> Iterator[Door]:
    """The hub that runs, entered by the shell or by the user that ``--as`` names, who must have ``right``.

    Raises: ConfigError; NotFound for a merchant or a user that is not there; Forbidden.
    """
    with hub(merchant, data_dir) as app:
        from core.access import actors

        actor = actors.as_user(app.db, merchant, as_) if as_ else actors.shell(merchant)
        actor.require(right)
        yield Door(app, actor)


@dataclass(frozen=True, slots=True)
class Caller:
    """Options of all commands that enter a hub: as whom, for which merchant, and where it is.

    See ``edge.commands.spread``.
    """

    as_: As = ""
    merchant: Merchant = FIRST_MERCHANT
    data_dir: DataDir = None

    def door(self, right: Right) -> AbstractContextManager[Door]:
        """Raises: as ``door``."""
        return door(self.merchant, self.data_dir, self.as_, right)


@dataclass(frozen=True, slots=True)
class Call(Caller):
    """The same, of commands that may answer machines."""

    as_json: AsJson = False


@contextmanager
def database_errors_told() -> Iterator[None]:
    """A database that cannot be used becomes a ConfigError with the cure."""
    from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError

    try:
        yield
    except ArgumentError as error:
        raise ConfigError(
            "HOLDFAST_DATABASE_URL is no database address; write postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        ) from error
    except (OperationalError, InterfaceError) as error:
        raise ConfigError(
            f"the database cannot be used: {first_line(error.orig or error)}; see that it runs and that "
            "HOLDFAST_DATABASE_URL names it and a login that may work there"
        ) from error


def first_line(error: BaseException) -> str:
    """The first line of what an error says; the rest is for logs."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(";: ") if lines else type(error).__name__


def _require_merchant(app: "App", merchant: int) -> None:
    from core.queries import merchants

    known = merchants(app.db)
    if merchant not in known:
        names = ", ".join(f"{number} ({name})" for number, name in known.items())
        raise NotFound(
            f"there is no merchant {merchant}; there are: {names}. `holdfast merchants add NAME` makes one more"
            if known
            else "no merchant: run `holdfast migrate`"
        )


def say_json(value: object) -> None:
    """One line for machines: times in ISO 8601, always with their offset."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def say(text: str) -> None:
    """A sentence or more for people; what came from a store cannot move the cursor or change colours."""
    typer.echo("\n".join(tidy(line) for line in text.splitlines()))


def say_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """A table for people: drawn on a terminal, else aligned plain text that is never cut short.

    Numbers stand to the right. A column named with a leading ``>`` holds numbers.
    """
    cells = [["-" if cell is None else tidy(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, cells, title)
    else:
        _write_out(columns, cells, title)


def _draw(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left")
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _write_out(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> None:
    lines = [[name.removeprefix(">") for name in columns], *cells]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    if title:
        typer.echo(title)
    for line in lines:
        padded = [
            cell.rjust(width) if name.startswith(">") else cell.ljust(width)
            for name, cell, width in zip(columns, line, widths, strict=True)
        ]
        typer.echo("  ".join(padded).rstrip())


def tidy(text: str) -> str:
    """Text without control characters: titles and reasons come from outside and go to a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, for people; ``never`` for None."""
    if at is None:
        return "never"
    seconds = max(int((now - at).total_seconds()), 0)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def confirm(question: str, *, yes: bool) -> None:
    """Ask first; with ``yes`` it was answered already. Raises: ConfigError where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nothing was changed; repeat the command with --yes")
    typer.confirm(question, abort=True)
