"""A worker's row, from its last answers."""

from datetime import UTC, datetime

import pytest

from flower_store.records import WorkerRecord
from flower_web import fleet


@pytest.mark.parametrize(
    ("pool", "processes"),
    [
        ({"max-concurrency": 2, "processes": [11, 12, 13, 14]}, 4),  # it has grown
        ({"max-concurrency": 8}, 8),
        ({"max-concurrency": 8, "processes": None}, 8),
        ({"max-concurrency": "many"}, None),
        ({}, None),
    ],
)
def test_the_pool_has_the_processes_that_it_has_now(pool: object, processes: int | None) -> None:
    assert fleet.row(a_worker({"stats": {"pool": pool}})).processes == processes


def a_worker(replies: dict[str, object]) -> WorkerRecord:
    now = datetime.now(UTC)
    return WorkerRecord(
        id=1, hostname="celery@a", online=True, pid=1, heartbeat_at=now, offline_at=None, seen_at=now, freq=2.0,
        clock=1,
        active=0, processed=0, loadavg=(), sw_ident="py-celery", sw_ver="5.7.0", sw_sys="Linux", replies=replies,
        replied_at=now,
    )  # fmt: skip
