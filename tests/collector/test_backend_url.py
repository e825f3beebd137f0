from dataclasses import replace

import pytest

from flower_collector import shared
from flower_collector.settings import CollectorSettings
from flower_store.settings import SettingError, StoreSettings

SETTINGS = CollectorSettings(broker="memory://")
STORE = StoreSettings(database_url="postgresql://127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("foo://a:hunter2@x", "must begin with a result backend"),
        ("foo", "must begin with a result backend"),
        ("redsi://:hunter2@host/0", "must begin with a result backend"),
        ("http://a:hunter2@host", "must begin with a result backend"),
        ("json:dumps", "must begin with a result backend"),
        ("celery.hunter2://x", "must begin with a result backend"),
        ("redis://:hunter2@host:port/0", "must be like"),
        ("redis://:hunter2@host/notanumber", "must be like"),
        ("db+nosuch://a:hunter2@host/x", "a database that SQLAlchemy knows"),
        ("db+hunter2", "must begin with a result backend"),
        ("db+mysql://a:hunter2@host/x", "needs a Python package that is not installed: MySQLdb"),
        ("mongodb://a:hunter2@host", "cannot be used: You need to install the pymongo library"),
        ("file:///nonexistent/hunter2", "cannot be used: The configured path"),
    ],
)
def test_a_result_backend_that_could_never_be_used_is_refused_in_a_sentence(url: str, rule: str) -> None:
    with pytest.raises(SettingError) as caught:
        shared.shared(replace(SETTINGS, result_backend=url), STORE)

    assert caught.value.name == "result_backend"
    assert rule in caught.value.rule
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "disabled",
        "rpc://",
        "redis",
        "redis://",
        "redis://:secret@127.0.0.1:1/15",
        "rediss://127.0.0.1:1/0?ssl_cert_reqs=required",
        "sentinel://127.0.0.1:1;sentinel://127.0.0.1:2",
        "db+sqlite:////nonexistent/directory/results.db",
        "db+postgresql+psycopg://a:b@127.0.0.1:1/none",
        "celery.backends.redis:RedisBackend",
    ],
)
def test_a_result_backend_that_is_only_away_is_taken(url: str) -> None:
    assert shared.shared(replace(SETTINGS, result_backend=url), STORE).app is not None
