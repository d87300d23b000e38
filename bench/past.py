"""What benches of the past share: an embedded server, as the hub runs it, with a shop that is months old."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy.engine import make_url

from config.embedded import Postgres, start_postgres
from core import catalog, schema
from core.transaction import Database, connect

MERCHANT = 1
PAST = timedelta(days=70)


@contextmanager
def shop(statements: Sequence[str], told: Mapping[str, object]) -> Iterator[Database]:
    """A shop that is filled by ``statements``, in a folder of its own that is gone afterwards.

    Args: told: their parameters; besides these they know ``merchant`` and ``past``.
    """
    folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    try:
        with start_postgres(folder / "server") as server:
            db = _made(server)
            with server.connect_as_superuser(make_url(server.app_url).database or "") as connection:
                for statement in statements:
                    connection.execute(statement, {"merchant": MERCHANT, "past": PAST, **told})
            yield db
            db.engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(server: Postgres) -> Database:
    owner = connect(server.owner_url, role=None)
    schema.migrate(owner)
    owner.dispose()
    db = Database(connect(server.app_url))
    catalog.ensure_merchant(db, MERCHANT, name="Bench shop")
    with db.begin(MERCHANT, actor="bench") as tx:
        for months in range(4):
            tx.run("SELECT add_month(CAST(:day AS date))", day=(tx.now - months * timedelta(days=28)).date())
    return db
