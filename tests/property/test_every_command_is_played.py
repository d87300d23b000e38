"""Whatever the ledger can do is done by the machine over all commands, and by the simulation."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import core
import drills.simulate
from core.command import Command
from core.stock import DocumentKind
from tests.property import all_commands
from tests.property.all_commands.machine import HAPPENINGS
from tests.property.test_all_commands import Everything

# By command: what the machine may do, as the name of a happening, and how its rules name the command or the act that
# makes it.
MACHINE: Mapping[str, tuple[str, str]] = {
    "Allocate": ("tell_warehouses", "dispatching.dispatch"),
    "ApplyOrder": ("an_order_changes", "ApplyOrder"),
    "Assemble": ("assemble", "Assemble"),
    "ChangeLock": ("change_a_lock", "ChangeLock"),
    "ClosePool": ("close_a_pool", "ClosePool"),
    "Collect": ("shift", "Collect"),
    "ConsumeFor": ("a_lock_serves_an_order", "ConsumeFor"),
    "ConsumeLock": ("consume_a_lock", "ConsumeLock"),
    "Count": ("count_what_is_on_its_way", "counting.apply"),
    "Cut": ("ordered_goods_are_cut", "placing.cut"),
    "Deal": ("shift", "Deal"),
    "DecideLock": ("decide_on_a_lock", "DecideLock"),
    "EndHold": ("act_on_a_hold", "EndHold"),
    "ExpireLock": ("time_passes", "ExpireLock"),
    "ExtendHold": ("act_on_a_hold", "ExtendHold"),
    "GiveBack": ("act_on_what_is_sent", "GiveBack"),
    "HandOver": ("act_on_what_is_sent", "HandOver"),
    "Hold": ("hold", "Hold"),
    "HoldPriority": ("act_on_a_hold", "HoldPriority"),
    "Inspect": ("look_at_it", "inspection.inspect"),
    "Keep": ("ask_for_a_transfer", "transfers.ask"),
    "KeepToSupply": ("sell_ordered_goods", "receipts.receive"),
    "Lose": ("lose", "Lose"),
    "LoseTransfer": ("goods_are_lost", "sending.lose"),
    "Merge": ("join", "merging.merge"),
    "MigrateLock": ("migrate_a_lock", "MigrateLock"),
    "Mirror": ("an_item_is_told", "telling.tell"),
    "MovePromises": ("migrate_a_lock", "move_promises"),
    "OpenPool": ("open_a_pool", "OpenPool"),
    "OrderPriority": ("rank_an_order", "OrderPriority"),
    "PayDeposit": ("act_on_a_hold", "PayDeposit"),
    "PayHold": ("act_on_a_hold", "PayHold"),
    "Place": ("order_goods", "placing.place"),
    "PostCounts": ("book_what_was_counted", "posting.post"),
    "Preload": ("preload", "Preload"),
    "PutAway": ("put_away", "PutAway"),
    "PutBack": ("act_on_what_is_sent", "PutBack"),
    "Receive": ("goods_come", "Receive"),
    "ReceivePurchase": ("ordered_goods_come", "receipts.receive"),
    "ReceiveTransfer": ("goods_arrive", "sending.receive"),
    "Regrade": ("regrade", "Regrade"),
    "Reject": ("act_on_what_is_sent", "Reject"),
    "ReleaseLock": ("release_a_lock", "ReleaseLock"),
    "RequestLock": ("ask_for_a_lock", "RequestLock"),
    "Resize": ("shift", "Resize"),
    "ReturnBundle": ("a_bundle_comes_back", "ReturnBundle"),
    "ReturnToInspect": ("something_comes_back", "ReturnToInspect"),
    "Reverse": ("take_back", "Reverse"),
    "SendBack": ("send_it_back", "going_back.send_back"),
    "SendTransfer": ("send_goods", "sending.send"),
    "SetFloor": ("set_a_floor", "SetFloor"),
    "SetOnShelf": ("count_the_shelf", "SetOnShelf"),
    "SetWindow": ("set_a_window", "SetWindow"),
    "Ship": ("act_on_what_is_sent", "Ship"),
    "Split": ("split", "splitting.split"),
    "StartLock": ("time_passes", "StartLock"),
    "TakeBack": ("undo_a_receipt", "taking_back.take_back"),
    "Unblock": ("unblock", "Unblock"),
}

# By command: how the simulation names it, or the act or job that makes it.
SIMULATION: Mapping[str, str] = {
    "Allocate": "dispatching.dispatch",
    "ApplyOrder": "own.commands",
    "Assemble": "Assemble(",
    "ChangeLock": "ChangeLock",
    "ClosePool": "ClosePool",
    "Collect": "Collect",
    "ConsumeFor": "ConsumeFor",
    "ConsumeLock": "ConsumeLock",
    "Count": "counting.apply_to",
    "Cut": "placing.cut",
    "Deal": "Deal",
    "DecideLock": "DecideLock",
    "EndHold": "EndHold",
    "ExpireLock": '"locks": "every 10"',
    "ExtendHold": "ExtendHold",
    "GiveBack": "GiveBack",
    "HandOver": "HandOver",
    "Hold": "Hold(",
    "HoldPriority": "HoldPriority(",
    "Inspect": "inspection.inspect",
    "Keep": "transfers.ask",
    "KeepToSupply": "_supply_for(",
    "Lose": "Lose(",
    "LoseTransfer": "sending.lose",
    "Merge": "merging.merge",
    "MigrateLock": "MigrateLock",
    "Mirror": "telling.tell",
    "MovePromises": "move_promises",
    "OpenPool": "OpenPool",
    "OrderPriority": "OrderPriority(",
    "PayDeposit": "PayDeposit",
    "PayHold": "PayHold",
    "Place": "placing.place",
    "PostCounts": "posting.post",
    "Preload": "campaigns.plan",
    "PutAway": "PutAway",
    "PutBack": "PutBack",
    "Receive": "Receive(",
    "ReceivePurchase": "receipts.receive",
    "ReceiveTransfer": "sending.receive",
    "Regrade": "Regrade",
    "Reject": "Reject",
    "ReleaseLock": "ReleaseLock",
    "RequestLock": "RequestLock",
    "Resize": "Resize",
    "ReturnBundle": "ReturnBundle(",
    "ReturnToInspect": "ReturnToInspect",
    "Reverse": "Reverse(",
    "SendBack": "going_back.send_back",
    "SendTransfer": "sending.send",
    "SetFloor": "SetFloor(",
    "SetOnShelf": "SetOnShelf(",
    "SetWindow": "SetWindow(",
    "Ship": "Ship(",
    "Split": "splitting.split",
    "StartLock": '"locks": "every 10"',
    "TakeBack": "taking_back.take_back",
    "Unblock": "Unblock",
}

# By kind of document: the happening of the machine that posts it.
DOCUMENTS: Mapping[DocumentKind, str] = {
    DocumentKind.OPENING: "open_shops",
    DocumentKind.RECEIPT: "goods_come",
    DocumentKind.RESERVATION: "hold",
    DocumentKind.DEDUCTION: "an_order_changes",
    DocumentKind.RELEASE: "act_on_a_hold",
    DocumentKind.EXPIRY: "time_passes",
    DocumentKind.FILL: "goods_come",
    DocumentKind.SHIPMENT: "act_on_what_is_sent",
    DocumentKind.RETURN: "goods_come",
    DocumentKind.DAMAGE: "lose",
    DocumentKind.MEND: "unblock",
    DocumentKind.FOUND: "goods_come",
    DocumentKind.MISSING: "lose",
    DocumentKind.SCRAP: "unblock",
    DocumentKind.SET_APART: "lose",
    DocumentKind.INSPECTION: "look_at_it",
    DocumentKind.VENDOR_RETURN: "send_it_back",
    DocumentKind.REGRADE: "regrade",
    DocumentKind.ASSEMBLY: "assemble",
    DocumentKind.LOCK: "ask_for_a_lock",
    DocumentKind.UNLOCK: "release_a_lock",
    DocumentKind.MIGRATION: "migrate_a_lock",
    DocumentKind.DEAL: "shift",
    DocumentKind.COLLECT: "shift",
    DocumentKind.PRESALE: "open_a_pool",
    DocumentKind.PRESALE_END: "close_a_pool",
    DocumentKind.REVERSAL: "take_back",
    DocumentKind.PUT_AWAY: "put_away",
    DocumentKind.TRANSFER: "send_goods",
    DocumentKind.PURCHASE: "order_goods",
    DocumentKind.PURCHASE_CUT: "ordered_goods_are_cut",
    DocumentKind.LOST: "goods_are_lost",
    DocumentKind.COUNT_INCOMING: "count_what_is_on_its_way",
    DocumentKind.UNCOUNT_INCOMING: "count_what_is_on_its_way",
    DocumentKind.MERGE: "join",
    DocumentKind.SPLIT: "split",
    DocumentKind.ALLOCATION: "tell_warehouses",
    DocumentKind.DEALLOCATION: "act_on_what_is_sent",
    DocumentKind.HAND_OVER: "act_on_what_is_sent",
    DocumentKind.PUT_BACK: "act_on_what_is_sent",
}


def commands() -> set[str]:
    """Names of all commands that core defines, whoever imports them; those that only others derive from aside."""
    for module in pkgutil.walk_packages(core.__path__, "core."):
        if not module.name.startswith("core.migrations"):
            importlib.import_module(module.name)
    return {one.__name__ for one in _derived(Command) if one.decide is not Command.decide and one.__name__[0] != "_"}


def _derived(kind: type) -> Iterator[Any]:
    derived: list[type[Any]] = kind.__subclasses__()
    for one in derived:
        if one.__module__.startswith("core."):
            yield one
        yield from _derived(one)


def happenings() -> set[str]:
    return {name for name, _ in HAPPENINGS} & {name for name, _ in inspect.getmembers(Everything)}


def source(package: ModuleType) -> str:
    return "\n".join(path.read_text() for path in Path(package.__path__[0]).glob("*.py"))


def test_the_machine_does_every_command() -> None:
    assert set(MACHINE) == commands()


def test_the_simulation_does_every_command() -> None:
    assert set(SIMULATION) == commands()


def test_what_the_machine_is_said_to_do_it_may_do() -> None:
    assert {happening for happening, _ in MACHINE.values()} <= happenings()
    words = source(all_commands)
    assert not [command for command, (_, named) in MACHINE.items() if named not in words]


def test_what_the_simulation_is_said_to_do_it_may_do() -> None:
    words = source(drills.simulate)
    assert not [command for command, named in SIMULATION.items() if named not in words]


def test_every_kind_of_document_is_posted_by_the_machine() -> None:
    assert set(DOCUMENTS) == set(DocumentKind)
    assert set(DOCUMENTS.values()) <= happenings() | {"open_shops"}
