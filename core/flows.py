"""The legal flows: which movements each act makes, through all the layers it touches. Pure.

Every function here is one row of the flow table in docs/architecture.md. Because an act that brings goods in or out
moves all three layers by the same amount, the layers agree by construction.
"""

from core.stock import WORLD, At, Bucket, Home, Layer, Movement, Stocked

# Reading a member from its enum takes longer than a movement; these are read for every unit that is sold.
_SALES = Layer.SALES
_FREE, _RESERVED, _SOLD, _BACKORDERED = Bucket.FREE, Bucket.RESERVED, Bucket.SOLD, Bucket.BACKORDERED


def come_in(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Opening, receipt, return or found: sellable units enter the bin, the warehouse and the shared pool."""
    return [
        Movement(stocked, Layer.WAREHOUSE, WORLD, home.bin(Bucket.AVAILABLE), quantity),
        Movement(stocked, Layer.DISPATCH, WORLD, home.warehouse(Bucket.AVAILABLE), quantity),
        Movement(stocked, Layer.SALES, WORLD, home.shared(Bucket.FREE), quantity),
    ]


def go_missing(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Free units are gone: out of the bin, the warehouse and the shared pool."""
    return [
        Movement(stocked, Layer.WAREHOUSE, home.bin(Bucket.AVAILABLE), WORLD, quantity),
        Movement(stocked, Layer.DISPATCH, home.warehouse(Bucket.AVAILABLE), WORLD, quantity),
        Movement(stocked, Layer.SALES, home.shared(Bucket.FREE), WORLD, quantity),
    ]


def damage(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Free units that may not be sold: still on hand, out of the shared pool."""
    unavailable = Bucket.UNAVAILABLE
    return [
        Movement(stocked, Layer.WAREHOUSE, home.bin(Bucket.AVAILABLE), home.bin(unavailable), quantity),
        Movement(stocked, Layer.DISPATCH, home.warehouse(Bucket.AVAILABLE), home.warehouse(unavailable), quantity),
        Movement(stocked, Layer.SALES, home.shared(Bucket.FREE), WORLD, quantity),
    ]


def mend(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Units that could not be sold can be sold after all: the opposite of ``damage``."""
    unavailable = Bucket.UNAVAILABLE
    return [
        Movement(stocked, Layer.WAREHOUSE, home.bin(unavailable), home.bin(Bucket.AVAILABLE), quantity),
        Movement(stocked, Layer.DISPATCH, home.warehouse(unavailable), home.warehouse(Bucket.AVAILABLE), quantity),
        Movement(stocked, Layer.SALES, WORLD, home.shared(Bucket.FREE), quantity),
    ]


def promised(deducted: bool) -> Bucket:
    """Where the live units of a promise stand."""
    return _SOLD if deducted else _RESERVED


def reserve(home: Home, stocked: Stocked, quantity: int, line_id: int) -> Movement:
    """Free units become promised, and all of them are there."""
    return Movement(stocked, _SALES, home.shared(_FREE), home.shared(_RESERVED), quantity, line_id)


def hold(home: Home, stocked: Stocked, live: int, waiting: int, deducted: bool, line_id: int) -> list[Movement]:
    """Reserve: free units become promised; what is not there waits as backordered demand."""
    moves = []
    if live:
        moves.append(_sales(stocked, home.shared(_FREE), home.shared(promised(deducted)), live, line_id))
    if waiting:
        moves.append(_sales(stocked, WORLD, home.shared(_BACKORDERED), waiting, line_id))
    return moves


def release(home: Home, stocked: Stocked, live: int, waiting: int, deducted: bool, line_id: int) -> list[Movement]:
    """The opposite of ``hold``: waiting demand ends, live units are free again."""
    moves = []
    if waiting:
        moves.append(_sales(stocked, home.shared(_BACKORDERED), WORLD, waiting, line_id))
    if live:
        moves.append(_sales(stocked, home.shared(promised(deducted)), home.shared(_FREE), live, line_id))
    return moves


def deduct(home: Home, stocked: Stocked, live: int, line_id: int) -> list[Movement]:
    """The promise became final: reserved units are sold."""
    return [_sales(stocked, home.shared(_RESERVED), home.shared(_SOLD), live, line_id)] if live else []


def undeduct(home: Home, stocked: Stocked, live: int, line_id: int) -> list[Movement]:
    """The store took the payment back: sold units are reserved again."""
    return [_sales(stocked, home.shared(_SOLD), home.shared(_RESERVED), live, line_id)] if live else []


def fill(home: Home, stocked: Stocked, quantity: int, deducted: bool, line_id: int) -> list[Movement]:
    """Free units go to demand that waited."""
    return [
        _sales(stocked, home.shared(_BACKORDERED), WORLD, quantity, line_id),
        _sales(stocked, home.shared(_FREE), home.shared(promised(deducted)), quantity, line_id),
    ]


def ship(home: Home, stocked: Stocked, quantity: int, line_id: int) -> list[Movement]:
    """Sold units leave: allocated, handed over and shipped in one document, as a store tells of it late."""
    warehouse, bin_ = home.warehouse, home.bin
    return [
        Movement(stocked, Layer.DISPATCH, warehouse(Bucket.AVAILABLE), warehouse(Bucket.ALLOCATED), quantity, line_id),
        Movement(stocked, Layer.WAREHOUSE, bin_(Bucket.AVAILABLE), bin_(Bucket.PICKING), quantity, line_id),
        Movement(stocked, Layer.WAREHOUSE, bin_(Bucket.PICKING), WORLD, quantity, line_id),
        Movement(stocked, Layer.DISPATCH, warehouse(Bucket.ALLOCATED), WORLD, quantity, line_id),
        _sales(stocked, home.shared(_SOLD), WORLD, quantity, line_id),
    ]


def _sales(stocked: Stocked, from_: At, to: At, quantity: int, line_id: int) -> Movement:
    return Movement(stocked, _SALES, from_, to, quantity, line_id)
