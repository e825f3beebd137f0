"""Commands of the outbox, executed by a real collector at a real broker with real workers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

import pytest
from tests.collector.asking import Asker, published
from tests.collector.conftest import Query
from tests.services import celery_app
from tests.services.workers import StartWorker, Worker
from tests.waiting import eventually

from flower_collector.service import Collector
from flower_store.reads.routes import Route
from flower_store.settings import StoreSettings

Launch = Callable[..., Collector]


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def ask(store_settings: StoreSettings) -> Asker:
    return Asker(store_settings)


@pytest.fixture
def collector(broker: str, redis_url: str, launch_collector: Launch, query: Query) -> Collector:
    collector = launch_collector(broker, result_backend=redis_url)
    eventually(lambda: query("SELECT count(*) FROM collector")[0][0])
    return collector


@pytest.fixture
def worker(collector: Collector, broker: str, redis_url: str, start_worker: StartWorker, query: Query) -> Worker:
    settings = {"worker_pool_restarts": True}
    eventually(collector.ready)
    worker = start_worker(broker, result_backend=redis_url, concurrency=1, settings=settings)
    eventually(lambda: query("SELECT FROM worker WHERE alive_until > now()"))
    return worker


def test_workers_are_told_and_each_reply_is_kept(worker: Worker, ask: Asker, broker: str) -> None:
    name = worker.hostname
    grown = ask.ended("pool_grow", target={"worker": name}, arguments={"n": 1})
    added = ask.ended("add_consumer", target={"worker": name}, arguments={"queue": "a&b/ü"})
    limited = ask.ended("rate_limit", target={"worker": name, "name": "tests.add"}, arguments={"rate_limit": "junk"})
    gently = {"terminate": False, "signal": "SIGTERM"}
    revoked = ask.ended("revoke", target={"task": "some-id"}, arguments=gently)
    many = ask.ended("revoke", target={"tasks": ["one-id", "other-id"]}, arguments=gently)

    assert (grown.status, grown.reply) == ("done", {"workers": {name: {"ok": "pool will grow"}}})
    assert (added.status, added.reply) == ("done", {"workers": {name: {"ok": "add consumer a&b/ü"}}})
    assert limited.reply is not None
    assert "error" in limited.reply["workers"][name]  # type: ignore[index]
    assert "flagged as revoked" in json.dumps(revoked.reply)
    inspect = celery_app.client(broker).control.inspect([name], timeout=5)
    eventually(lambda: len(inspect.stats()[name]["pool"]["processes"]) == 2)
    assert "a&b/ü" in {queue["name"] for queue in inspect.active_queues()[name]}
    assert "flagged as revoked" in json.dumps(many.reply)
    assert {"some-id", "one-id", "other-id"} <= set(inspect.revoked()[name])


@pytest.mark.usefixtures("worker")
def test_a_task_is_sent_by_name_and_its_result_is_read(ask: Asker) -> None:
    sent = ask.ended(
        "apply", target={"name": "tests.add", "task": "our-id"}, arguments={"timeout": 30}, payload=published([2, 3])
    )
    found = ask.ended("result", target={"task": "our-id"})

    assert json.loads(sent.answer or "") == {"task-id": "our-id", "state": "SUCCESS", "result": 5}
    assert json.loads(found.answer or "") == {"task-id": "our-id", "state": "SUCCESS", "result": 5}
    assert sent.arguments == {"timeout": 30, "args": "[2, 3]", "kwargs": "{}"}


@pytest.mark.usefixtures("worker")
def test_a_failed_task_tells_its_exception_and_traceback(ask: Asker) -> None:
    sent = ask.ended(
        "apply", target={"name": "tests.fail", "task": "f"}, arguments={"timeout": 30}, payload=published([7])
    )

    answer = json.loads(sent.answer or "")
    assert answer["result"] == "ValueError('task 7 failed, as asked')"
    assert answer["state"] == "FAILURE"
    assert answer["traceback"].startswith("Traceback")


@pytest.mark.usefixtures("worker")
def test_a_wait_ends_with_its_timeout_and_says_the_state(ask: Asker) -> None:
    sent = ask.ended(
        "apply", target={"name": "tests.slow", "task": "s"}, arguments={"timeout": 0.3}, payload=published([30])
    )

    assert json.loads(sent.answer or "") == {"task-id": "s", "state": "PENDING"}


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # Celery's own
@pytest.mark.usefixtures("collector")
def test_an_abort_is_written_where_the_task_looks(ask: Asker, redis_url: str) -> None:
    aborted = ask.ended("abort", target={"task": "a"})

    assert (aborted.status, aborted.reply) == ("done", {"task": "a"})
    assert celery_app.client(redis_url, redis_url).AsyncResult("a").state == "ABORTED"


@pytest.mark.usefixtures("collector")
def test_what_rabbitmq_refuses_is_not_told_as_sent(ask: Asker, broker: str) -> None:
    """It takes no expiry of decades, and Celery, which waits for no receipt, never hears of that."""
    target = {"name": "tests.add", "task": "t"}

    sent = ask.ended("apply_async", target=target, payload=published([1, 2], expires="2099-01-01 00:00:00.000000"))

    refusing = broker.startswith("amqp")
    assert sent.status == ("failed" if refusing else "done")
    assert not refusing or "invalid expiration" in str(sent.reply)


QUORUM = {"task_default_queue": "mail", "task_default_queue_type": "quorum"}
TOPIC = {
    "task_default_queue": "mail", "task_default_exchange": "letters", "task_default_exchange_type": "topic",
    "task_default_routing_key": "letters.in",
}  # fmt: skip


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(QUORUM, Route("mail"), id="quorum"),
        pytest.param(TOPIC, Route("mail", "letters", "letters.in"), id="topic"),
    ],
)
def test_a_task_goes_the_way_that_such_tasks_went(
    broker: str,
    redis_url: str,
    start_worker: StartWorker,
    ask: Asker,
    *,
    settings: Mapping[str, object],
    expected: Route,
) -> None:
    """No --app says that they go to `mail`, and a declaration of `mail` as a classic queue would be refused."""
    start_worker(broker, result_backend=redis_url, concurrency=1, queues=("mail",), settings=settings)
    celery_app.client(broker, settings=settings).send_task("tests.add", (1, 1))
    eventually(lambda: ask.route("tests.add") == expected)
    usual, patient = {"route": asdict(expected)}, {"timeout": 60}

    sent = ask.ended(
        "apply", target={"name": "tests.add", "task": "a"}, arguments=usual | patient, payload=published([2, 3])
    )
    named = ask.ended(
        "apply", target={"name": "tests.add", "task": "b"}, arguments=patient, payload=published([3, 3], queue="mail")
    )

    assert json.loads(sent.answer or "") == {"task-id": "a", "state": "SUCCESS", "result": 5}
    assert sent.arguments["route"] == asdict(expected)
    assert json.loads(named.answer or "") == {"task-id": "b", "state": "SUCCESS", "result": 6}


def test_a_queue_that_is_gone_is_made_and_what_nobody_is_bound_for_is_refused(
    collector: Collector, broker: str, ask: Asker
) -> None:
    eventually(collector.ready)
    client = celery_app.client(broker)
    with client.connection_for_write() as connection:
        connection.channel().exchange_declare("empty", type="topic")
    lost = {"route": asdict(Route("gone", "empty", "x"))}

    made = ask.ended(
        "send_task", target={"name": "t", "task": "m"}, arguments={"route": asdict(Route("new"))}, payload=published([])
    )
    unbound = ask.ended("send_task", target={"name": "t", "task": "u"}, arguments=lost, payload=published([]))

    assert made.status == "done"
    with client.connection_for_read() as connection:
        assert connection.SimpleQueue("new").get(timeout=30).headers["id"] == "m"
    if broker.startswith("amqp"):
        assert unbound.status == "failed"
        assert "no queue is bound there any more" in str(unbound.reply)
    else:  # its transport knows queues alone
        assert unbound.status == "done"
