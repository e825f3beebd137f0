import pytest

from flower_collector import app
from flower_collector.settings import CollectorSettings
from flower_store.settings import SettingError


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("nosuch://a:hunter2@x/", "must begin with a transport"),
        ("redsi://127.0.0.1:6379/0", "must begin with a transport"),
        ("http://a:hunter2@host", "must begin with a transport"),
        ("redis://127.0.0.1:notaport/0", "must be like"),
        ("amqp://u:hunter2@[::1", "must be like"),
        ("amqp://u:hunter2@127.0.0.1:99999//", "must be like"),
        ("redis://:hunter2@127.0.0.1/notanumber", "is the number of its database"),
    ],
)
def test_a_broker_that_could_never_be_reached_is_refused_in_a_sentence(url: str, rule: str) -> None:
    with pytest.raises(SettingError) as caught:
        app.cluster_app(CollectorSettings(broker=url))

    assert caught.value.name == "broker"
    assert rule in caught.value.rule
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://localhost",
        "redis://:secret@localhost:6379/15",
        "redis+socket:///run/redis.sock",
        "rediss://localhost/1",
        "sentinel://localhost:26379;sentinel://localhost:26380",
        "amqp://",
        "amqp://guest:guest@localhost:5672//",
        "pyamqp://u:p%40ss@host/my%2Fvhost",
        "memory://",
        "filesystem://",
    ],
)
def test_an_ordinary_broker_is_taken(url: str) -> None:
    assert app.cluster_app(CollectorSettings(broker=url)) is not None
