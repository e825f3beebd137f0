"""A worker that holds a task and is not there."""

from datetime import UTC, datetime, timedelta

import pytest

from flower_store.records import WorkerRecord
from flower_web.absence import Absence, absence

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def a_worker(
    *,
    online: bool = False,
    heartbeat_at: datetime | None = None,
    offline_at: datetime | None = None,
    seen_at: datetime | None = None,
) -> WorkerRecord:
    return WorkerRecord(
        id=1, hostname="w", online=online, pid=None, heartbeat_at=heartbeat_at, offline_at=offline_at, seen_at=seen_at,
        clock=0, freq=None, active=None, processed=None, loadavg=(), sw_ident=None, sw_ver=None, sw_sys=None,
        replies={}, replied_at=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("worker", "told"),
    [
        (a_worker(online=True, heartbeat_at=NOON), None),
        (a_worker(heartbeat_at=NOON), Absence("no sign of life since", NOON)),
        (a_worker(heartbeat_at=NOON, offline_at=NOON), Absence("worker offline since", NOON)),
        (a_worker(heartbeat_at=NOON, offline_at=NOON - timedelta(hours=1)), Absence("no sign of life since", NOON)),
        (a_worker(seen_at=NOON), Absence("no sign of life since", NOON)),
        (a_worker(), Absence("no heartbeat was ever seen of it")),
    ],
)
def test_an_absent_worker_is_told_with_its_last_sign(worker: WorkerRecord, told: Absence | None) -> None:
    assert absence([worker], "w") == told
