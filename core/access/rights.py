"""Who may what: the roles a user can have with a merchant, and the rights that come with each. Pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Right(StrEnum):
    """One thing that an actor may do; the comment says what it covers."""

    STOCK_VIEW = "stock.view"  # read everything about goods, orders, promises, stores and the merchant
    STOCK_RECEIVE = "stock.receive"  # book units in
    STOCK_ADJUST = "stock.adjust"  # say that units were found, missing, damaged, mended or scrapped
    STOCK_MOVE = "stock.move"  # put goods into other bins or warehouses, pack and ship them, freeze bins for a count
    COUNT_APPROVE = "count.approve"  # approve what a stocktake found, and see the books while others count blind
    STOCK_CORRECT = "stock.correct"  # reverse what was entered by mistake
    HOLD_MAKE = "hold.make"  # promise units to somebody, extend and release such a promise
    ORDER_CHANGE = "order.change"  # step into an order: release, move or settle what it holds, say who sends it
    LOCK_REQUEST = "lock.request"  # ask for a lock
    LOCK_DECIDE = "lock.decide"  # approve or refuse what somebody asks for
    LOCK_CHANGE = "lock.change"  # release, extend, migrate or close a lock
    POOL_CHANGE = "pool.change"  # make, fill, start, stop and close pools
    RULE_CHANGE = "rule.change"  # change what a store may sell: buffers, caps, shares, limits
    STORE_CONNECT = "store.connect"  # connect a store and renew its credentials
    STORE_CHANGE = "store.change"  # pause, resume, change the mode, map listings
    SYNC_RUN = "sync.run"  # compare a store now, replay what was given up
    ALERT_CHANGE = "alert.change"  # say when to warn, and snooze a warning
    USER_MANAGE = "user.manage"  # see, add, change and remove users
    KEY_MANAGE = "key.manage"  # see, make and revoke API keys
    PURCHASE_CHANGE = "purchase.change"  # order goods from suppliers, move and cut orders, say what may be sold early
    PLACE_CHANGE = "place.change"  # make, change and pause warehouses, and make bins
    MERCHANT_CHANGE = "merchant.change"  # change the merchant's name, time zone, address and sharing
    LOG_VIEW = "log.view"  # read who did what
    AUDIT_RUN = "audit.run"  # check the books
    REBUILD_RUN = "rebuild.run"  # compute the balances again from the movements


class Role(StrEnum):
    """What somebody is to one merchant."""

    OWNER = "owner"  # may do everything, and is the only one who lets others in
    PLANNER = "planner"  # decides who gets which units
    WAREHOUSE = "warehouse"  # handles goods
    VIEWER = "viewer"  # looks
    OPERATOR = "operator"  # keeps the hub and its stores running; moves no unit


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.PLANNER: frozenset(
        {
            Right.STOCK_VIEW,
            Right.STOCK_RECEIVE,
            Right.STOCK_ADJUST,
            Right.STOCK_MOVE,
            Right.COUNT_APPROVE,
            Right.STOCK_CORRECT,
            Right.HOLD_MAKE,
            Right.ORDER_CHANGE,
            Right.LOCK_REQUEST,
            Right.LOCK_DECIDE,
            Right.LOCK_CHANGE,
            Right.POOL_CHANGE,
            Right.RULE_CHANGE,
            Right.STORE_CHANGE,
            Right.SYNC_RUN,
            Right.ALERT_CHANGE,
            Right.PURCHASE_CHANGE,
            Right.PLACE_CHANGE,
            Right.AUDIT_RUN,
        }
    ),
    Role.WAREHOUSE: frozenset(
        {
            Right.STOCK_VIEW,
            Right.STOCK_RECEIVE,
            Right.STOCK_ADJUST,
            Right.STOCK_MOVE,
            Right.LOCK_REQUEST,
            Right.ALERT_CHANGE,
        }
    ),
    Role.VIEWER: frozenset({Right.STOCK_VIEW}),
    Role.OPERATOR: frozenset(
        {
            Right.STOCK_VIEW,
            Right.STORE_CONNECT,
            Right.STORE_CHANGE,
            Right.SYNC_RUN,
            Right.ALERT_CHANGE,
            Right.LOG_VIEW,
            Right.AUDIT_RUN,
            Right.REBUILD_RUN,
        }
    ),
}
ALL = frozenset(Right)


def roles_with(rights: Iterable[Right]) -> list[Role]:
    """The roles that have all of these rights, in the order of ``Role``; the owner always does."""
    wanted = frozenset(rights)
    return [role for role in Role if wanted <= RIGHTS[role]]
