"""`/workers?json=1`: one object a worker, as Flower's page asked for every second."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Request, Response

from flower_api.flower2 import answers, arguments
from flower_api.flower2.tasks import cluster_id
from flower_api.reads import Reads
from flower_store.reads import workers
from flower_store.records import WorkerRecord

_USUAL_INTERVAL = 60.0
"""Seconds between heartbeats where none told it (Celery's `Worker`)."""

_AnyRequest = Request[Any, Any, Any]


def wanted(request: _AnyRequest) -> bool:
    """Whether the address of the page asks for JSON."""
    return arguments.flag(request.query_params.get("json"))


async def rows(request: _AnyRequest, reads: Reads, *, purge: timedelta | None) -> Response[bytes]:
    """Workers of which events are stored, with how many of each type; not those that are offline for longer."""
    arguments.flag(request.query_params.get("refresh"))
    found = await cluster_id(reads, request.query_params.get("cluster"))
    async with reads.connect() as connection:
        known = await workers.workers(connection, found, purge=purge)
        counts = await workers.counts(connection, found)
    data = [_row(worker, counts.get(worker.hostname, {})) for worker in known if _seen(worker, counts)]
    return answers.json(request, msgspec.json.encode({"data": data}))


def _seen(worker: WorkerRecord, counts: Mapping[str, object]) -> bool:
    return worker.heartbeat_at is not None or worker.offline_at is not None or worker.hostname in counts


def _row(worker: WorkerRecord, counts: Mapping[str, int]) -> dict[str, object]:
    gone = worker.offline_at is not None and not worker.online
    return {
        **counts,
        "hostname": worker.hostname,
        "pid": worker.pid,
        "freq": _USUAL_INTERVAL if worker.freq is None else worker.freq,
        "heartbeats": [] if gone or worker.heartbeat_at is None else [_epoch(worker.heartbeat_at)],
        "clock": worker.clock,
        "active": worker.active,
        "processed": worker.processed,
        "loadavg": [round(load, 2) for load in worker.loadavg] or None,
        "sw_ident": worker.sw_ident,
        "sw_ver": worker.sw_ver,
        "sw_sys": worker.sw_sys,
        "status": worker.online,
    }


def _epoch(at: datetime) -> float:
    return at.timestamp()
