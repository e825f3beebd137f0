"""`/metrics` and health, each opened or closed for itself."""

import pytest
from tests.api import serving, written

from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings

METRICS = ("/metrics",)
HEALTH = ("/healthcheck", "/healthz", "/readyz")
VIEWER = ("viewer", "v")


@pytest.mark.parametrize(
    ("metrics", "health", "to_everybody"),
    [(False, True, HEALTH), (True, True, METRICS + HEALTH), (False, False, ()), (True, False, METRICS)],
)
def test_a_stranger_finds_the_doors_as_they_were_set(
    store: StoreSettings, metrics: bool, health: bool, to_everybody: tuple[str, ...]
) -> None:
    written.into(store, "default", [])
    settings = ApiSettings(
        port=0, basic_auth=("viewer:v",), role=("viewer=viewer",), metrics_public=metrics, health_public=health
    )

    with serving.client(store, settings) as client:
        strangers = tuple(path for path in METRICS + HEALTH if client.get(path).status_code == 200)
        refused = {client.get(path).status_code for path in {*METRICS, *HEALTH} - {*strangers}}
        viewers = {client.get(path, auth=VIEWER).status_code for path in METRICS + HEALTH}
        others = client.get("/api/tasks").status_code

    assert strangers == to_everybody
    assert refused <= {401}
    assert viewers == {200}
    assert others == 401
