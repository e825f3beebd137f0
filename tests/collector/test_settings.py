"""Each rule of the collector's settings tells its name."""

from datetime import timedelta
from typing import Any

import pytest

from flower_collector.settings import CollectorSettings
from flower_store.settings import SettingError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cluster", "Production"),
        ("cluster", ""),
        ("cluster", "-a"),
        ("broker", "localhost"),
        ("broker_transport_options", "[]"),
        ("broker_transport_options", "{"),
        ("batch_size", 0),
        ("buffer_size", 0),
        ("queue_max_bytes", -1),
        ("collector_port", 65_536),
        ("flush_after", timedelta(0)),
        ("stop_timeout", timedelta(seconds=-1)),
        ("inspect_interval", timedelta(seconds=-1)),
        ("queue_name", "é" * 124),
        ("queue_ttl", timedelta(days=50)),
        ("probe_interval", timedelta(milliseconds=1)),
        ("probe_interval", timedelta(seconds=-1)),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(SettingError) as refusal:
        CollectorSettings(**{name: value})

    assert refusal.value.name == name


def test_no_secret_is_shown() -> None:
    shown = repr(CollectorSettings(broker="redis://:marker@host/0", broker_transport_options='{"p": "marker"}'))

    with pytest.raises(SettingError) as refusal:
        CollectorSettings(broker="marker")

    assert "marker" not in shown
    assert "marker" not in str(refusal.value)
