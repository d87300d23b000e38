"""Somebody at our own interface, who asks again until there is an answer."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from core.command import Command
from core.errors import Refused
from core.sales.holds import Held
from drills.simulate.acts import done_by
from drills.simulate.hub import MERCHANT, Hub, Process

_RETRY_S = (0.5, 4.0)
_ACTOR = "api_key:1"

Act = Callable[[Process], Any]
Answered = Callable[[Any], None]
Kinds = Mapping[Callable[[], str | None], int]  # what may happen, and how often


def _nobody_listens(_: Any) -> None:
    """The answer is of no use to whoever asked."""


class Caller:
    """Whoever gets no answer asks again, under the same key.

    ``unanswered``  how many still wait for one.
    ``acts``        those of ``ACTS`` that did something.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.unanswered = 0
        self.acts: set[str] = set()

    def ask(self, name: str, command: Command, answered: Answered = _nobody_listens, *, is_told: bool = False) -> None:
        """Until an answer comes; sometimes once more after that.

        Args: is_told: whoever asks again is told the same, unless it was refused.
        """
        self.have(name, lambda edge: self.do(edge, command), answered, is_told=is_told)

    def have(self, name: str, act: Act, answered: Answered = _nobody_listens, *, is_told: bool = False) -> None:
        """The same for something that takes more than one command."""
        self.unanswered += 1

        def once_more(result: Any) -> None:
            self.unanswered -= 1
            answered(result)
            if self._hub.scheduler.random.random() < self._hub.weather.request_doubled:
                self._try(name, act, partial(self._compare, name, result) if is_told else _nobody_listens)

        self._try(name, act, once_more)

    @staticmethod
    def do(edge: Process, command: Command) -> Any:
        return edge.app.combiner.run(MERCHANT, [command], actor=_ACTOR)[0]

    def _try(self, name: str, act: Act, answered: Answered) -> None:
        hub = self._hub
        edge, scheduler = hub.edge, hub.scheduler
        results: list[Any] = []

        def done(came_to_its_end: bool) -> None:
            if not came_to_its_end:
                self._later(name, act, answered)
                return
            answer = _short(results[0])
            hub.journal.write(scheduler.now, "caller", f"{name}: {answer}")
            self.acts |= done_by(name, answer)
            answered(results[0])

        if edge.is_up:
            edge.run(name, lambda: results.append(act(edge)), done)
        else:
            self._later(name, act, answered)

    def _later(self, name: str, act: Act, answered: Answered) -> None:
        scheduler = self._hub.scheduler
        scheduler.after(scheduler.random.uniform(*_RETRY_S), partial(self._try, name, act, answered))

    def _compare(self, name: str, first: object, again: object) -> None:
        if isinstance(first, Held):
            first = first._replace(gave_way=())  # only the call that made them give way knows of them
        if not isinstance(first, Refused) and first != again:
            self._hub.found(f"{name} was answered {first}, and asked again {again}")


def _short(result: object) -> str:
    return type(result).__name__ if isinstance(result, Exception) else str(result)
