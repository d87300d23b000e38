"""What is kept for transfers follows one rule, whatever comes, is promised and is sent: customers first, then by age.

Against plain sums that share no code with the core.
"""

from dataclasses import dataclass, field
from itertools import count

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.sales.holds import EndHold, Hold
from core.supply import topping_up, transfers
from core.transaction import Database, wall_clock
from tests.builders import FAR_OFF, World
from tests.integration import fulfilment_acts
from tests.integration.place_acts import place
from tests.integration.place_acts import tell as told
from tests.integration.test_topping_up import kept_by
from tests.integration.test_transfers import asked, kept, send
from tests.property.histories import played, random_shop

PLAYED = settings(played(15, soak=500), suppress_health_check=[HealthCheck.function_scoped_fixture])
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["MAIN", "HAMBURG"]), st.integers(1, 6)),
        st.tuples(st.just("holds"), st.integers(1, 6)),
        st.tuples(st.just("ends a hold"), st.integers(0, 3)),
        st.tuples(st.just("asks"), st.integers(1, 8)),
        st.tuples(st.just("sends"), st.integers(0, 3)),
        st.tuples(st.just("closes"), st.integers(0, 3)),
        st.tuples(st.just("looks"), st.just(0)),
    ),
    min_size=4,
    max_size=16,
)


@dataclass
class Asked:
    unsent: int
    kept: int


@dataclass
class Plain:
    """Units that stand in MAIN and HAMBURG, are on their way, and held; transfers from MAIN, the oldest first."""

    stands: dict[str, int] = field(default_factory=lambda: {"MAIN": 1, "HAMBURG": 0})
    coming: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)

    @property
    def left_in_main(self) -> int:
        return self.stands["MAIN"] - sum(one.kept for one in self.asked.values())

    @property
    def free(self) -> int:
        return sum(self.stands.values()) + self.coming - sum(self.holds.values())

    def look(self) -> None:
        for one in self.asked.values():
            spare = self.left_in_main + self.stands["HAMBURG"] - sum(self.holds.values())
            one.kept += max(min(one.unsent - one.kept, self.left_in_main, spare), 0)


# Units that are on their way when others come and are held.
ON_THEIR_WAY = [("MAIN", 3), ("asks", 4), ("sends", 0), ("asks", 3), ("MAIN", 3), ("holds", 1)]


@PLAYED
@given(steps=steps)
@example(steps=ON_THEIR_WAY)
def test_what_is_kept_is_what_the_rule_says(db: Database, steps: list[tuple[str, int]]) -> None:
    db.clock = wall_clock
    world, plain, names = random_shop(db), Plain(), count(1)
    world.stocked("mug", units=1)
    place(world, "HAMBURG")

    for act, n in [*steps, ("looks", 0)]:
        play(world, plain, names, act, n)

        assert kept_by(world) == {name: one.kept for name, one in plain.asked.items()}
        assert kept(world)[0] == plain.left_in_main


def play(world: World, plain: Plain, names: "count[int]", act: str, n: int) -> None:
    if act in plain.stands:
        fulfilment_acts.put(world, act, mug=n)
        plain.stands[act] += n
    elif act == "holds" and n <= plain.free:
        key = f"h{next(names)}"
        world.do(Hold(key, {world.item("mug"): n}, FAR_OFF))
        plain.holds[key] = n
    elif act == "ends a hold" and n < len(plain.holds):
        key = list(plain.holds)[n]
        world.do(EndHold(key))
        del plain.holds[key]
    elif act == "asks":
        number = f"T-{next(names)}"
        asked(world, number, mug=n)
        plain.asked[number] = Asked(n, min(n, plain.left_in_main))
    elif act in ("sends", "closes") and n < len(plain.asked):
        number, one = list(plain.asked.items())[n]
        if act == "closes":
            told(world, transfers.close, number)
            one.unsent = one.kept = 0
        elif one.kept:
            send(world, one.kept, number=number)
            plain.stands["MAIN"] -= one.kept
            plain.coming += one.kept
            one.unsent, one.kept = one.unsent - one.kept, 0
    elif act == "looks":
        topping_up.apply(world.db, world.merchant_id, actor="test")
        plain.look()
