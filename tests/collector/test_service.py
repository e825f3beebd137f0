"""The collector as a whole, on Redis: starting without a database, refusing a wrong one, leading, stopping."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.collector import proxy
from tests.collector.conftest import QUICK, Query
from tests.collector.proxy import Proxy
from tests.collector.publishing import Publisher
from tests.waiting import eventually

from flower_collector.service import Collector
from flower_collector.settings import CollectorSettings
from flower_store import errors
from flower_store.settings import StoreSettings

pytestmark = pytest.mark.slow

StartCollector = Callable[..., Collector]
AWAY = "SELECT broker_away_at FROM collector"
LOST_JUST_NOW = "SELECT broker_away_at > started_at AND broker_away_at <= now() FROM collector"


def test_a_database_that_is_away_at_the_start_is_waited_for(
    redis_url: str, store_settings: StoreSettings, query: Query, line: Proxy
) -> None:
    line.cut()
    collector = Collector(replace(QUICK, broker=redis_url), store_settings)
    collector.start()
    eventually(lambda: collector.readiness()["broker"])
    before = collector.ready()

    with Publisher(redis_url) as publisher:
        publisher.event(0)
    line.mend()

    eventually(lambda: query("SELECT count(*) FROM task_event") == [(1,)])
    eventually(collector.ready)
    collector.stop()
    assert before is False


def test_a_database_of_another_schema_is_refused(redis_url: str, empty_database_url: str) -> None:
    collector = Collector(replace(QUICK, broker=redis_url), StoreSettings(database_url=empty_database_url))

    with pytest.raises(errors.WrongSchema, match="flower migrate"):
        collector.start()

    collector.stop()
    assert collector.wait()


def test_a_schema_that_changes_under_it_ends_it(
    redis_url: str, start_collector: StartCollector, query: Query, line: Proxy
) -> None:
    collector = start_collector(redis_url)

    query("UPDATE alembic_version SET version_num = 'none' RETURNING 1")
    line.break_lines()

    eventually(collector.wait)
    assert isinstance(collector.failed, errors.WrongSchema)


def test_a_stop_may_come_twice_and_wakes_who_waits(redis_url: str, start_collector: StartCollector) -> None:
    collector = start_collector(redis_url)

    collector.stop()
    collector.stop()

    assert collector.wait()
    assert collector.failed is None


def test_a_stop_does_not_wait_for_a_database_that_is_away(
    redis_url: str, start_collector: StartCollector, line: Proxy
) -> None:
    collector = start_collector(redis_url)
    line.cut()
    eventually(lambda: not collector.ready())

    collector.stop()

    assert collector.wait()


def test_a_stop_with_nothing_to_write_does_not_wait_for_a_database_that_never_came(
    redis_url: str, store_settings: StoreSettings, line: Proxy
) -> None:
    line.cut()
    settings = replace(QUICK, broker=redis_url, stop_timeout=timedelta(hours=1))
    collector = Collector(settings, store_settings, draw=lambda: 10_000.0)
    collector.start()
    eventually(lambda: collector.metrics.registry.get_sample_value("flower_collector_write_failures_total"))

    stopping = threading.Thread(target=collector.stop, daemon=True)
    stopping.start()

    eventually(lambda: not stopping.is_alive())


def test_one_of_two_collectors_leads_and_the_other_takes_over(redis_url: str, start_collector: StartCollector) -> None:
    collectors = [start_collector(redis_url) for _ in range(2)]
    leading = eventually(lambda: [one for one in collectors if leads(one)])
    (waiting,) = (one for one in collectors if one not in leading)

    leading[0].stop()

    eventually(lambda: leads(waiting))
    assert len(leading) == 1


def test_what_has_neither_answered_nor_failed_yet_is_not_called_away(
    redis_url: str, store_settings: StoreSettings
) -> None:
    collector = Collector(CollectorSettings(broker=redis_url, collector_port=0), store_settings)  # nothing was tried

    assert collector.readiness() == {"broker": None, "database": None}
    assert not collector.ready()
    assert collector.metrics.registry.get_sample_value("flower_collector_broker_connected") == 0
    assert collector.metrics.registry.get_sample_value("flower_collector_database_available") == 0
    collector.stop()


def test_a_broker_that_is_away_is_not_ready_and_comes_back(
    redis_url: str, start_collector: StartCollector, query: Query
) -> None:
    broker = proxy.to(redis_url)
    collector = start_collector(broker.url(redis_url))

    broker.cut()
    eventually(lambda: collector.readiness() == {"broker": False, "database": True})
    healthy = all(collector.healthy().values())
    broker.mend()
    eventually(collector.ready)

    assert healthy
    eventually(lambda: query("SELECT reason FROM gap") == [("subscription_lost",)])
    broker.close()


def test_since_when_a_broker_is_away_is_told_until_it_answers_again(
    redis_url: str, start_collector: StartCollector, query: Query
) -> None:
    broker = proxy.to(redis_url)
    start_collector(broker.url(redis_url))
    eventually(lambda: query(AWAY) == [(None,)])

    broker.cut()
    eventually(lambda: query(LOST_JUST_NOW) == [(True,)])
    broker.mend()

    eventually(lambda: query(AWAY) == [(None,)])
    broker.close()


def test_a_broker_that_was_never_reached_is_away_from_the_start(
    redis_url: str, store_settings: StoreSettings, query: Query
) -> None:
    broker = proxy.to(redis_url)
    broker.cut()
    collector = Collector(replace(QUICK, broker=broker.url(redis_url)), store_settings)
    collector.start()

    eventually(lambda: query("SELECT broker_away_at <= started_at FROM collector") == [(True,)])

    collector.stop()
    broker.close()


def leads(collector: Collector) -> bool:
    return collector.metrics.registry.get_sample_value("flower_collector_leader") == 1
