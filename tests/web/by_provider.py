"""Logins by a real provider, without a browser: what one does with its pages, and with ours."""

import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import httpx2
import psycopg
from tests.api import written
from tests.services import oidc_provider

from flower_api.server import Server
from flower_api.settings import ApiSettings
from flower_cli.embedded import process
from flower_store.settings import StoreSettings
from flower_web.app import create_app

HTML = {"Accept": "text/html"}


REDIRECT = "http://127.0.0.1:1/login"
"""Nobody listens there: the tests take the answer to whichever replica they mean."""


@contextmanager
def database(postgres_url: str, template: str, name: str) -> Generator[StoreSettings]:
    """One for all tests of a file, with a cluster that is called `default`."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    store = StoreSettings(database_url=f"{postgres_url.rpartition('/')[0]}/{name}")
    written.into(store, "default", [])
    yield store


@contextmanager
def log(store: StoreSettings) -> Generator[Callable[[str], list[tuple[Any, ...]]]]:
    """Reads columns of what is in the log of commands from now on; refusals before this bound none after it."""
    with psycopg.connect(store.database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM access_attempt")
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM command").fetchall()[0]

        def read(columns: str) -> list[tuple[Any, ...]]:
            query = f"SELECT {columns} FROM command WHERE id > %s ORDER BY id"
            return connection.execute(query.encode(), (last,)).fetchall()

        yield read
        connection.execute("DELETE FROM access_attempt")


def settings(issuer: str, *, port: int = 0, **more: Any) -> ApiSettings:
    """Of a Flower with the provider of the tests; with a port it is one that browsers are sent back to."""
    given: dict[str, Any] = {
        "auth_provider": "oidc",
        "oidc_issuer": issuer,
        "oauth2_key": oidc_provider.CLIENT,
        "oauth2_secret": oidc_provider.SECRET,
        "oauth2_redirect_uri": f"http://127.0.0.1:{port}/login" if port else REDIRECT,
        "oidc_scope": "openid email groups",
    }
    return ApiSettings(port=port, **(given | more))


@contextmanager
def serving(
    store: StoreSettings, chosen: ApiSettings, *, outgoing: httpx2.AsyncBaseTransport | None = None
) -> Generator[httpx.Client]:
    """A browser without a session before a replica."""
    server, ready = Server(create_app(chosen, store, outgoing=outgoing), chosen), threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,), name="door")
    thread.start()
    try:
        assert ready.wait(20)
        with httpx.Client(base_url=server.address, headers=HTML, timeout=30) as client:
            yield client
    finally:
        server.stop()
        thread.join(60)
    assert not thread.is_alive()


def free_port() -> int:
    return process.free_port()


def begun(client: httpx.Client, to: str = "") -> str:
    """Where the link on our page sends the browser."""
    answer = client.get("/login/provider", params={"next": to} if to else {})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def allowed(address: str, name: str) -> str:
    """The address to which the provider sends the browser back after its own pages."""
    with httpx.Client(timeout=30) as there:
        answer = there.get(address)
        for _ in range(10):
            while answer.is_redirect:
                address = urljoin(str(answer.url), answer.headers["location"])
                if httpx.URL(address).host != httpx.URL(str(answer.url)).host:
                    return address
                answer = there.get(address)
            assert answer.status_code == 200, answer.text
            action = re.search(r'action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="([^"]+)"', answer.text)
            assert action, answer.text
            assert prompt
            form = {"prompt": prompt[1], "login": name, "password": "any"}
            answer = there.post(urljoin(str(answer.url), action[1]), data=form)
    raise AssertionError("the provider never sends the browser back")


def log_in(client: httpx.Client, name: str, to: str = "") -> httpx.Response:
    """Our answer to the browser that comes back."""
    return come_back(client, allowed(begun(client, to), name))


def come_back(client: httpx.Client, address: str) -> httpx.Response:
    """This replica's answer to the browser that the provider sends back."""
    return client.get(f"/login?{urlsplit(address).query}")
