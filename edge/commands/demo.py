"""``holdfast demo``: the main job, shown and proved on this machine alone."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    once: Annotated[bool, typer.Option("--once", help="end after the summary")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="end with one line of JSON on stdout")] = False,
    orders: Annotated[
        Path | None, typer.Option(metavar="FILE", help="replay this file of orders (.csv or .csv.gz)")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="at most so many orders")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="the same number plays the same shoppers and faults")] = 1,
    calm: Annotated[bool, typer.Option("--calm", help="no delays and no faults in the storefronts")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="leave the data folder for a look afterwards")] = False,
    pace: Annotated[float, typer.Option(min=0.01, metavar="X", help="times the usual speed")] = 1.0,
) -> None:
    """Watch the main job; a referee checks it all at the end.

    Three storefronts, shoppers, and faults on purpose. Everything is started in a fresh folder and ended again. Exit
    code 0 only when every check holds.

    \b
    Example: holdfast demo
             holdfast demo --once --json --orders orders.csv.gz
    """
    from drills.demo import Options, run

    options = Options(once=once, json=as_json, orders=orders, limit=limit, seed=seed, calm=calm, keep=keep, pace=pace)
    raise typer.Exit(run(options))
