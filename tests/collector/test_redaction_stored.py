"""The whole way from a broker: no stored byte holds what a rule names."""

from collections.abc import Callable

import pytest
from tests.collector.conftest import Query
from tests.collector.publishing import Publisher
from tests.waiting import eventually

from flower_collector.service import Collector

pytestmark = pytest.mark.slow

SECRET = "hunter2zq"
TABLES = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


def everything(query: Query) -> str:
    """All rows of all tables, as text; `body` as the bytes it holds."""
    rows = [str(query(f'SELECT * FROM "{name}"')) for (name,) in query(TABLES)]
    return "\n".join(rows)


def test_no_table_holds_what_a_rule_names(
    redis_url: str, start_collector: Callable[..., Collector], query: Query
) -> None:
    start_collector(redis_url, redact=("password",))
    named = f"{{'user': 'bob', 'password': '{SECRET}'}}"

    with Publisher(redis_url) as publisher:
        publisher.event(1, kwargs=named)
        publisher.event(1, "task-succeeded", result=named)
        publisher.event(2, "task-failed", exception=f"ValueError({named})", traceback=f"password {SECRET}")
        publisher.event(3, "task-own", password=[SECRET])
        publisher.event(4, "task-received", kwargs=f"\0 password={SECRET}")
        publisher.publish(f"no event: password={SECRET}".encode())

        eventually(lambda: query("SELECT (SELECT count(*) FROM task_event), count(*) FROM set_aside") == [(5, 2)])
    assert "'user': 'bob', 'password': [redacted]" in everything(query)
    assert SECRET not in everything(query)
