"""The ledger at any instant: history, checkpoints, replay, rebuild, and the evidence of what was pushed."""
