"""``holdfast simulate``: the hub played through storms that a seed draws, on this machine alone."""

import re
from typing import Annotated

import typer

_SEEDS = re.compile(r"(\d+)(?:\.\.(\d+))?")


def simulate(
    seeds: Annotated[str, typer.Option("--seeds", metavar="A..B", help="which seeds to play; one number plays one")],
    events: Annotated[int, typer.Option(min=1, metavar="N", help="what happens from outside, per seed")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="end with one line of JSON on stdout")] = False,
    processes: Annotated[int, typer.Option(min=0, metavar="N", help="play side by side; 0: one per processor")] = 0,
) -> None:
    """Play the hub through storms that seeds draw.

    Hints are lost, processes crash, stores are away and clocks are wrong; every unit is counted from outside. The same
    seed plays the same story. Exit code 1 when an invariant broke in any of them; the way to play that seed again is
    printed.

    \b
    Example: holdfast simulate --seeds 1..20
             holdfast simulate --seeds 17 --events 40 --json
    """
    found = _SEEDS.fullmatch(seeds)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        raise typer.BadParameter(f"{seeds} is no range of seeds; write A..B, such as 1..20", param_hint="--seeds")

    from drills.simulate import Options, run

    raise typer.Exit(run(Options(first, last, events, json=as_json, processes=processes)))
