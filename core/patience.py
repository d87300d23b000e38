"""Time for statements that read a whole ledger; all others end after the minute that each connection allows."""

from core.transaction import Transaction


def allow(tx: Transaction, seconds: float) -> None:
    """Let each statement of this transaction take up to ``seconds`` (> 0)."""
    tx.run("SELECT set_config('statement_timeout', :limit, true)", limit=f"{int(seconds * 1000)}ms")
