"""Transports that are neither RabbitMQ nor Redis: kombu's filesystem one stands for all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.collector.conftest import Query
from tests.collector.publishing import Publisher
from tests.waiting import eventually

from flower_collector import promise
from flower_collector.service import Collector

pytestmark = pytest.mark.slow


@pytest.fixture
def options(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "messages").mkdir()
    (tmp_path / "control").mkdir()
    folder = str(tmp_path / "messages")
    return {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": str(tmp_path / "control"),
        "polling_interval": 0.05,
    }


def test_events_of_the_filesystem_transport_land_garbage_or_not(
    options: dict[str, Any], tmp_path: Path, start_collector: Callable[..., Collector], query: Query
) -> None:
    collector = start_collector("filesystem://", broker_transport_options=json.dumps(options))

    # Moved in whole: a reader of kombu's may take a file between its creation and its content, and loses it then.
    written = tmp_path / "written"
    written.mkdir()
    with Publisher("filesystem://", **options | {"data_folder_out": str(written)}) as publisher:
        publisher.event(0)
        publisher.publish(b"not JSON")
        publisher.publish(b"BZh9", headers={"compression": "application/x-bz2"})
        publisher.event(1)
        for message in sorted(written.iterdir()):
            message.rename(tmp_path / "messages" / message.name)

        eventually(lambda: query("SELECT count(*) FROM task_event") == [(2,)])
    eventually(lambda: query("SELECT reason FROM set_aside ORDER BY 1") == [("compressed",), ("not_json",)])
    eventually(lambda: query("SELECT promise FROM collector") == [(promise.CONSUMED,)])
    collector.stop()
