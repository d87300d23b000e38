"""What people and systems beside the storefronts do, and which of it did something."""

# Each by what its name says of no other.
ACTS = frozenset(
    {
        "receipt-", "loss-", "away-", "order PO-", "delivery-", "cut-", "send T-", "receive T-", "lose T-", "hold-",
        "end of hold-", "sign of life of hold-", "deposit of presold-",
        "payment of hold-of-", "own order ", "decision on lock-", "release lock-", "close lock-", "consume lock-",
        "change lock-", "migrates", "pool-", "deal pool-", "collect pool-", "close pool-",
        "dispatch-", "switch-", "hand-", "packed-", "unhand-", "give-", "reject-",
        "apart-", "unknown-", "look-", "unblock-", "VR-", "regrade-", "split-", "join-", "rename-",
        "undo of PO-", "reversal/", "shelf/count-", "kit-", "back-", "floor-", "hurry-order-", "hurry-hold-",
        "end of pool-", "resize pool-",
        "open S-", "count of S-", "approve S-", "post S-", "cancel S-", "wms-", "wms-all-", "decision on wms-all-",
    }
)  # fmt: skip
_NOTHING_DONE = {"Refused", "NotFound", "InsufficientStock", "NeedsForce", "False", "0"}


def done_by(name: str, answer: str) -> set[str]:
    """The acts that somebody's call was, when its answer says that it did something."""
    return set() if answer in _NOTHING_DONE else {act for act in ACTS if act in name}
