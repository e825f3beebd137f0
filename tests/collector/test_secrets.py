import pytest

from flower_collector import replies, secrets

MARKER = "hunter2"


def test_no_secret_of_a_worker_reaches_the_store() -> None:
    conf = {
        "sentry_dsn": f"https://{MARKER}@sentry.example/1",
        "my_mongo_uri": f"mongodb://user:{MARKER}@host/db",
        "broker_read_url": [f"amqp://guest:{MARKER}@a//", f"amqp://guest:p@{MARKER}@b//"],
        "AWS_SECRET_ACCESS_KEY": MARKER,
        "broker_transport_options": {"sentinel_kwargs": {"password": MARKER}, "api_key": MARKER},
        "deep": [{"auth_token": 7_070_707}],
    }

    found = replies.by_host([{"celery@a": conf}])

    assert MARKER not in repr(found)
    assert "7070707" not in repr(found)


@pytest.mark.parametrize(
    "name", ["api-key", "Api Key", "aws.access_key", "pass-word", "PASS_WORD", "to.ken", "private__key"]
)
def test_separators_hide_no_name(name: str) -> None:
    assert secrets.masked({name: MARKER}) == {name: secrets.HIDDEN}


def test_what_is_no_secret_stays_as_it_is() -> None:
    harmless = {
        "routing_key": "mail", "task_default_routing_key": "celery", "broker_url": "redis://host:6379/0",
        "queue": {"key": None, "token": None, "password": ""}, "pid": 7, "keys": ["a"], "mail": "me@example.org",
    }  # fmt: skip

    assert secrets.masked(harmless) == harmless


def test_the_user_of_a_url_stays_readable() -> None:
    assert secrets.masked("amqp://guest:secret@host:5672//") == "amqp://guest:********@host:5672//"
