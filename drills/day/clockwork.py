"""What the hub does without anybody asking: its own jobs, run as often as its relay would have them run."""

from dataclasses import dataclass

from core import work
from core.dispatch import waking
from core.fulfilment import automatic
from drills.day.house import House
from drills.day.plan import MERCHANT
from jobs.backorders import look_after_backorders
from jobs.dispatch import dispatch_orders
from jobs.locks import start_and_end_locks
from jobs.upkeep import expire_holds

_EACH_HOUR = 60
_DUE = """SELECT count(*) FROM work WHERE merchant_id = :merchant_id AND topic = :topic AND dead_at IS NULL
    AND due_at <= :now AND (leased_until IS NULL OR leased_until <= :now)"""


@dataclass(slots=True)
class Clockwork:
    house: House

    def wind_up(self) -> None:
        """From now on paid orders go to the houses that send them by themselves."""
        with self.house.db.begin(MERCHANT, actor="cli") as tx:
            automatic.switch(tx, on=True)

    def end_what_ran_out(self) -> None:
        self._want("expire")
        expire_holds(self.house.app, MERCHANT, 0)
        self._want("locks")
        start_and_end_locks(self.house.app, MERCHANT, 0)
        if self.house.minute % _EACH_HOUR == 0:
            self._want("backorders")
            look_after_backorders(self.house.app, MERCHANT, 0)

    def dispatch(self) -> None:
        """All orders that are to be looked at by now, in as many lots as it takes."""
        while self.house.ask(_DUE, topic=waking.TOPIC)[0][0]:
            self.house.tally["dispatch run"] += 1
            dispatch_orders(self.house.app, MERCHANT, 0)

    def _want(self, topic: str) -> None:
        with self.house.db.begin(MERCHANT, actor="job:relay") as tx:
            work.want(tx, [work.Want(topic, 0, "")])
