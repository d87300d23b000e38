"""Orders that no warehouse could send wait as put-off work; whatever may let one serve them ends that wait."""

from collections.abc import Collection

from core import work
from core.pipe import Runner
from core.transaction import Transaction

TOPIC = "dispatch"  # of work whose subject is the id of an order; empty: what paused warehouses give back
_PUT_OFF = """SELECT subject FROM work WHERE merchant_id = :merchant_id AND topic = :topic AND store_id = 0
    AND dead_at IS NULL AND reason = '' AND subject <> ''"""


def wake(tx: Transaction) -> None:
    """What is laid down on who may serve what has changed: all that wait are decided again at once."""
    _want(tx, tx.run(_PUT_OFF, topic=TOPIC).scalars().all())


def relieve(tx: Transaction) -> None:
    """A warehouse is paused: others are to send what it was told."""
    _want(tx, [""])


def _want(tx: Transaction, subjects: Collection[str]) -> None:
    work.want(tx, [work.Want(TOPIC, 0, subject) for subject in subjects])


def waiting_for(sent: Runner, item_ids: Collection[int]) -> set[int]:
    """Orders among those that wait that a warehouse could send units of these items for."""
    found = sent.run(
        f"""SELECT k.id FROM (SELECT CAST(subject AS bigint) AS id FROM ({_PUT_OFF}) w OFFSET 0) k
            WHERE EXISTS (SELECT FROM promise WHERE merchant_id = :merchant_id AND order_id = k.id
                AND live > allocated AND item_id = ANY (CAST(:items AS bigint[])))""",
        topic=TOPIC,
        items=sorted(item_ids),
    )
    return set(found.scalars())
