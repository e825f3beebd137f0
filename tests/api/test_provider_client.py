"""Requests to a provider end: whatever it does, or does not do."""

import asyncio
import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from tests.web.recorded import Recorded, Reply, serving

from flower_api.access.oauth import errors
from flower_api.access.oauth.client import Client
from flower_api.access.oauth.transaction import Transaction
from flower_api.settings import ApiSettings

TRANSACTION = Transaction(state="s", nonce="n", verifier="v" * 43, next="/")


@pytest.fixture(params=[b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"], ids=["silent", "dripping"])
def slow(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of one that takes a request and answers nothing, or a byte now and then."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.sendall(request.param)
                while not ended.wait(0.05):
                    if request.param:
                        connection.sendall(b" ")

        thread = threading.Thread(target=answer, name="slow")
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        ended.set()
        with socket.create_connection(listening.getsockname()):  # who was given up before it came is still awaited
            thread.join(60)
        assert not thread.is_alive()


async def asked(client: Client, address: str, asking: str) -> None:
    if asking == "read":
        await client.read(address)
    else:
        await client.token(address, "code", TRANSACTION, method="client_secret_post")


@pytest.mark.parametrize("asking", ["read", "token"])
def test_a_provider_that_is_slow_is_not_waited_for(slow: str, asking: str) -> None:
    client = Client(ApiSettings(), longest=timedelta(seconds=0.3))

    with pytest.raises(errors.Away):
        asyncio.run(asked(client, slow, asking))


TOKEN = b'{"access_token": "t", "token_type": "bearer"}'


@pytest.mark.parametrize("asking", ["read", "token"])
@pytest.mark.parametrize(
    ("body", "headers", "why"),
    [
        (TOKEN.ljust(1_000_001), {}, "more than 1,000,000 bytes"),
        (gzip.compress(TOKEN), {"Content-Encoding": "gzip"}, "packed"),
    ],
    ids=["large", "packed"],
)
def test_an_answer_is_read_only_so_far(asking: str, body: bytes, headers: dict[str, str], why: str) -> None:
    provider = Recorded()
    provider.at("https://id.example.com/fits", Reply(TOKEN.ljust(1_000_000)))
    provider.at("https://id.example.com/not", Reply(body, headers=headers))
    with serving(provider) as transport:
        client = Client(ApiSettings(), transport=transport)

        asyncio.run(asked(client, "https://id.example.com/fits", asking))
        with pytest.raises(errors.Untrusted) as raised:
            asyncio.run(asked(client, "https://id.example.com/not", asking))

    assert why in raised.value.why
    assert {one.headers["accept-encoding"] for one in provider.asked} == {"identity"}
