"""``holdfast``: the command line. Heavy parts load inside the commands, so that ``--help`` answers at once."""

import logging
import sys
from typing import Annotated

import typer

from core.errors import HoldfastError

app = typer.Typer(
    name="holdfast",
    help="One ledger, every storefront right. Start with `holdfast demo`, or `holdfast up` for your own stores.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

MERCHANT = 1


def _logging(level: str) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for noisy in ("httpx", "dramatiq", "alembic", "urllib3"):
        logging.getLogger(noisy).setLevel("WARNING")


@app.command()
def web(
    host: Annotated[str, typer.Option(help="address to listen on; default HOLDFAST_HOST")] = "",
    port: Annotated[int, typer.Option(help="port to listen on; default HOLDFAST_PORT")] = -1,
) -> None:
    """Serve webhook receivers, liveness, readiness and metrics."""
    import uvicorn

    from config.settings import Settings
    from config.wiring import build
    from edge.app import create

    settings = Settings.load()
    _logging(settings.log_level)
    uvicorn.run(
        create(build(settings, pool_size=16)),
        host=host or settings.host,
        port=settings.port if port < 0 else port,
        log_level="warning",
        access_log=False,
        limit_concurrency=200,
    )


@app.command()
def worker() -> None:
    """Do the jobs: fetch orders, push numbers, poll, sync, warn."""
    from config.settings import Settings
    from config.wiring import build
    from jobs import worker as process

    settings = Settings.load()
    _logging(settings.log_level)
    process.run(build(settings, pool_size=settings.worker_threads + 4))


@app.command()
def relay() -> None:
    """Find what wants doing, send it to the workers; run the schedule."""
    from config.settings import Settings
    from config.wiring import build
    from jobs import relay as process

    settings = Settings.load()
    _logging(settings.log_level)
    process.run(build(settings, pool_size=3))


@app.command()
def migrate(
    name: Annotated[str, typer.Option(help="name of the first merchant")] = "My shop",
    time_zone: Annotated[str, typer.Option(help="time zone of the first merchant, like Europe/Berlin")] = "UTC",
    email: Annotated[str, typer.Option(help="where its warnings go")] = "",
) -> None:
    """Bring the database up to this version, and make the first merchant. Safe to repeat."""
    from config.setup import migrate as run
    from config.settings import Settings

    before, after = run(Settings.load(), name=name, time_zone=time_zone, email=email)
    typer.echo(f"schema {before or 'none'} -> {after}" if before != after else f"schema {after}: nothing to do")


def main() -> None:
    """The entry point: errors raised on purpose are told in one line, with exit code 1."""
    try:
        app()
    except HoldfastError as error:
        typer.echo(f"holdfast: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
