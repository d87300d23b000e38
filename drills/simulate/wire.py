"""The way to a shop and back: it takes time, and it fails as networks and shops do."""

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Protocol, TypeVar

from core.errors import Throttled, Unreachable
from drills.simulate.weather import Weather

Answer = TypeVar("Answer")


class Place(Protocol):
    """Where a call is made from: the process of the hub whose task waits for the answer."""

    def pause(self, seconds: float) -> None:
        """Let time pass."""

    def point(self, name: str) -> None:
        """Where the process may die."""


class Wire:
    """The one way to one shop, for all processes. ``away_until`` is the end of an outage."""

    def __init__(self, random: Random, now: Callable[[], datetime], weather: Callable[[], Weather]) -> None:
        self.random, self.now = random, now
        self._weather = weather
        self.away_until = self.throttled_until = now()

    @property
    def weather(self) -> Weather:
        return self._weather()

    def call(self, place: Place, act: Callable[[], Answer]) -> Answer:
        """Have the shop do something and bring its answer.

        Raises: Throttled and Unreachable before the shop has done it, and Unreachable after it has (a lost answer).
        """
        weather, random = self.weather, self.random
        place.pause(self._one_way())
        if self.now() < self.throttled_until or random.random() < weather.throttled:
            raise Throttled(random.uniform(0.1, 2.0))
        if self.now() < self.away_until or random.random() < weather.unreachable:
            raise Unreachable("the shop is away")
        answer = act()
        place.pause(self._one_way())
        if random.random() < weather.answer_lost:
            raise Unreachable("the answer was lost")
        place.point("answer")
        return answer

    def _one_way(self) -> float:
        slow = self.random.random() < self.weather.slow
        return self.random.uniform(2.0, 15.0) if slow else self.random.uniform(0.005, 0.25)
