"""Waits grow to a ceiling, are drawn from nothing to it, and begin again after a success."""

from flower_collector.backoff import FIRST, MOST, Backoff


def test_waits_double_up_to_the_ceiling() -> None:
    backoff = Backoff(lambda: 1.0)

    waits = [backoff.failed() for _ in range(100)]

    assert waits[:3] == [FIRST.total_seconds() * factor for factor in (1, 2, 4)]
    assert waits[-1] == MOST.total_seconds()


def test_a_wait_is_drawn_from_nothing_to_the_ceiling() -> None:
    draws = iter([0.0, 0.5])
    backoff = Backoff(lambda: next(draws))

    assert [backoff.failed(), backoff.failed()] == [0.0, FIRST.total_seconds()]


def test_a_success_begins_again() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(5):
        backoff.failed()

    backoff.succeeded()

    assert (backoff.failures, backoff.failed()) == (0, FIRST.total_seconds())
