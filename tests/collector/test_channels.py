"""The name of a channel tells which options made it."""

import pytest

from flower_collector import channels
from flower_collector.channels import Way

DEFAULT = Way("", "/0.", "celeryev")


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("/0.celeryev/worker.heartbeat", DEFAULT),
        ("/0.celeryev", DEFAULT),
        ("shop-/0.celeryev/worker.heartbeat", Way("shop-", "/0.", "celeryev")),
        ("/3.celeryev/worker.heartbeat", Way("", "/3.", "celeryev")),
        ("celeryev/worker.heartbeat", Way("", "", "celeryev")),
        ("shop-celeryev", Way("shop-", "", "celeryev")),
        ("/x0.celeryev", Way("", "/x0.", "celeryev")),
        ("a/b.c/2.celeryev/worker.heartbeat", Way("a/b.c", "/2.", "celeryev")),
        ("/0.shopev/worker.heartbeat", Way("", "/0.", "shopev")),
        ("shopev/worker.heartbeat", Way("", "", "shopev")),
    ],
)
def test_a_channel_is_taken_apart(channel: str, expected: Way) -> None:
    assert channels.way(channels.topic(channel), exchange="celeryev") == expected


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (DEFAULT, []),
        (Way("shop-", "/0.", "celeryev"), ["global_keyprefix is 'shop-' there and empty or off here"]),
        (Way("", "/3.", "celeryev"), ["the number of the database is '3' there and '0' here"]),
        (Way("", "", "celeryev"), ["fanout_prefix is empty or off there and '/0.' here"]),
        (Way("", "/x0.", "celeryev"), ["fanout_prefix is '/x0.' there and '/0.' here"]),
        (Way("", "/0.", "shopev"), ["event_exchange is 'shopev' there and 'celeryev' here"]),
    ],
)
def test_each_difference_is_named_by_its_option(theirs: Way, told: list[str]) -> None:
    assert DEFAULT.differences(theirs) == told


def test_several_differences_are_told_together() -> None:
    assert len(DEFAULT.differences(Way("shop-", "/3.", "shopev"))) == 3


def test_a_stranger_s_name_is_shown_without_its_control_characters_and_not_without_end() -> None:
    (told,) = DEFAULT.differences(Way("\x1b[31m" + "x" * 10_000, "/0.", "celeryev"))

    assert "\x1b" not in told
    assert len(told) < 300
