"""Plans that are kept: for statements that look everything up by key, and take longer to plan than to run.

A connection has each statement planned for the table as it is at that moment, since a plan kept from when a table was
empty may read whole merchants for each key. Where whole tables are not to be read at all, no plan can become that one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from core.transaction import Transaction

_SETTINGS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_bitmapscan": "off"}
# What a statement asks of PostgreSQL so that it keeps plans until the transaction ends.
KEPT = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _SETTINGS.items())
_NOW = ", ".join(f"current_setting('{name}') AS {name}" for name in _SETTINGS)
_KEEP = f"SELECT {', '.join(_SETTINGS)}, {KEPT} FROM (SELECT {_NOW} OFFSET 0) before"
_BACK = "SELECT " + ", ".join(f"set_config('{name}', :{name}, true)" for name in _SETTINGS)


@contextmanager
def kept(tx: Transaction) -> Iterator[None]:
    """Keep the plans of the statements inside; afterwards plans are made as before.

    After an error nothing is brought back: what was set ends with the transaction, and that cannot go on.
    """
    before = tx.run(_KEEP).one()
    yield
    tx.run(_BACK, **{name: getattr(before, name) for name in _SETTINGS})
