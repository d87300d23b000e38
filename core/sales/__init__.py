"""Units promised: what may be drawn from which pool, holds, locks, pools, and who is served first."""
