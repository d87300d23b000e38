"""Units on their way: which warehouse sends what, why, and when it arrives."""
