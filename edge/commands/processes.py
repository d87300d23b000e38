"""The commands that run: the whole hub, or one of its processes."""

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.common import DataDir, database_errors_told, located, log_to_stderr, say, settings_for

if TYPE_CHECKING:
    from edge.up import Running


def up(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="port to listen on, 0 chooses one; else HOLDFAST_PORT")
    ] = None,
    data_dir: DataDir = None,
    name: Annotated[str, typer.Option(help="first start: name of the merchant")] = "My shop",
    time_zone: Annotated[str, typer.Option(help="first start: its time zone, like Europe/Berlin")] = "UTC",
    email: Annotated[str, typer.Option(help="first start: where its warnings go")] = "",
) -> None:
    """Run all of a hub, and stay.

    It brings its own database and broker, unless the settings name yours, and keeps web, worker and relay alive. The
    first start makes what is needed: data folder, secret key, schema, merchant. Ctrl-C ends it: the workers finish what
    they began, and nothing is left running. Starting it again goes on where it ended.

    \b
    Example: holdfast up
             holdfast up --data-dir /srv/holdfast --port 8080
    """
    from edge import up as whole

    # Until the supervisor takes over, a request to end is an exception, so that servers started so far are stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    settings = settings_for(data_dir)
    if port is not None:
        settings = settings.model_copy(update={"port": port})
    log_to_stderr("WARNING")
    say(f"Starting a hub on {settings.data_dir} ...")
    option = f" --data-dir {settings.data_dir}" if data_dir else ""
    with database_errors_told():
        whole.run(settings, whole.FirstMerchant(name, time_zone, email), lambda hub: _tell(hub, option))
    say("Holdfast has ended; nothing is left running.")


def _tell(hub: "Running", option: str) -> None:
    say(f"Holdfast runs at {hub.address}; logs in {hub.logs}. Ctrl-C ends it.")
    if hub.public_url:
        say(f"Stores send webhooks to {hub.public_url}.")
    else:
        say("Stores are only polled: set HOLDFAST_PUBLIC_URL to an address that they reach, and they send webhooks.")
    say("Next, in another terminal:")
    say(f"  holdfast store add NAME --platform shopify|woocommerce|bigcommerce --url URL{option}")
    say(f"  holdfast doctor{option}")


def web(
    host: Annotated[str, typer.Option(help="address to listen on; else HOLDFAST_HOST")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="port to listen on; else HOLDFAST_PORT")] = None,
) -> None:
    """Serve webhook receivers, /live, /ready and /metrics.

    \b
    Example: HOLDFAST_DATABASE_URL=postgresql://... holdfast web --port 8080
    """
    import uvicorn

    from config.processes import settle_memory
    from config.wiring import build
    from edge.app import create

    settings = located()
    log_to_stderr(settings.log_level)
    with database_errors_told():
        application = create(build(settings, pool_size=16))
    settle_memory()
    uvicorn.run(
        application,
        host=host or settings.host,
        port=settings.port if port is None else port,
        log_level="warning",
        access_log=False,
        limit_concurrency=200,
    )


def worker() -> None:
    """Do the jobs: fetch orders, push numbers, poll, sync, warn.

    Run as many as you like.

    \b
    Example: HOLDFAST_DATABASE_URL=postgresql://... HOLDFAST_REDIS_URL=redis://... holdfast worker
    """
    from config.processes import settle_memory
    from config.wiring import build
    from jobs import worker as process

    settings = located()
    log_to_stderr(settings.log_level)
    with database_errors_told():
        app = build(settings, pool_size=settings.worker_threads + 4)
    settle_memory()
    process.run(app)


def relay() -> None:
    """Find what wants doing and send it to the workers.

    It keeps the schedule, too. One is enough; more do no harm.

    \b
    Example: HOLDFAST_DATABASE_URL=postgresql://... HOLDFAST_REDIS_URL=redis://... holdfast relay
    """
    from config.processes import settle_memory
    from config.wiring import build
    from jobs import relay as process

    settings = located()
    log_to_stderr(settings.log_level)
    with database_errors_told():
        app = build(settings, pool_size=3)
    settle_memory()
    process.run(app)


def migrate(
    name: Annotated[str, typer.Option(help="name of the first merchant")] = "My shop",
    time_zone: Annotated[str, typer.Option(help="time zone of the first merchant, like Europe/Berlin")] = "UTC",
    email: Annotated[str, typer.Option(help="where its warnings go")] = "",
    data_dir: DataDir = None,
) -> None:
    """Bring the database up to this version; safe to repeat.

    It makes the first merchant, too. `holdfast up` does it by itself.

    \b
    Example: HOLDFAST_OWNER_DATABASE_URL=postgresql://owner:... holdfast migrate
    """
    from config.setup import migrate as run

    settings = located(data_dir)
    log_to_stderr("WARNING")
    with database_errors_told():
        before, after = run(settings, name=name, time_zone=time_zone, email=email)
    say(f"schema {after}: nothing to do" if before == after else f"schema {before or 'none'} -> {after}")
