"""Who is answered while nothing is configured: this machine alone."""

import asyncio
import socket

import httpx
import pytest
from tests.api import serving

from flower_api.app import create_app
from flower_api.settings import ApiSettings
from flower_store.settings import SettingError, StoreSettings

WORDS = "FLOWER_UNAUTHENTICATED_API environment variable is required to enable API without authentication"
STRANGERS = ["evil.example", "evil.example:5555", "127.0.0.1.evil.example", "192.0.2.7", "[::1", "]["]
PATHS = ["/api/tasks", "/api/task/info/t", "/api/task/types", "/api/workers", "/metrics"]


def asked_from(
    host: str, path: str, store: StoreSettings, settings: ApiSettings, *, method: str = "GET"
) -> httpx.Response:
    """A request as if it came from another machine."""

    async def ask() -> httpx.Response:
        app = create_app(settings, store)
        transport = httpx.ASGITransport(app, client=(host, 1234))  # type: ignore[arg-type]  # its scope is any mapping
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", PATHS)
def test_another_machine_is_refused_in_flowers_words(store: StoreSettings, path: str) -> None:
    answer = asked_from("192.0.2.7", path, store, ApiSettings())

    assert (answer.status_code, answer.text) == (401, WORDS)
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_answered(store: StoreSettings, host: str) -> None:
    assert asked_from(host, "/api/tasks", store, ApiSettings()).status_code == 200


def test_everybody_is_answered_where_the_operator_opened_it(store: StoreSettings) -> None:
    answer = asked_from("192.0.2.7", "/api/tasks", store, ApiSettings(unauthenticated_api=True))

    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/api/tasks", "/events/stream"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5555", "127.0.0.1.evil.example", "192.0.2.7", "[::1", "]["]
)
def test_a_strangers_name_for_this_machine_does_not_open_the_gate(
    standing_api: httpx.Client, path: str, host: str
) -> None:
    assert standing_api.get(path, headers={"Host": host}).status_code == 401


@pytest.mark.parametrize("host", ["localhost", "localhost:5555", "127.0.0.1:1", "[::1]:5555", "flower.localhost"])
def test_this_machine_s_own_names_open_it(standing_api: httpx.Client, host: str) -> None:
    assert standing_api.get("/api/tasks", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_proxy_on_this_machine_does_not_open_the_gate(standing_api: httpx.Client, header: str) -> None:
    assert standing_api.get("/api/tasks", headers={header: "for=192.0.2.7"}).status_code == 401


def test_health_is_answered_to_everybody(store: StoreSettings) -> None:
    codes = [asked_from("192.0.2.7", path, store, ApiSettings()).status_code for path in ("/healthcheck", "/healthz")]

    assert codes == [200, 200]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "", "192.0.2.7", "flower.example.org"])
def test_listening_for_others_must_be_asked_for(address: str) -> None:
    with pytest.raises(SettingError, match=r"address: .*loopback.*unauthenticated_api"):
        ApiSettings(address=address)


def test_listening_on_every_address_works_when_asked_for(store: StoreSettings) -> None:
    settings = ApiSettings(address="0.0.0.0", port=0, unauthenticated_api=True)

    with serving.running(store, settings) as server, socket.create_connection(("127.0.0.1", server.port), 5):
        assert server.port > 0
