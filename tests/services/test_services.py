"""The fixtures that all other tests stand on give what they promise."""

import psycopg
import pytest
import redis
from playwright.sync_api import Page
from tests.services import celery_app
from tests.services.rabbitmq import RabbitMQ
from tests.services.workers import StartWorker


@pytest.mark.parametrize("_time", ["first", "second"])
def test_each_test_gets_a_database_of_its_own(database_url: str, _time: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE only_here ()")


def test_the_database_of_a_test_has_the_newest_schema(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()

    assert ("task",) in tables


@pytest.mark.parametrize("_time", ["first", "second"])
def test_each_test_gets_an_empty_redis(redis_url: str, _time: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        before = client.dbsize()
        client.set("left", "behind")

    assert before == 0


@pytest.mark.slow
@pytest.mark.parametrize("_time", ["first", "second"])
def test_each_test_gets_a_virtual_host_of_its_own(rabbitmq_url: str, _time: str) -> None:
    client = celery_app.client(rabbitmq_url)

    with client.connection() as connection, connection.SimpleQueue("only-here") as queue:
        before = queue.qsize()
        queue.put({"left": "behind"})

    assert before == 0


@pytest.mark.slow
def test_a_killed_rabbitmq_comes_back_with_what_was_durable(rabbitmq: RabbitMQ, rabbitmq_url: str) -> None:
    client = celery_app.client(rabbitmq_url)
    # Confirmed by the broker: only then is it on the disk.
    client.conf.broker_transport_options = {"confirm_publish": True}
    with client.connection() as connection, connection.SimpleQueue("durable") as queue:
        queue.put({"kept": True})

    rabbitmq.kill()
    rabbitmq.start()

    with client.connection() as connection, connection.SimpleQueue("durable") as queue:
        assert queue.get(timeout=10).payload == {"kept": True}


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["rabbitmq_url", "redis_url"])
def test_a_worker_runs_the_tasks_of_the_test_app(
    broker: str, redis_url: str, start_worker: StartWorker, request: pytest.FixtureRequest
) -> None:
    broker_url: str = request.getfixturevalue(broker)
    start_worker(broker_url, result_backend=redis_url)
    client = celery_app.client(broker_url, redis_url)

    added = client.send_task("tests.add", (2, 3))
    retried = client.send_task("tests.retry_then_succeed", (2,))

    assert added.get(timeout=30) == 5
    assert retried.get(timeout=30) == 2


@pytest.mark.slow
def test_the_browser_runs_scripts(page: Page) -> None:
    page.set_content("<p></p><script>document.querySelector('p').textContent = 6 * 7</script>")

    assert page.inner_text("p") == "42"
