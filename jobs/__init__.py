"""Work done in the background: Dramatiq actors, and the relay that finds rows which want work."""
