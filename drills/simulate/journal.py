"""What happened, in order, as one hash: two runs of a seed must tell the same story."""

import hashlib
from collections import deque
from datetime import datetime

_KEPT = 4_000


class Journal:
    """Only the hash grows with the story; the last lines are kept for a failing seed."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.tail: deque[str] = deque(maxlen=_KEPT)

    def write(self, at: datetime, who: str, what: str) -> None:
        line = f"{at:%H:%M:%S.%f} {who}: {what}"
        self._hash.update(line.encode() + b"\n")
        self.tail.append(line)

    def add(self, text: str) -> None:
        """Count in what is too long to be kept."""
        self._hash.update(text.encode())

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()[:24]
