"""Every address of the dashboard."""

import pytest

from flower_web.addresses import Addresses
from flower_web.task_query import TaskQuery

ADDRESSES = Addresses("/ops", "prod")


def test_a_uuid_stands_in_the_path() -> None:
    assert ADDRESSES.task("3f2b8c1e-0000") == "/ops/c/prod/tasks/3f2b8c1e-0000"


@pytest.mark.parametrize("task_id", ["a/b", "..", ".", "", "ä", "a?b#c", 'x"y', "a b", "a%2Fb"])
def test_an_id_that_a_browser_would_bend_stands_in_the_query(task_id: str) -> None:
    assert ADDRESSES.task(task_id).startswith("/ops/c/prod/task?id=")


def test_a_view_leaves_its_defaults_out_of_the_address() -> None:
    assert ADDRESSES.tasks(TaskQuery().pairs) == "/ops/c/prod/tasks"
    assert (
        ADDRESSES.tasks(TaskQuery(states=("FAILURE", "RETRY"), name="a b&c", limit=25).pairs)
        == "/ops/c/prod/tasks?state=FAILURE&state=RETRY&name=a+b%26c&limit=25"
    )
