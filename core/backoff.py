"""Growing waits between tries."""


def backoff_s(tries: int) -> float:
    """Seconds to wait after the n-th failed try (n >= 1): 0.5, 1, 2, ... at most 300."""
    return float(min(300.0, 0.5 * 2 ** max(tries - 1, 0)))
