"""What the task list's address says."""

from litestar.datastructures import MultiDict

from flower_web import task_query
from flower_web.task_query import TaskQuery


def test_states_may_be_repeated_or_separated_by_commas_in_any_case() -> None:
    query = task_query.parsed(MultiDict([("state", "failure,Retry"), ("state", "SUCCESS")]))

    assert set(query.states) == {"FAILURE", "RETRY", "SUCCESS"}


def test_what_nobody_knows_is_left_out() -> None:
    query = task_query.parsed(MultiDict([("state", "NONSENSE"), ("limit", "9999"), ("name", " a\0b "), ("x", "y")]))

    assert query == TaskQuery(name="ab")


def test_the_address_holds_the_worker() -> None:
    query = task_query.parsed(MultiDict([("worker", " celery@a ")]))

    assert query.pairs == [("worker", "celery@a")]
    assert query.filtered


def test_switching_a_state_begins_the_list_anew() -> None:
    query = TaskQuery(states=("FAILURE",), after="somewhere")

    assert query.toggled("RETRY") == TaskQuery(states=("FAILURE", "RETRY"))
    assert query.toggled("FAILURE") == TaskQuery()


def test_a_row_whose_state_has_left_the_filter_no_longer_matches() -> None:
    assert TaskQuery().matches("SUCCESS")
    assert not TaskQuery(states=("STARTED",)).matches("SUCCESS")
