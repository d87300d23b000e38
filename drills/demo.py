"""The main job, shown and proved: storefronts, shoppers, the whole hub between them, and a referee at the end."""

import json
import logging
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core import audit
from core.errors import ConfigError, HoldfastError
from core.model import Platform
from drills import hub as hubs
from drills import orders_file, plan, referee
from drills.hub import MERCHANT, Hub, Interrupted
from drills.orders_file import OrdersFile
from drills.plan import Plan
from drills.referee.records import Delays
from drills.result import Result, details, failed_checks, numbers
from drills.screen import Screen
from drills.shoppers import Shoppers, Tally
from drills.storefronts import Control
from drills.watch import Watch

REST_FOR_S = 2.0
REST_LIMIT_S = 60.0
LOOK_S = 0.25
SHOW_S = 1.0
SHOW_PLAIN_S = 5.0
INTERRUPTED = 130
# The sandbox's dials as they stand by default: a message takes up to half a second each way.
ONE_WAY_S = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. ``orders``: a file to replay; None: shoppers drawn from ``seed``. ``pace``: times the usual speed.

    ``once``: end after the summary; without it a terminal goes on showing the hub until Ctrl-C. ``limit``: at most so
    many orders. ``calm``: the storefronts have no delays and no faults. ``keep``: leave the data folder there.
    """

    once: bool = False
    json: bool = False
    orders: Path | None = None
    limit: int | None = None
    seed: int = 1
    calm: bool = False
    keep: bool = False
    pace: float = 1.0


def run(options: Options) -> int:
    """Play, wait for rest, judge. Returns: 0 when every check holds, 1 when not, 130 after Ctrl-C.

    People read stderr; with ``json`` the last thing is one line of JSON on stdout.
    """
    with Screen() as screen:
        try:
            file, day = _prepare(options)
            return _in_folder(options, screen, file, day)
        except (Interrupted, KeyboardInterrupt):
            screen.say("stopped; everything has ended")
            return INTERRUPTED
        except HoldfastError as error:
            screen.say(f"failed: {error}")
            return 1


def _prepare(options: Options) -> tuple[OrdersFile | None, Plan]:
    """The plan of the day. Raises: ConfigError for what cannot be played."""
    if options.pace <= 0 or (options.limit is not None and options.limit < 1):
        raise ConfigError("--pace wants a number above 0, and --limit a whole number of orders above 0")
    shops = [platform.value for platform in Platform]
    if options.orders is None:
        return None, plan.from_seed(options.seed, shops, options.limit, speed=options.pace)
    file = orders_file.read_orders(options.orders, options.limit)
    return file, plan.from_file(file, shops, options.seed, options.pace)


def _in_folder(options: Options, screen: Screen, file: OrdersFile | None, day: Plan) -> int:
    """Run in a new folder; its logs are named when something failed, and gone when nothing did."""
    code = 1
    folder = hubs.new_folder()
    try:
        with _logging_to(folder / "logs" / "demo.log"):
            code = _play(options, screen, file, day, folder)
        return code
    finally:
        if options.keep:
            screen.say(f"kept: {folder}")
        else:
            shutil.rmtree(folder / "data", ignore_errors=True)
            if code == 0 or sys.exc_info()[0] in (Interrupted, KeyboardInterrupt):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                screen.say(f"logs of all processes: {folder / 'logs'}")


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Our own words go where those of the other processes go, so that stderr stays readable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _play(options: Options, screen: Screen, file: OrdersFile | None, day: Plan, folder: Path) -> int:
    screen.say("starting PostgreSQL, Valkey, edge, worker, relay and three storefronts")
    with hubs.running(folder, seed=options.seed, calm=options.calm) as hub:
        control = Control(hub.sandbox.control)
        watch = Watch(hub, control)
        for shop in hub.sandbox.shops:
            control.stock(shop, day.products)
        screen.say(f"connecting the stores, {len(day.products)} listings each")
        hubs.connect_stores(hub)
        shoppers = Shoppers(day, hub.sandbox.control)
        try:
            screen.say(f"the shops open: {len(day.steps)} acts in {day.steps[-1].at_s:.0f} s")
            _shop(hub, shoppers, watch, screen)
            screen.say("the shops close; waiting for rest")
            left = _wait_for_rest(hub, watch, control)
        finally:
            shoppers.stop()
        result = _judge(options, hub, control, watch, shoppers.tally, left, file, day, screen.seconds)
        failed = _report(options, screen, result)
        if screen.is_watched and not options.once:
            _stay(hub, watch, shoppers, screen)
    return 1 if failed else 0


def _shop(hub: Hub, shoppers: Shoppers, watch: Watch, screen: Screen) -> None:
    shoppers.start()
    while shoppers.playing:
        screen.show(shoppers.tally, watch.progress())
        shown_at = time.monotonic()
        while shoppers.playing and time.monotonic() - shown_at < (SHOW_S if screen.is_watched else SHOW_PLAIN_S):
            hub.pause(LOOK_S)
    shoppers.join()


def _wait_for_rest(hub: Hub, watch: Watch, control: Control) -> list[str]:
    """Until nothing has been under way for 2 s, at most 60 s. Returns: what is left then, by name; empty at rest."""
    last_event = _last_events(control.journal())
    began, quiet_since = time.monotonic(), None
    while True:
        left = watch.unrest(last_event)
        now = time.monotonic()
        quiet_since = None if left else (quiet_since or now)
        if (left and now - began > REST_LIMIT_S) or (quiet_since is not None and now - quiet_since >= REST_FOR_S):
            return left
        hub.pause(LOOK_S)


def _last_events(journal: Sequence[Mapping[str, Any]]) -> dict[str, datetime]:
    """Per shop, when it last sold or took something back."""
    moments = [entry for entry in journal if "order_id" in entry]
    return {entry["shop"]: datetime.fromisoformat(entry["at"]) for entry in moments}


def _judge(
    options: Options, hub: Hub, control: Control, watch: Watch, tally: Tally, left: Sequence[str],
    file: OrdersFile | None, day: Plan, seconds: float,
) -> Result:  # fmt: skip
    told = referee.read_journal(control.journal())
    recorded = referee.read_ledger(hub.reading_url, MERCHANT)
    shown = {shop: control.levels(shop) for shop in hub.sandbox.shops}
    delays = Delays(one_way_s=0.0 if options.calm else ONE_WAY_S)
    with hub.app.db.begin(MERCHANT, actor="demo") as tx:
        violations = [f"{found.invariant}: {dict(found.row)}" for found in audit.audit(tx)]
    return Result(
        tally=tally,
        unrest=left,
        verdict=referee.judge(told, recorded, shown, delays),
        file=file,
        lag=watch.lag(),
        sandbox=control.state(),
        audit_violations=violations,
        sells_out=len(day.sells_out),
        seconds=seconds,
        calm=options.calm,
        whole=options.limit is None,
    )


def _report(options: Options, screen: Screen, result: Result) -> list[str]:
    """Tell people on stderr and machines on stdout. Returns: the checks that failed."""
    found, failed = numbers(result), failed_checks(result)
    screen.summary(found)
    for sentence in details(result):
        screen.say(sentence)
    for sentence in failed:
        screen.say(f"CHECK FAILED: {sentence}")
    if not failed:
        screen.say("every check holds")
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
    return failed


def _stay(hub: Hub, watch: Watch, shoppers: Shoppers, screen: Screen) -> None:
    """Leave the hub up for a person to look around in, until Ctrl-C."""
    screen.say(f"still running until Ctrl-C: receivers at {hub.public_url}, sandbox at {hub.sandbox.control}")
    for shop, address in hub.sandbox.shops.items():
        screen.say(f"  {shop}: {address.url}")
    screen.say(f"  data and logs: {hub.folder}")
    while not hub.supervisor.wait(SHOW_S):
        screen.show(shoppers.tally, watch.progress())
