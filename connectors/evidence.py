"""When may a store's number be written, and to what? The rule all connectors share.

A store takes an order off its own number before we hear of it. An absolute write computed without that order would put
the sold unit back on sale. So a number may fall at once, and rises only with evidence that nothing unseen stands
between what we believe and what the store shows.
"""

from dataclasses import dataclass

from core.model import PushIntent


@dataclass(frozen=True, slots=True)
class Decision:
    """``target`` is the number to write, None when nothing is to be written.

    ``settled`` is False when the number on the store stays unexplained and its orders have to be pulled.
    """

    target: int | None
    settled: bool


def is_explained(intent: PushIntent, observed: int) -> bool:
    """True when ``observed`` holds no sale that we have not applied.

    Either the store shows just what we believe, or it showed the same number at an earlier read and all its orders up
    to that read are applied since: then the gap is a foreign edit or a lost write, and ours to correct.
    """
    if observed == intent.believed:
        return True
    return (
        observed == intent.last_observed
        and intent.last_observed_at is not None
        and intent.orders_known_until is not None
        and intent.orders_known_until > intent.last_observed_at
    )


def decide_write(intent: PushIntent, observed: int) -> Decision:
    """What to write on a store that shows ``observed`` right now.

    Explained: the wanted number. Unexplained: units that went missing from the store's number are taken for sales of
    its own, so the wanted number less those, and only ever downwards.
    """
    if is_explained(intent, observed):
        return Decision(None if observed == intent.wanted else intent.wanted, settled=True)
    unseen = max(intent.believed - observed, 0) if intent.believed is not None else 0
    target = max(intent.wanted - unseen, 0)
    return Decision(target if target < observed else None, settled=False)
