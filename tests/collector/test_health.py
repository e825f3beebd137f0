"""The health port tells which part is not well, and every metric explains itself."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flower_collector.health import Health
from flower_collector.metrics import Metrics
from flower_collector.settings import CollectorSettings
from flower_store.settings import SettingError


class Truths:
    """What the port asks; changed by hand."""

    def __init__(self) -> None:
        self.healthy = {"receiver": True}
        self.ready = {"broker": True, "database": True}


@pytest.fixture
def truths() -> Truths:
    return Truths()


@pytest.fixture
def ask(truths: Truths) -> Iterator[Callable[..., tuple[int, str]]]:
    health = Health(
        CollectorSettings(broker="amqp://", collector_port=0),
        healthy=lambda: truths.healthy,
        ready=lambda: truths.ready,
        registry=Metrics().registry,
    )
    health.start()

    def ask(path: str, method: str = "GET") -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{health.port}{path}", method=method)
        try:
            answer: HTTPResponse | urllib.error.HTTPError = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status or 0, answer.read().decode()

    yield ask
    health.stop()
    health.stop()


def test_all_is_well(ask: Callable[..., tuple[int, str]]) -> None:
    assert [ask(path)[0] for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]


@pytest.mark.parametrize("part", ["broker", "database"])
def test_not_ready_names_the_part(part: str, ask: Callable[..., tuple[int, str]], truths: Truths) -> None:
    truths.ready[part] = False

    status, body = ask("/readyz")

    assert status == 503
    answer: dict[str, Any] = json.loads(body)
    assert answer["ok"] is False
    assert [name for name in ("broker", "database") if not answer[name]] == [part]
    assert ask("/healthz")[0] == 200


def test_a_thread_that_died_is_not_healthy(ask: Callable[..., tuple[int, str]], truths: Truths) -> None:
    truths.healthy["receiver"] = False

    assert ask("/healthz")[0] == 503


def test_head_answers_without_a_body(ask: Callable[..., tuple[int, str]], truths: Truths) -> None:
    truths.ready["broker"] = False

    assert [ask(path, "HEAD") for path in ("/healthz", "/readyz")] == [(200, ""), (503, "")]


def test_other_paths_are_not_found(ask: Callable[..., tuple[int, str]]) -> None:
    assert ask("/")[0] == 404
    assert ask("/metrics?x=1")[0] == 200


def test_every_metric_has_its_help_and_no_label_is_unbounded(ask: Callable[..., tuple[int, str]]) -> None:
    families = list(text_string_to_metric_families(ask("/metrics")[1]))

    assert len(families) > 15
    assert [family.name for family in families if not family.documentation] == []
    assert all(family.name.startswith("flower_collector_") for family in families)
    labels = {name for family in families for sample in family.samples for name in sample.labels}
    assert labels <= {"group", "reason", "outcome", "le"}


def test_a_port_that_is_taken_is_refused_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        health = Health(
            CollectorSettings(broker="amqp://", collector_port=port),
            healthy=dict,
            ready=dict,
            registry=Metrics().registry,
        )

        with pytest.raises(SettingError) as refusal:
            health.start()

    assert (refusal.value.name, refusal.value.value) == ("collector_port", port)
