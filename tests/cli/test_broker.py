"""The broker's URL: what is refused before anything is started for it, and how it is shown."""

import pytest
from tests.cli.conftest import Run

from flower_cli import broker
from flower_collector.settings import CollectorSettings

MARKER = "s3cret-marker"


@pytest.mark.parametrize("command", ["up", "collector"])
@pytest.mark.parametrize(
    ("url", "rule"),
    [
        (f"redsi://u:{MARKER}@h", "unknown transport `redsi`, did you mean `redis`?"),
        ("amqp://h;redsi://h", "unknown transport `redsi`, did you mean `redis`?"),
        (f"abacus://u:{MARKER}@h", "unknown transport `abacus`; known are amqp, amqps, "),
        (f"redis://u:{MARKER}@h:port/0", "must be like redis://"),
        ("redis://h/name", "the path of a Redis URL is the number of its database"),
        (f"redis://h/0;{MARKER}", "must be a URL, such as redis://localhost:6379/0"),
    ],
)
def test_a_broker_that_cannot_be_is_refused_before_anything_is_started(
    flower: Run, command: str, url: str, rule: str
) -> None:
    result = flower(command, "-b", url, "--port=0" if command == "up" else "--database-url=postgresql://h/d")

    assert result.exit_code == 2
    assert result.output.startswith(f"flower: broker: (secret) from --broker: {rule}")
    assert result.output.count("\n") == 1
    assert MARKER not in result.output


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost:5999", "redis://localhost:5999"),
        (f"redis://:{MARKER}@localhost:6379/0", "redis://localhost:6379/0"),
        (f"amqp://u:{MARKER}@h//;amqp://u:{MARKER}@k:5672//", "amqp://h//;amqp://k:5672//"),
        (f"redis://h:6379/0?password={MARKER}", "redis://h:6379/0"),
        (f"redis://h:6379/0?password=a@{MARKER}", "redis://…"),
        (f"amqp://u:{MARKER}/?@h//", "amqp://…"),
        ("sqla+sqlite:///file.db", "sqla+sqlite:///file.db"),
    ],
)
def test_it_is_shown_without_what_opens_it(url: str, place: str) -> None:
    assert broker.shown(url) == place


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (CollectorSettings(broker="redis://:secret@h", app="shop"), "the broker redis://h"),
        (CollectorSettings(app="shop"), "the broker of shop"),
        (CollectorSettings(), "the broker"),
    ],
)
def test_it_is_called_by_its_place_or_by_its_app(settings: CollectorSettings, name: str) -> None:
    assert broker.called(settings) == name
