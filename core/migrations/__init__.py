"""Alembic migrations: the only code that changes the schema; run by ``holdfast migrate`` as the owner."""
