"""Who does what when: acts that wait for their minute."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

Act = Callable[[], None]


@dataclass(slots=True)
class Rota:
    _acts: list[tuple[float, int, Act]] = field(default_factory=list)
    _drawn: int = 0

    def at(self, minute: float, act: Act) -> None:
        self._drawn += 1
        heapq.heappush(self._acts, (minute, self._drawn, act))

    def go_on(self, until: float) -> None:
        """Do what is due before this minute, in its order."""
        while self._acts and self._acts[0][0] < until:
            heapq.heappop(self._acts)[2]()
