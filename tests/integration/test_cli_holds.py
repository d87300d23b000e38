"""``holdfast reserve`` as a merchant types it."""

from core.stock import MINOR_DEFECT
from tests.builders import Units, World
from tests.integration.command_line import Holdfast


def test_a_hold_is_made_shown_extended_paid_and_released(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", "CUP", units=5)

    made = holdfast("reserve", "make", "cart-17", "mug=2", "CUP=1", "MUG=1", "--holder", "c-1")
    again = holdfast("reserve", "make", "cart-17", "mug=3", "CUP=1", "--holder", "c-1", "--json").json
    extended = holdfast("reserve", "extend", "cart-17", "--ttl", "2h")
    listed = holdfast("reserve", "list", "--expiring", "--json").json
    paying = holdfast("reserve", "paying", "cart-17", "--json").json
    lasting = holdfast("reserve", "list", "--lasting")
    paid = holdfast("reserve", "paid", "cart-17")
    released = holdfast("reserve", "release", "cart-17")
    shown = holdfast("reserve", "show", "cart-17")

    assert "Hold cart-17 is made." in made.out
    assert again["repeated"] is True
    assert {item["sku"]: item["live"] for item in again["items"]} == {"MUG": 3, "CUP": 1}
    assert extended.out == "Hold cart-17 lasts 2 h from now.\n"
    assert [(one["key"], one["state"], one["ttl_s"]) for one in listed] == [("cart-17", "held", 7200)]
    assert (paying["state"], paying["expires_at"]) == ("paying", None)
    assert "being paid, does not run out" in lasting.out
    assert "payment paid" in paid.out
    assert "its units are free" in released.out
    assert "deduction" in shown.out
    assert "ended" in shown.out
    assert world.units("MUG") == Units(5)
    acts = world.ask("SELECT act FROM act_log ORDER BY id")
    assert [row.act for row in acts] == [
        "hold.make", "hold.extend", "hold.payment_started", "hold.payment_paid", "hold.release",
    ]  # fmt: skip


def test_what_cannot_be_held_is_said_with_its_cure(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=2)

    said = {
        words: holdfast("reserve", *words.split(" "))
        for words in (
            "make h MUG=3",
            "make h TRAY=1",
            "make h MUG=1 --holder somebody@example.com",
            "make h MUG=1 --channel Paris",
            "make h MUG=1 --pool FLASH",
            "make h MUG=1 --lock fair",
            "paid nothing",
            "show nothing",
        )
    }
    assert [one.code for one in said.values()] == [1] * len(said)
    assert [
        words in one.err
        for words, one in zip(
            ("missing are 1 MUG", "no item has SKU TRAY", "no name and no address", "no store", "no pool FLASH",
             "no lock fair", "no hold nothing", "no hold nothing"), said.values(), strict=True,
        )
    ] == [True] * len(said)  # fmt: skip
    for words in (
        "make h MUG",
        "make h MUG=0",
        "make h MUG=-1",
        "make h =3",
        "make h MUG=1 --ttl soon",
        "make h MUG=1e3",
    ):
        assert holdfast("reserve", *words.split(" ")).code == 2
    assert world.units("MUG") == Units(2)


def test_a_hold_that_falls_short_is_told_what_would_help(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=2)

    assert "--wait lets the rest wait" in holdfast("reserve", "make", "h", "MUG=3").err
    refused = holdfast("reserve", "make", "h", "MUG=3", "--wait").err
    holdfast("rule", "set", "backorder=yes", "--item", "MUG")

    assert "`holdfast rule set backorder=yes --item MUG`" in refused
    assert holdfast("reserve", "make", "h", "MUG=3", "--wait").code == 0
    holdfast("rule", "set", "backorder_limit=1", "--item", "MUG")
    full = holdfast("reserve", "make", "i", "MUG=1", "--wait").err
    assert "At most 1 of MUG may wait at a time" in full
    assert "backorder=yes" not in full


def test_best_effort_on_the_command_line_says_what_is_missing(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=2)

    said = holdfast("reserve", "make", "h", "MUG=3", "--best-effort")

    assert "1 unit of MUG could not be had." in said.out
    assert world.units("MUG") == Units(0, 2)


def test_a_hold_of_the_other_grade_takes_that_grade(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=2)

    said = holdfast("reserve", "make", "h", "MUG=1", "--grade", MINOR_DEFECT)

    assert (said.code, "missing are 1 MUG (minor_defect)" in said.err) == (1, True)


def test_how_long_holds_last_is_set_by_method_and_channel(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)

    holdfast("reserve", "ttl", "3d", "--payment", "bank transfer")
    holdfast("reserve", "ttl", "5min", "--channel", "own")
    rules = holdfast("reserve", "ttl", "--json").json
    short = holdfast("reserve", "make", "a", "MUG=1", "--json").json
    long = holdfast("reserve", "make", "b", "MUG=1", "--payment", "Bank-Transfer", "--json").json
    store = holdfast("reserve", "make", "c", "MUG=1", "--channel", "Main street", "--json").json
    changed = holdfast("reserve", "extend", "a", "--payment", "bank_transfer", "--json")
    gone = holdfast("reserve", "ttl", "--channel", "own", "--off")

    assert [(rule["channel"], rule["payment"], rule["ttl_s"]) for rule in rules] == [
        ("own interface", "", 300),
        ("every channel", "bank_transfer", 259_200),
    ]
    assert (short["ttl_s"], long["ttl_s"], store["ttl_s"]) == (300, 259_200, 900)
    assert changed.code == 0
    assert "own interface" not in gone.out
    assert holdfast("reserve", "ttl", "--channel", "own", "--off").code == 1
    assert holdfast("reserve", "ttl", "2s").code == 1


def test_a_time_that_no_hold_may_last_is_refused_wherever_it_is_said(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=5)
    holdfast("reserve", "make", "a", "MUG=1")
    for words in (("make", "b", "MUG=1", "--ttl", "1s"), ("make", "b", "MUG=1", "--ttl", "100d"),
                  ("extend", "a", "--ttl", "9s")):  # fmt: skip
        said = holdfast("reserve", *words)
        assert (said.code, "from 10 seconds to 90 days; say a time in between" in said.err) == (1, True), words
    assert world.units("MUG") == Units(4, 1)


def test_limits_are_set_shown_kept_to_and_taken_back(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)

    holdfast("reserve", "limit", "2", "--per", "customer", "--item", "mug")
    shown = holdfast("reserve", "limits")
    as_data = holdfast("reserve", "limits", "--json").json
    refused = holdfast("reserve", "make", "a", "MUG=3", "--holder", "c-1")
    unknown = holdfast("reserve", "make", "a", "MUG=1")
    gone = holdfast("reserve", "limit", "--per", "customer", "--item", "mug", "--off")
    free = holdfast("reserve", "make", "a", "MUG=3")

    assert shown.out == "one customer may take 2 units of MUG\n"
    assert as_data == [{"per": "customer", "item": "MUG", "pool": None, "units": 2}]
    assert "one customer may take 2 units of MUG: 3 were asked for; ask for 2 or fewer" in refused.err
    assert "name the holder" in unknown.err
    assert gone.out == "Everybody may take as much as there is.\n"
    assert free.code == 0
    for words in ("limit 2", "limit 2 --per week", "limit --per day", "limit 2 --per day --off"):
        assert holdfast("reserve", *words.split(" ")).code == 2
    assert holdfast("reserve", "limit", "2", "--per", "activity").code == 1


def test_who_may_not_hold_is_told_which_right_is_missing(holdfast: Holdfast, world: World) -> None:
    world.stocked("MUG", units=9)
    holdfast("user", "add", "viewer@shop.example", "--role", "viewer")

    said = holdfast("reserve", "make", "a", "MUG=3", "--as", "viewer@shop.example")
    rule = holdfast("reserve", "ttl", "1h", "--as", "viewer@shop.example")
    looked = holdfast("reserve", "list", "--as", "viewer@shop.example")

    assert "lacks the right hold.make" in said.err
    assert "lacks the right rule.change" in rule.err
    assert looked.code == 0
    assert world.units("MUG") == Units(9)
