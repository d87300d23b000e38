"""``holdfast simulate``: the hub played through storms that a seed draws or through a day, on this machine alone."""

import re
from collections.abc import Mapping
from typing import Annotated

import typer

_SEEDS = re.compile(r"(\d+)(?:\.\.(\d+))?")


def simulate(
    seeds: Annotated[str, typer.Option("--seeds", metavar="A..B", help="which storms; one number plays one")] = "",
    events: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="what happens from outside, per storm; else 100")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="end with one line of JSON on stdout")] = False,
    processes: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="storms side by side; else one per processor")
    ] = None,
    all_acts: Annotated[
        bool, typer.Option("--all-acts", help="fail when something that people do was done in no storm")
    ] = False,
    day: Annotated[bool, typer.Option("--day", help="a calm, long day of a large merchant instead of storms")] = False,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="which day; else 1")] = None,
    orders: Annotated[int | None, typer.Option(min=100, metavar="N", help="orders of the day; else 10000")] = None,
    items: Annotated[int | None, typer.Option(min=200, metavar="N", help="items of the day; else 20000")] = None,
) -> None:
    """Play the hub through storms, or through a large day.

    In storms hints are lost, processes crash, stores are away and clocks are wrong. On a day goods come, move, are
    counted, sold, sent and brought back, in five warehouses. Every unit is counted from outside, and the same seed
    plays the same story. Exit code 1 when an invariant broke; the way to play that seed again is printed. Many storms
    prove more when everything happens in them: --all-acts fails when something that people do never did anything.

    \b
    Example: holdfast simulate --seeds 1..20
             holdfast simulate --seeds 17 --events 40 --json
             holdfast simulate --seeds 1..100 --all-acts
             holdfast simulate --day --seed 7 --json
             holdfast simulate --day --orders 500 --items 1000
    """
    if day:
        _require_none("--day", {
            "--seeds": seeds or None, "--events": events, "--processes": processes, "--all-acts": all_acts or None,
        })  # fmt: skip
        raise typer.Exit(_play_day(1 if seed is None else seed, orders, items, as_json=as_json))
    _require_none("a storm", {"--seed": seed, "--orders": orders, "--items": items})
    if not seeds:
        raise typer.BadParameter("say which storms, such as --seeds 1..20, or --day for a day", param_hint="--seeds")
    found = _SEEDS.fullmatch(seeds)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        raise typer.BadParameter(f"{seeds} is no range of seeds; write A..B, such as 1..20", param_hint="--seeds")

    from drills.simulate import Options, run

    raise typer.Exit(run(Options(first, last, events or 100, as_json, processes or 0, all_acts)))


def _require_none(what: str, given: Mapping[str, object]) -> None:
    """Raises: typer.BadParameter for the first option that is not for this."""
    for name, value in given.items():
        if value is not None:
            cure = "leave it out" if what == "--day" else "storms are chosen by --seeds A..B; add --day for a day"
            raise typer.BadParameter(f"{name} is not for {what}; {cure}", param_hint=name)


def _play_day(seed: int, orders: int | None, items: int | None, *, as_json: bool) -> int:
    from drills.day import Options, Sizes, run

    usual = Sizes()
    return run(Options(seed, Sizes(items=items or usual.items, orders=orders or usual.orders), json=as_json))
