"""Workers that are offline for longer than `purge_offline_workers` are on no list of workers."""

from datetime import timedelta

import httpx
import pytest
from tests.web.serving import served

from flower_api.settings import ApiSettings
from flower_store.factories import a_heartbeat
from flower_store.settings import StoreSettings
from flower_store.writes import Writer
from flower_web.app import create_app


@pytest.mark.parametrize(("purge", "left"), [(None, {"celery@a", "celery@b"}), (timedelta(hours=1), {"celery@a"})])
def test_a_worker_that_is_offline_for_too_long_is_on_no_list(
    database_url: str, purge: timedelta | None, left: set[str]
) -> None:
    store = StoreSettings(database_url=database_url)
    writer = Writer(store, cluster="default")
    writer.write([], [a_heartbeat(), a_heartbeat(worker="celery@b")])
    with writer.session() as connection:
        connection.execute("UPDATE worker SET alive_until = now() - interval '2 h' WHERE hostname = 'celery@b'")
    writer.close()

    with (
        served(create_app(ApiSettings(port=0, purge_offline_workers=purge), store)) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        rows = client.get("/workers?json=1").json()["data"]
        page = client.get("/c/default/workers").text

    assert {row["hostname"] for row in rows} == left
    assert {name for name in ("celery@a", "celery@b") if name in page} == left
