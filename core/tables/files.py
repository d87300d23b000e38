"""Files read in, and what their rows did."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table

from core.tables.base import identity, instant, metadata, reference, tenant, words

import_ = Table(
    "import",
    metadata,
    tenant(),
    identity(),
    words("kind"),
    words("name"),
    Column("content_hash", LargeBinary, nullable=False),
    Column("nth", Integer, nullable=False),
    words("state"),
    Column("units", BigInteger, nullable=False),
    instant("begun_at"),
    words("begun_by"),
    instant("ended_at", nullable=True),
    instant("undone_at", nullable=True),
    words("undone_by"),
)

# Rows that did something or were refused; all others found things as they say.
import_row = Table(
    "import_row",
    metadata,
    tenant(),
    identity("import_id"),
    identity("row_no"),
    Column("rows", BigInteger, nullable=False),
    words("outcome"),
    words("subject"),
    words("told"),
    reference("document_id", nullable=True),
    words("was", nullable=True),
    instant("undone_at", nullable=True),
    words("kept_because"),
)
