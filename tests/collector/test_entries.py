"""Entries of a stream, as redis-py gives them for both protocols, and the receipts of those that are held."""

from datetime import UTC, datetime

import pytest

from flower_collector.receivers import entries
from flower_collector.receivers.entries import Entry
from flower_collector.receivers.holding import Holding

PAIR = (b"5-0", {b"body": b"{}"})
ONE = [Entry(b"5-0", {b"body": b"{}"})]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ([[b"stream", [PAIR]]], ONE),
        ({b"stream": [PAIR]}, ONE),
        ({b"stream": [[PAIR]]}, ONE),
        ([[b"stream", [(None, None), PAIR]]], ONE),
        ([], []),
        ({}, []),
        (None, []),
    ],
    ids=["RESP 2", "RESP 3", "RESP 3 of older clients", "one deleted", "none", "none in RESP 3", "time is over"],
)
def test_what_a_read_answers_is_understood(answer: object, found: list[Entry]) -> None:
    assert entries.of_streams(answer) == found


def test_ids_are_compared_as_numbers_and_begin_with_a_time() -> None:
    assert entries.order(b"9-2") < entries.order(b"9-10") < entries.order(b"10-0")
    assert entries.moment(b"1500-7") == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert entries.moment(b"18446744073709551615-0").year == 1970


def test_an_entry_is_due_once_it_is_committed_and_held_until_it_is_acknowledged() -> None:
    holding = Holding()
    tags = [holding.take(entry) for entry in (b"1-0", b"2-0", b"3-0")]

    before = holding.due(10)
    holding.done(tags[1])
    first, due = holding.due(1), holding.due(10)
    holding.acknowledged(due)

    assert (before, first, due) == ([], [b"1-0"], [b"1-0", b"2-0"])
    assert (b"2-0" in holding, b"3-0" in holding, len(holding)) == (False, True, 1)
