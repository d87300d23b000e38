"""``holdfast merchant``: whose stock it is, in which time zone, and who is warned."""

import dataclasses
from typing import Annotated

import typer

from core.access.rights import Right
from core.model import Sharing
from edge.commands.common import FIRST_MERCHANT, As, AsJson, DataDir, Merchant, door, say, say_json


def merchant(
    name: Annotated[str | None, typer.Option(help="what the merchant is called")] = None,
    time_zone: Annotated[str | None, typer.Option(help="like Europe/Berlin; nightly work runs in its night")] = None,
    email: Annotated[str | None, typer.Option(help="where warnings go; an empty text sends none")] = None,
    sharing: Annotated[
        Sharing | None,
        typer.Option(
            help="mirror: every store shows all units; adaptive (as it is at first): each its part once there are few; "
            "escrow: each its part always"
        ),
    ] = None,
    share_below: Annotated[
        int | None, typer.Option(min=0, help="adaptive: deal out at the latest when fewer units than this are left")
    ] = None,
    as_: As = "",
    number: Merchant = FIRST_MERCHANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show who the merchant is and who is warned, or change it.

    \b
    Example: holdfast merchant --email stock@shop.example --time-zone Europe/Berlin
    """
    from core import catalog
    from core.queries import merchant_view
    from jobs.connect import change_sharing

    given = {"name": name, "time_zone": time_zone, "email": email, "sharing": sharing, "share_below": share_below}
    changed = [field for field, value in given.items() if value is not None]
    needed = Right.MERCHANT_CHANGE if changed else Right.STOCK_VIEW
    with door(number, data_dir, as_, needed) as entered:
        with entered.begin() as tx:
            catalog.set_merchant(tx, name=name, time_zone=time_zone, alert_email=email)
        if sharing is not None or share_below is not None:
            change_sharing(entered.app, number, sharing, share_below, actor=str(entered.actor))
        with entered.begin() as tx:
            if changed:
                # Which, not what: an address is personal.
                entered.log(tx, "merchant.change", f"merchant:{number}", changed=changed)
            view = merchant_view(tx)
    if as_json:
        say_json(dataclasses.asdict(view))
    else:
        warned = f"warnings go to {view.alert_email}" if view.alert_email else "nobody is warned (--email says who)"
        below = f", dealt out below {view.share_below} units" if view.share_below else ""
        say(f"Merchant {view.id}: {view.name}, {view.time_zone}; {warned}; stock is shared: {view.sharing}{below}.")
