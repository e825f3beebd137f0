"""The user's application is read for its configuration alone."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flower_collector import app
from flower_collector.settings import CollectorSettings
from flower_store.settings import SettingError

PROJECT = """
from celery import Celery

app = Celery("shop", include=["nowhere.tasks"])
app.conf.update(
    broker_url="redis://one/1", broker_transport_options={"global_keyprefix": "shop-"}, event_exchange="shopev",
    event_queue_prefix="shop", control_exchange="shopctl", accept_content=["pickle", "json"],
)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that is the current one, from which `-A` imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_application_s_configuration_counts(project: Path) -> None:
    (project / "shop.py").write_text(PROJECT)

    found = app.cluster_app(CollectorSettings(app="shop"))

    conf = found.conf
    assert conf.broker_read_url == "redis://one/1"
    assert conf.broker_transport_options == {"global_keyprefix": "shop-"}
    assert (conf.event_exchange, conf.control_exchange) == ("shopev", "shopctl")


def test_a_setting_wins_over_the_application(project: Path) -> None:
    (project / "shop.py").write_text(PROJECT)

    found = app.cluster_app(
        CollectorSettings(app="shop", broker="redis://two/2", broker_transport_options='{"a": 1}', event_exchange="ev")
    )

    conf = found.conf
    assert (conf.broker_read_url, conf.broker_write_url) == ("redis://two/2", "redis://two/2")
    assert (conf.broker_transport_options, conf.event_exchange) == ({"a": 1}, "ev")


def test_replies_are_never_unpickled_whatever_the_application_accepts(project: Path) -> None:
    (project / "shop.py").write_text(PROJECT)

    found = app.cluster_app(CollectorSettings(app="shop"))

    assert found.conf.accept_content == ["json"]


@pytest.mark.parametrize(
    ("files", "name", "told"),
    [
        ({}, "shopp", "No module named 'shopp'"),
        ({"shop.py": "import nowhere_at_all"}, "shop", "No module named 'nowhere_at_all'"),
        ({"shop.py": "raise RuntimeError('no\\nsecret')"}, "shop", "RuntimeError: no secret"),
        ({"shop.py": "raise SystemExit(3)"}, "shop", "SystemExit: 3"),
        ({"shop.py": "app = 7"}, "shop:app", "is no Celery application but int"),
        ({"shop.py": ""}, "shop", "cannot be loaded"),
    ],
)
def test_an_application_that_cannot_be_had_is_refused_in_a_sentence(
    files: dict[str, str], name: str, told: str, project: Path
) -> None:
    for path, text in files.items():
        (project / path).write_text(text)

    with pytest.raises(SettingError) as refusal:
        app.cluster_app(CollectorSettings(app=name))

    assert refusal.value.name == "app"
    assert told in refusal.value.rule
    assert "\n" not in str(refusal.value)


def test_without_an_application_a_broker_is_needed() -> None:
    with pytest.raises(SettingError) as refusal:
        app.cluster_app(CollectorSettings())

    assert refusal.value.name == "broker"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (CollectorSettings(broker="amqp://"), "flower.default"),
        (CollectorSettings(broker="amqp://", cluster="eu-1"), "flower.eu-1"),
        (CollectorSettings(broker="amqp://", event_queue_prefix="shop"), "shop.flower.default"),
        (CollectorSettings(broker="amqp://", event_queue_prefix="shop", queue_name="mine"), "mine"),
    ],
)
def test_the_queue_s_name_tells_the_cluster_and_keeps_to_the_user_s_prefix(
    settings: CollectorSettings, expected: str
) -> None:
    assert app.queue_name(settings, app.cluster_app(settings)) == expected
