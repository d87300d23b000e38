"""The source of truth: a double-entry stock ledger in three layers. Imports nothing of ours, knows no platform."""
