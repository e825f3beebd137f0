"""TLS with real certificates, and a real Unix socket."""

import contextlib
import socket
import ssl
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api import serving
from tests.services import certificates
from tests.services.certificates import Certificates

from flower_api.app import create_app
from flower_api.listening import CannotListen
from flower_api.server import Server
from flower_api.settings import ApiSettings
from flower_store.settings import SettingError, StoreSettings


@pytest.fixture
def files(tmp_path: Path) -> Certificates:
    return certificates.made(tmp_path)


def secured(files: Certificates, **more: Any) -> ApiSettings:
    return ApiSettings(port=0, certfile=str(files.certificate), keyfile=str(files.key), **more)


def known(files: Certificates, *, own: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(files.authority))
    if own:
        context.load_cert_chain(files.certificate, files.key)
    return context


def test_it_answers_by_tls_alone(store: StoreSettings, files: Certificates) -> None:
    with serving.running(store, secured(files)) as server:
        answer = httpx.get(f"{server.address}/healthz", verify=known(files))
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{server.address}/healthz", verify=ssl.create_default_context())
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{server.address.replace('https', 'http')}/healthz")

    assert (server.address[:8], answer.status_code) == ("https://", 200)


def test_with_authorities_a_client_needs_a_certificate(store: StoreSettings, files: Certificates) -> None:
    with serving.running(store, secured(files, ca_certs=str(files.authority))) as server:
        answer = httpx.get(f"{server.address}/healthz", verify=known(files, own=True))
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{server.address}/healthz", verify=known(files))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"certfile": "ca.pem", "keyfile": "server.key"}, "certfile: .*is no certificate with its private key"),
        ({"certfile": "server.pem"}, "certfile: .*is no certificate with its private key"),
        ({"certfile": "none.pem"}, "certfile: .*cannot be read .No such file"),
        ({"certfile": "server.pem", "keyfile": "none"}, "keyfile: .*cannot be read"),
        ({"certfile": "server.pem", "keyfile": "server.key", "ca_certs": "server.key"}, "ca_certs: .*no certificates"),
    ],
)
def test_files_that_are_wrong_end_the_start(
    store: StoreSettings, files: Certificates, given: dict[str, Any], sentence: str
) -> None:
    there: dict[str, Any] = {name: str(files.key.parent / value) for name, value in given.items()}
    settings = ApiSettings(port=0, **there)

    with pytest.raises(CannotListen, match=sentence):
        Server(create_app(settings, store), settings)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"keyfile": "x"}, "keyfile: .*without certfile"),
        ({"ca_certs": "x"}, "ca_certs: .*without certfile"),
        ({"unix_socket": "x"}, "unix_socket: .*must not stand without access"),
        ({"unix_socket_mode": "rw"}, "unix_socket_mode: .*octal digits"),
    ],
)
def test_settings_that_guard_nothing_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        ApiSettings(**given)


def by_socket(path: Path, **more: Any) -> ApiSettings:
    return ApiSettings(unix_socket=str(path), basic_auth=("alice:wonder",), **more)


def asked(path: Path) -> int:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost") as client:
        return client.get("/api/tasks", auth=("alice", "wonder")).status_code


@pytest.mark.parametrize("mode", ["0660", "600"])
def test_it_listens_on_a_unix_socket_with_its_mode(store: StoreSettings, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "flower.sock"

    with serving.running(store, by_socket(path, unix_socket_mode=mode)):
        shown = stat.S_IMODE(path.stat().st_mode)
        status = asked(path)

    assert (shown, status, path.exists()) == (int(mode, 8), 200, False)


def test_a_socket_that_a_dead_process_left_is_taken_over_and_a_living_one_is_not(
    store: StoreSettings, tmp_path: Path
) -> None:
    path, settings = tmp_path / "flower.sock", by_socket(tmp_path / "flower.sock")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(path))
    with serving.running(store, settings):
        assert asked(path) == 200
        with pytest.raises(CannotListen, match=r"unix_socket: .*is taken by another program"):
            Server(create_app(settings, store), settings)
        assert asked(path) == 200


def test_a_file_that_is_no_socket_stays(store: StoreSettings, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    settings = by_socket(path)

    with pytest.raises(CannotListen, match=r"unix_socket: .*is there and no socket"):
        Server(create_app(settings, store), settings)
    assert path.read_text() == "mine"


def test_a_file_that_took_the_name_meanwhile_stays(store: StoreSettings, tmp_path: Path) -> None:
    path = tmp_path / "flower.sock"
    with serving.running(store, by_socket(path)):
        path.unlink()
        path.write_text("another's")

    assert path.read_text() == "another's"
