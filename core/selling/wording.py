"""The steps of a number as sentences that a merchant understands. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.sales.lock_terms import FLOOR
from core.selling.availability import Facts, Step, steps
from core.words import counted

Cause = Mapping[str, Any]


def explain(facts: Facts) -> str:
    """The whole sum as one sentence."""
    return "; ".join(map(sentence, steps(facts))) + "."


def sentence(step: Step) -> str:
    """Why the step leads to its number, without a capital or a full stop."""
    return SENTENCES[step.name](step, step.cause)


def listed(things: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)


def _are(units: int) -> str:
    return f"{units:,} is" if units == 1 else f"{units:,} are"


def _of(cause: Cause) -> str:
    return f"of this {cause['set_by']}" if cause["set_by"] == "listing" else f"of the {cause['set_by'] or 'store'}"


def _free(_step: Step, cause: Cause) -> str:
    shared = cause["shared"]
    told = f"{counted(shared, 'unit')} {'is' if shared == 1 else 'are'} free in the shared pool"
    return listed([told, *(f"{one['units']:,} in {_pool(one)}" for one in cause["pools"])])


def _pool(one: Cause) -> str:
    name = one["pool"].removeprefix(f"{one['kind']}/")
    which = "the floor" if name.startswith(FLOOR) else f"{one['kind']} {name}"
    return which + (" of this store alone" if one["own"] else "")


def _safety_stock(_step: Step, cause: Cause) -> str:
    return f"{_are(cause['units'])} kept back as safety stock {_of(cause)}"


def _overflow(_step: Step, cause: Cause) -> str:
    locks = cause["locks"]
    does = f"lock {locks[0]} does" if len(locks) == 1 else f"locks {listed(locks)} do"
    return f"{does} not let this store sell what everybody shares"


def _buffer(_step: Step, cause: Cause) -> str:
    return f"{_are(cause['units'])} held back because news between stores takes time (buffer {_of(cause)})"


def _share(_step: Step, cause: Cause) -> str:
    return f"{cause['percent']} % of what all stores share may be shown here (share {_of(cause)})"


def _deal(_step: Step, cause: Cause) -> str:
    told = []
    if cause["sharers"]:
        told.append(
            f"so few are dealt out among the {cause['sharers']} listings that sell them; "
            f"{cause['part']:,} {'falls' if cause['part'] == 1 else 'fall'} to this one"
        )
    if cause["own_sharers"]:
        told.append(f"what is for this store alone is dealt out among its {cause['own_sharers']} listings")
    return "; ".join(told)


def _presale(step: Step, cause: Cause) -> str:
    pools = listed([f"{one['units']:,} in {_pool(one)}" for one in cause["pools"]])
    return f"{step.delta:,} more may be sold before they arrive ({pools})"


def _backorder(step: Step, cause: Cause) -> str:
    informed = ", and the customer is told" if cause["policy"] == "notify" else ""
    if cause["limit"] is None:
        return (
            f"any number may be ordered and wait{informed} (backorder {_of(cause)}), once the store itself takes "
            "orders at 0"
        )
    waits = f"; {cause['waiting']:,} wait already" if cause["waiting"] else ""
    return f"{step.delta:,} more may be ordered and wait{informed}: up to {cause['limit']:,} may{waits}"


def _wait(_step: Step, cause: Cause) -> str:
    return (
        f"other listings still show up to {cause['elsewhere']:,} of them; {cause['left']:,} are left until they follow"
    )


def _bundle(step: Step, cause: Cause) -> str:
    if not step.parts:
        return "it is a bundle without components"
    enough = listed([f"{one.quantity:,} x {one.sku} is enough for {one.makes:,}" for one in step.parts])
    decides = f"; {listed(cause['scarcest'])} decides" if len(cause["scarcest"]) < len(step.parts) else ""
    return f"it is a bundle: {enough}{decides}"


def _pack(_step: Step, cause: Cause) -> str:
    return f"one sale takes {counted(cause['pack_size'], 'unit')}"


def _cap(_step: Step, cause: Cause) -> str:
    return f"it shows {cause['units']:,} at most (cap {_of(cause)})"


def _sellable(step: Step, _cause: Cause) -> str:
    return f"so this store may sell {step.number:,}"


def _platform(_step: Step, cause: Cause) -> str:
    return f"its unpaid orders hold {cause['hidden']:,} that it still counts and hides from shoppers"


# In the order of the steps.
SENTENCES: Mapping[str, Callable[[Step, Cause], str]] = {
    "free": _free,
    "safety_stock": _safety_stock,
    "overflow": _overflow,
    "buffer": _buffer,
    "share": _share,
    "deal": _deal,
    "presale": _presale,
    "backorder": _backorder,
    "wait": _wait,
    "bundle": _bundle,
    "pack": _pack,
    "cap": _cap,
    "sellable": _sellable,
    "platform": _platform,
}
