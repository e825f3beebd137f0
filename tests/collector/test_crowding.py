"""Names past their bound are told by kind and option while they come."""

import threading

import pytest

from flower_collector.crowding import OVER, Crowding
from flower_collector.findings import Findings
from flower_collector.metrics import Metrics
from flower_collector.settings import CollectorSettings
from flower_store import findings, writes
from flower_store.settings import StoreSettings


class Clock:
    def __init__(self) -> None:
        self.at = 1.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def found() -> Findings:
    return Findings(Metrics())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def crowding(found: Findings, clock: Clock) -> Crowding:
    return Crowding(found, CollectorSettings(max_workers=20_000), clock=clock)


def sentences(crowding: Crowding, found: Findings) -> list[str]:
    store = writes.Writer(StoreSettings(database_url="postgresql://nobody"), cluster="default")
    crowding.work(store, threading.Event())
    return [one.sentence for one in found.told() if one.kind == findings.NAMES_FULL]


def test_nothing_is_told_while_every_name_has_its_row(crowding: Crowding, found: Findings) -> None:
    assert sentences(crowding, found) == []


def test_the_kind_its_bound_and_its_option_are_told(crowding: Crowding, found: Findings) -> None:
    crowding.note(["worker"])

    assert sentences(crowding, found) == [
        "There are more workers than 20,000: new ones share one row, and whether all of their tasks were seen is "
        "not audited. Raise --max-workers."
    ]


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("name", "--max-task-names"), ("queue", "--max-queues"), ("worker", "--max-workers"),
        ("type", "--max-event-types"), ("group", "--max-error-groups"),
    ],
)  # fmt: skip
def test_each_kind_has_its_option(crowding: Crowding, found: Findings, kind: str, option: str) -> None:
    crowding.note([kind])

    (sentence,) = sentences(crowding, found)
    assert f"Raise {option}." in sentence


def test_it_is_unsaid_an_hour_after_the_last_one(crowding: Crowding, found: Findings, clock: Clock) -> None:
    crowding.note(["queue"])
    clock.at += OVER.total_seconds() - 1
    before = sentences(crowding, found)
    clock.at += 2

    assert len(before) == 1
    assert sentences(crowding, found) == []
