"""The legal flows: which movements each act makes, through all the layers it touches. Pure.

Every function here is one row of the flow table in docs/architecture.md. Because an act that brings goods in or out
moves all three layers by the same amount, the layers agree by construction; and because what enters or leaves the pool
of a physical lock moves the dispatch layer's locked units too, so do the locks and their warehouses.
"""

from core.stock import WORLD, At, Bucket, Home, Layer, Movement, Pool, PoolKind, Spot, Stocked

# Reading a member from its enum takes longer than a movement; these are read for every unit that is sold.
_SALES, _DISPATCH, _WAREHOUSE = Layer.SALES, Layer.DISPATCH, Layer.WAREHOUSE
_FREE, _RESERVED, _SOLD, _BACKORDERED = Bucket.FREE, Bucket.RESERVED, Bucket.SOLD, Bucket.BACKORDERED
_AVAILABLE, _UNAVAILABLE, _LOCKED = Bucket.AVAILABLE, Bucket.UNAVAILABLE, Bucket.LOCKED
_INCOMING, _COUNTED = Bucket.INCOMING, Bucket.INCOMING_SELLABLE


# ---- goods come, go, and change their state


def come_in(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Opening, receipt, return or found: sellable units enter the bin, the warehouse and the shared pool."""
    return [
        Movement(stocked, _WAREHOUSE, WORLD, home.bin(_AVAILABLE), quantity),
        Movement(stocked, _DISPATCH, WORLD, home.warehouse(_AVAILABLE), quantity),
        Movement(stocked, _SALES, WORLD, home.shared(_FREE), quantity),
    ]


def come_in_unsellable(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Received or returned, and not to be sold: units enter the bin and the warehouse as unavailable."""
    return [
        Movement(stocked, _WAREHOUSE, WORLD, home.bin(_UNAVAILABLE), quantity),
        Movement(stocked, _DISPATCH, WORLD, home.warehouse(_UNAVAILABLE), quantity),
    ]


def go_missing(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Free units are gone: out of the bin, the warehouse and the shared pool."""
    return lose_free(home, home.shared_pool, stocked, quantity, damaged=False)


def damage(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Free units that may not be sold: still on hand, out of the shared pool."""
    return lose_free(home, home.shared_pool, stocked, quantity, damaged=True)


def mend(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Units that could not be sold can be sold after all: the opposite of ``damage``."""
    return [
        Movement(stocked, _WAREHOUSE, home.bin(_UNAVAILABLE), home.bin(_AVAILABLE), quantity),
        Movement(stocked, _DISPATCH, home.warehouse(_UNAVAILABLE), home.warehouse(_AVAILABLE), quantity),
        Movement(stocked, _SALES, WORLD, home.shared(_FREE), quantity),
    ]


def scrap(home: Home, stocked: Stocked, quantity: int) -> list[Movement]:
    """Unavailable units leave the house for good."""
    return [
        Movement(stocked, _WAREHOUSE, home.bin(_UNAVAILABLE), WORLD, quantity),
        Movement(stocked, _DISPATCH, home.warehouse(_UNAVAILABLE), WORLD, quantity),
    ]


def release_apart(home: Home, stocked: Stocked, found: Stocked, quantity: int) -> list[Movement]:
    """Unavailable units can be sold after all, in the grade that they were ``found`` to be of."""
    if not quantity:
        return []
    if stocked == found:
        return mend(home, stocked, quantity)
    return scrap(home, stocked, quantity) + come_in(home, found, quantity)


def turn_into(home: Home, before: Stocked, after: Stocked, quantity: int, into: int) -> list[Movement]:
    """Free units of one kind are gone and free units of another are found: another grade, or a kit of its parts."""
    return go_missing(home, before, quantity) + come_in(home, after, into)


def put_away(stocked: Stocked, from_: Spot, to: Spot, bucket: Bucket, quantity: int) -> Movement:
    """Units change their bin and stay in their warehouse."""
    return Movement(stocked, _WAREHOUSE, At(from_.bin_id, bucket), At(to.bin_id, bucket), quantity)


# ---- promises


def promised(deducted: bool) -> Bucket:
    """Where the live units of a promise stand."""
    return _SOLD if deducted else _RESERVED


def hold(pool: Pool, stocked: Stocked, live: int, deducted: bool, line_id: int | None) -> list[Movement]:
    """Free units become promised, and deducted at once where the channel has it so."""
    return [_sales(stocked, pool.at(_FREE), pool.at(promised(deducted)), live, line_id)] if live else []


def wait(home: Home, stocked: Stocked, waiting: int, line_id: int | None) -> list[Movement]:
    """What is not there waits as demand in the shared pool."""
    return [_sales(stocked, WORLD, home.shared(_BACKORDERED), waiting, line_id)] if waiting else []


def release(home: Home, pool: Pool, stocked: Stocked, live: int, deducted: bool, line_id: int | None) -> list[Movement]:
    """Promised units, not allocated yet, are free again: in their pool, or where they go when it is closed."""
    if not live:
        return []
    from_ = pool.at(promised(deducted))
    if pool.is_open:
        return [_sales(stocked, from_, pool.at(_FREE), live, line_id)]
    if pool.kind is PoolKind.PRESALE:
        return [_sales(stocked, from_, WORLD, live, line_id)]
    return [_sales(stocked, from_, home.shared(_FREE), live, line_id), *_unlocked(pool, stocked, live)]


def stop_waiting(home: Home, stocked: Stocked, waiting: int, line_id: int | None) -> list[Movement]:
    """Demand that waited ends."""
    return [_sales(stocked, home.shared(_BACKORDERED), WORLD, waiting, line_id)] if waiting else []


def deduct(pool: Pool, stocked: Stocked, live: int, line_id: int | None) -> list[Movement]:
    """The promise became final: reserved units are sold."""
    return [_sales(stocked, pool.at(_RESERVED), pool.at(_SOLD), live, line_id)] if live else []


def undeduct(pool: Pool, stocked: Stocked, live: int, line_id: int | None) -> list[Movement]:
    """The store took the payment back: sold units are reserved again."""
    return [_sales(stocked, pool.at(_SOLD), pool.at(_RESERVED), live, line_id)] if live else []


def fill(home: Home, stocked: Stocked, quantity: int, deducted: bool, line_id: int | None) -> list[Movement]:
    """Free units go to demand that waited."""
    return [
        _sales(stocked, home.shared(_BACKORDERED), WORLD, quantity, line_id),
        _sales(stocked, home.shared(_FREE), home.shared(promised(deducted)), quantity, line_id),
    ]


def ship(home: Home, pool: Pool, stocked: Stocked, quantity: int, line_id: int | None) -> list[Movement]:
    """Sold units leave: allocated, handed over and shipped in one document, as a store tells of it late."""
    spot = Spot(_at_warehouse(home, pool), home.bin_id)
    return [
        *allocate(pool, spot.warehouse_id, stocked, quantity, line_id),
        *pick(spot.bin_id, stocked, quantity, line_id),
        *leave(spot, pool, stocked, quantity, line_id),
    ]


# ---- a warehouse is to send them


def allocate(pool: Pool, warehouse_id: int, stocked: Stocked, quantity: int, line_id: int | None) -> list[Movement]:
    """A warehouse is to send promised units of a pool; those of a physical lock stand apart there already."""
    stood, to = At(warehouse_id, _stood(pool)), At(warehouse_id, Bucket.ALLOCATED)
    return [Movement(stocked, _DISPATCH, stood, to, quantity, line_id)] if quantity else []


def deallocate(pool: Pool, warehouse_id: int, stocked: Stocked, quantity: int, line_id: int | None) -> list[Movement]:
    """The opposite: some other warehouse may send them."""
    from_, stood = At(warehouse_id, Bucket.ALLOCATED), At(warehouse_id, _stood(pool))
    return [Movement(stocked, _DISPATCH, from_, stood, quantity, line_id)] if quantity else []


def pick(bin_id: int, stocked: Stocked, quantity: int, line_id: int | None = None) -> list[Movement]:
    """Units are handed to the people who pack: they stand in their bin for nobody else."""
    from_, to = At(bin_id, _AVAILABLE), At(bin_id, Bucket.PICKING)
    return [Movement(stocked, _WAREHOUSE, from_, to, quantity, line_id)] if quantity else []


def put_back(bin_id: int, stocked: Stocked, quantity: int, line_id: int | None = None) -> list[Movement]:
    """The opposite of ``pick``."""
    from_, to = At(bin_id, Bucket.PICKING), At(bin_id, _AVAILABLE)
    return [Movement(stocked, _WAREHOUSE, from_, to, quantity, line_id)] if quantity else []


def leave(spot: Spot, pool: Pool, stocked: Stocked, quantity: int, line_id: int | None) -> list[Movement]:
    """Units that were allocated and handed over out of a bin leave the house."""
    return [
        Movement(stocked, _WAREHOUSE, At(spot.bin_id, Bucket.PICKING), WORLD, quantity, line_id),
        Movement(stocked, _DISPATCH, At(spot.warehouse_id, Bucket.ALLOCATED), WORLD, quantity, line_id),
        _sales(stocked, pool.at(_SOLD), WORLD, quantity, line_id),
    ]


# ---- goods that are gone, by who had them


def lose_free(home: Home, pool: Pool, stocked: Stocked, quantity: int, *, damaged: bool) -> list[Movement]:
    """Free units of a pool that is no lock's are gone, or ``damaged``: still on hand and not to be sold."""
    return [*_leave(home, pool, stocked, quantity, damaged), _sales(stocked, pool.at(_FREE), WORLD, quantity)]


def lose_locked(home: Home, pool: Pool, stocked: Stocked, quantity: int, *, damaged: bool) -> list[Movement]:
    """The same for free units of a lock's pool: the lock waits for as many again."""
    gone = _sales(stocked, pool.at(_FREE), pool.at(_BACKORDERED), quantity)
    return [*_leave(home, pool, stocked, quantity, damaged), gone]


def break_promise(
    home: Home, pool: Pool, stocked: Stocked, live: int, deducted: bool, line_id: int | None, *, damaged: bool
) -> list[Movement]:
    """The units of a promise are gone: it waits in the shared pool like demand that was never served."""
    waits = _sales(stocked, pool.at(promised(deducted)), home.shared(_BACKORDERED), live, line_id)
    return [*_leave(home, pool, stocked, live, damaged), waits]


# ---- locks and the other pools


def lock(home: Home, pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """Free shared units enter a lock's pool; of a physical lock, its warehouse locks them too."""
    if not quantity:
        return []
    return [_sales(stocked, home.shared(_FREE), pool.at(_FREE), quantity), *_locked(pool, stocked, quantity)]


def lock_waits(pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """What a lock wants and is not there waits as demand in its pool."""
    return [_sales(stocked, WORLD, pool.at(_BACKORDERED), quantity)] if quantity else []


def lock_stops_waiting(pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    return [_sales(stocked, pool.at(_BACKORDERED), WORLD, quantity)] if quantity else []


def fill_lock(home: Home, pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """Free shared units go to a lock that waited."""
    return [*lock_stops_waiting(pool, stocked, quantity), *lock(home, pool, stocked, quantity)]


def unlock(home: Home, pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """Free units leave a lock's pool for the shared one."""
    if not quantity:
        return []
    return [_sales(stocked, pool.at(_FREE), home.shared(_FREE), quantity), *_unlocked(pool, stocked, quantity)]


def migrate(
    from_: Pool, to: Pool, bucket: Bucket, stocked: Stocked, quantity: int, line_id: int | None = None
) -> list[Movement]:
    """Units, or waiting demand of locks, change their pool and keep their bucket.

    Goods of physical locks change hands in their warehouses, too; demand that waits has none.
    """
    if not quantity:
        return []
    moves = [_sales(stocked, from_.at(bucket), to.at(bucket), quantity, line_id)]
    if bucket is not _BACKORDERED and from_.warehouse_id != to.warehouse_id:
        moves += [*_unlocked(from_, stocked, quantity), *_locked(to, stocked, quantity)]
    return moves


def deal(home: Home, pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """Free shared units are dealt to a channel's or an activity's pool."""
    return [_sales(stocked, home.shared(_FREE), pool.at(_FREE), quantity)] if quantity else []


def collect(home: Home, pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """The opposite of ``deal``: what was not promised goes back to the shared pool."""
    return [_sales(stocked, pool.at(_FREE), home.shared(_FREE), quantity)] if quantity else []


def presell(pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """A presale pool grows: units that may be promised before goods are there."""
    return [_sales(stocked, WORLD, pool.at(_FREE), quantity)] if quantity else []


def end_presale(pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """What a presale did not sell is gone."""
    return [_sales(stocked, pool.at(_FREE), WORLD, quantity)] if quantity else []


def hand_over(
    home: Home, pool: Pool, stocked: Stocked, quantity: int, deducted: bool, line_id: int | None
) -> list[Movement]:
    """Goods for what was sold before they were there: the promise moves from the presale to the shared pool."""
    stands = promised(deducted)
    return [
        _sales(stocked, pool.at(stands), WORLD, quantity, line_id),
        _sales(stocked, home.shared(_FREE), home.shared(stands), quantity, line_id),
    ]


# ---- goods on their way


def order_in(warehouse_id: int, stocked: Stocked, quantity: int) -> list[Movement]:
    """Purchase order placed: units are on their way to a warehouse."""
    return [Movement(stocked, _DISPATCH, WORLD, At(warehouse_id, _INCOMING), quantity)] if quantity else []


def count_incoming(home: Home, warehouse_id: int, stocked: Stocked, quantity: int) -> list[Movement]:
    """Units on their way to a warehouse may be sold."""
    if not quantity:
        return []
    return [
        Movement(stocked, _DISPATCH, At(warehouse_id, _INCOMING), At(warehouse_id, _COUNTED), quantity),
        _sales(stocked, WORLD, home.shared(_FREE), quantity),
    ]


def uncount_incoming(home: Home, warehouse_id: int, stocked: Stocked, quantity: int) -> list[Movement]:
    """Units on their way, free ones, may be sold no more before they are here."""
    if not quantity:
        return []
    return [
        Movement(stocked, _DISPATCH, At(warehouse_id, _COUNTED), At(warehouse_id, _INCOMING), quantity),
        _sales(stocked, home.shared(_FREE), WORLD, quantity),
    ]


def arrive(home: Home, sent_to: int, stocked: Stocked, quantity: int, *, counted: bool) -> list[Movement]:
    """Units that were on their way to the warehouse ``sent_to`` are here; the ``counted`` ones were on sale before."""
    if not quantity:
        return []
    moves = [
        Movement(stocked, _WAREHOUSE, WORLD, home.bin(_AVAILABLE), quantity),
        Movement(stocked, _DISPATCH, _on_way(sent_to, counted), home.warehouse(_AVAILABLE), quantity),
    ]
    return moves if counted else [*moves, _sales(stocked, WORLD, home.shared(_FREE), quantity)]


def arrive_damaged(home: Home, sent_to: int, stocked: Stocked, quantity: int, *, counted: bool) -> list[Movement]:
    """The same for units that are not to be sold. Who was to have ``counted`` ones gives them up beside this."""
    if not quantity:
        return []
    return [
        Movement(stocked, _WAREHOUSE, WORLD, home.bin(_UNAVAILABLE), quantity),
        Movement(stocked, _DISPATCH, _on_way(sent_to, counted), home.warehouse(_UNAVAILABLE), quantity),
    ]


def send(spot: Spot, to: int, stocked: Stocked, quantity: int) -> list[Movement]:
    """Units leave a bin for the warehouse ``to``: allocated, handed over and sent at once. They stay on sale."""
    bin_id, from_ = spot.bin_id, spot.warehouse_id
    return [
        Movement(stocked, _DISPATCH, At(from_, _AVAILABLE), At(from_, Bucket.ALLOCATED), quantity),
        Movement(stocked, _WAREHOUSE, At(bin_id, _AVAILABLE), At(bin_id, Bucket.PICKING), quantity),
        Movement(stocked, _WAREHOUSE, At(bin_id, Bucket.PICKING), WORLD, quantity),
        Movement(stocked, _DISPATCH, At(from_, Bucket.ALLOCATED), At(to, _COUNTED), quantity),
    ]


def keep(warehouse_id: int, stocked: Stocked, quantity: int) -> list[Movement]:
    """A transfer is asked for: its first warehouse gives the units to nobody else."""
    from_, to = At(warehouse_id, _AVAILABLE), At(warehouse_id, Bucket.ALLOCATED)
    return [Movement(stocked, _DISPATCH, from_, to, quantity)] if quantity else []


def let_go(warehouse_id: int, stocked: Stocked, quantity: int) -> list[Movement]:
    """The opposite of ``keep``."""
    from_, to = At(warehouse_id, Bucket.ALLOCATED), At(warehouse_id, _AVAILABLE)
    return [Movement(stocked, _DISPATCH, from_, to, quantity)] if quantity else []


def come_no_more(sent_to: int, stocked: Stocked, quantity: int, *, counted: bool) -> list[Movement]:
    """Units on their way were cut from their order, lost, or are of another grade; ``counted`` as above."""
    return [Movement(stocked, _DISPATCH, _on_way(sent_to, counted), WORLD, quantity)] if quantity else []


def _sales(stocked: Stocked, from_: At, to: At, quantity: int, line_id: int | None = None) -> Movement:
    return Movement(stocked, _SALES, from_, to, quantity, line_id)


def _stood(pool: Pool) -> Bucket:
    """Where goods behind a pool stand in the dispatch layer."""
    return _AVAILABLE if pool.warehouse_id is None else _LOCKED


def _at_warehouse(home: Home, pool: Pool) -> int:
    return home.warehouse_id if pool.warehouse_id is None else pool.warehouse_id


def _leave(home: Home, pool: Pool, stocked: Stocked, quantity: int, damaged: bool) -> list[Movement]:
    """The goods behind units of a pool leave the house, or are set apart where they are."""
    place, stood = _at_warehouse(home, pool), _stood(pool)
    return [
        Movement(stocked, _WAREHOUSE, home.bin(_AVAILABLE), home.bin(_UNAVAILABLE) if damaged else WORLD, quantity),
        Movement(stocked, _DISPATCH, At(place, stood), At(place, _UNAVAILABLE) if damaged else WORLD, quantity),
    ]


def _on_way(sent_to: int, counted: bool) -> At:
    return At(sent_to, _COUNTED if counted else _INCOMING)


def _locked(pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """The dispatch layer's part of units that enter the pool of a physical lock."""
    place = pool.warehouse_id
    if place is None:
        return []
    return [Movement(stocked, _DISPATCH, At(place, _AVAILABLE), At(place, _LOCKED), quantity)]


def _unlocked(pool: Pool, stocked: Stocked, quantity: int) -> list[Movement]:
    """The dispatch layer's part of units that leave the pool of a physical lock."""
    place = pool.warehouse_id
    if place is None:
        return []
    return [Movement(stocked, _DISPATCH, At(place, _LOCKED), At(place, _AVAILABLE), quantity)]
