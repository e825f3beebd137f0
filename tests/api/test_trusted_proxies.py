"""What a proxy says of a request counts from the named ones alone: for the log, limits, addresses, and who it is."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from litestar.enums import ScopeType
from litestar.types import Message, Receive, Scope, Send
from tests.api import serving, written

from flower_api import forwarded
from flower_api.settings import ApiSettings
from flower_store.settings import SettingError, StoreSettings

TRUSTED = ("10.0.0.0/8", "fd00::7")
NEAR = ("10.0.0.1", 4000)
STRANGER = ("192.0.2.66", 4000)
USERS = ("alice:wonder",)
Seen = tuple[str | None, str, str, str]


def seen(settings: ApiSettings, client: tuple[str, int] | None, *headers: tuple[str, str], path: str = "/") -> Seen:
    """Client, scheme, host and path, as the application finds them."""
    found: list[Seen] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        assert scope["type"] == ScopeType.HTTP
        host = ",".join(value.decode() for name, value in scope["headers"] if name == b"host")
        found.append((scope["client"] and scope["client"][0], scope["scheme"], host, scope["path"]))

    async def nothing() -> Any:
        raise AssertionError

    async def nowhere(_: Message) -> None:
        raise AssertionError

    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in (("Host", "inside:5555"), *headers)]
    scope: Any = {"type": "http", "client": client, "scheme": "http", "path": path, "raw_path": path.encode()}

    async def ask() -> None:
        await forwarded.wrapped(app, settings)(scope | {"headers": given}, nothing, nowhere)

    asyncio.run(ask())
    return found[0]


def x_headers(**more: Any) -> ApiSettings:
    given: dict[str, Any] = {"trusted_proxies": TRUSTED, **more}
    return ApiSettings(xheaders=True, **given)


def rfc7239(**more: Any) -> ApiSettings:
    given: dict[str, Any] = {"trusted_proxies": TRUSTED, **more}
    return ApiSettings(forwarded=True, **given)


WHOLE = (
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "flower.example.com"),
)


@pytest.mark.parametrize("client", [NEAR, ("::ffff:10.1.2.3", 1), ("fd00::7", 1), ("FD00:0::7", 1)])
def test_a_named_proxy_tells_client_scheme_and_host(client: tuple[str, int]) -> None:
    assert seen(x_headers(), client, *WHOLE) == ("203.0.113.9", "https", "flower.example.com", "/")


@pytest.mark.parametrize("client", [STRANGER, ("11.0.0.1", 1), ("fd00::8", 1), ("testclient", 1), None])
@pytest.mark.parametrize("settings", [x_headers(), rfc7239()])
def test_nobody_else_does(client: tuple[str, int] | None, settings: ApiSettings) -> None:
    said = seen(settings, client, *WHOLE, ("Forwarded", "for=203.0.113.9;proto=https;host=flower.example.com"))

    assert said == (client and client[0], "http", "inside:5555", "/")


def test_the_unix_socket_is_named_as_such() -> None:
    assert seen(x_headers(trusted_proxies=("unix",)), None, *WHOLE)[0] == "203.0.113.9"


@pytest.mark.parametrize(
    ("words", "client"),
    [
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("<script>, 10.0.0.2", "10.0.0.2"),
        ("fe80::1%<b>", "fe80::1"),
        ("unknown", "10.0.0.1"),
        ("", "10.0.0.1"),
        (",", "10.0.0.1"),
    ],
)
def test_the_client_is_the_nearest_address_that_is_no_proxy_of_ours(words: str, client: str) -> None:
    assert seen(x_headers(), NEAR, ("X-Forwarded-For", words))[0] == client


def test_what_a_client_wrote_before_its_proxy_changes_nothing() -> None:
    invented = ("X-Forwarded-For", "10.0.0.9, 127.0.0.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil")
    added = ("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "http"), ("X-Forwarded-Host", "flower.example")

    assert seen(x_headers(), NEAR, *invented, *added) == ("203.0.113.9", "http", "flower.example", "/")


@pytest.mark.parametrize("invented", ["for=127.0.0.1", 'for="', 'for=";proto=https', "=;;=", ","])
def test_nor_does_it_in_rfc_7239_s_header(invented: str) -> None:
    added = 'For="[2001:db8:cafe::17]:4711"; Proto=HTTPS; host="flower.example:8443", for=10.0.0.5;proto=http'
    expected = ("2001:db8:cafe::17", "https", "flower.example:8443", "/")

    assert seen(rfc7239(), NEAR, ("Forwarded", f"{invented}, {added}")) == expected
    assert seen(rfc7239(), NEAR, ("Forwarded", invented), ("Forwarded", added)) == expected


@pytest.mark.parametrize("hidden", ["for=unknown", "for=_gazonk", 'for="_x"'])
def test_a_client_that_its_proxy_hides_is_the_proxy(hidden: str) -> None:
    assert seen(rfc7239(), NEAR, ("Forwarded", f"for=198.51.100.1, {hidden};proto=https"))[:2] == ("10.0.0.1", "https")


@pytest.mark.parametrize("settings", [x_headers(), rfc7239()])
def test_only_the_configured_one_of_both_is_read(settings: ApiSettings) -> None:
    other = WHOLE if settings.forwarded else (("Forwarded", "for=203.0.113.9;proto=https;host=flower.example.com"),)

    assert seen(settings, NEAR, *other) == ("10.0.0.1", "http", "inside:5555", "/")


@pytest.mark.parametrize("host", ["a/b", "a@b", "evil.example#", 'x"', "a b", "[::1", "ä"])
def test_a_host_that_is_none_is_not_taken(host: str) -> None:
    assert seen(x_headers(), NEAR, ("X-Forwarded-Host", host))[2] == "inside:5555"


@pytest.mark.parametrize("scheme", ["javascript", "ftp", "https:"])
def test_a_scheme_that_is_none_is_not_taken(scheme: str) -> None:
    assert seen(x_headers(), NEAR, ("X-Forwarded-Proto", scheme))[1] == "http"


@pytest.mark.parametrize(
    ("said", "path", "found"),
    [
        ("/flower", "/api/tasks", "/flower/api/tasks"),
        ("/flower/", "/", "/flower/"),
        ("/flower", "/flower/api/tasks", "/flower/api/tasks"),
        ("//evil.example", "/api/tasks", "/api/tasks"),
        ("/other", "/api/tasks", "/api/tasks"),
        ("/flower, /flower", "/api/tasks", "/api/tasks"),
    ],
)
def test_a_prefix_that_the_proxy_took_away_is_put_back_if_it_is_ours(said: str, path: str, found: str) -> None:
    assert seen(x_headers(url_prefix="flower"), NEAR, ("X-Forwarded-Prefix", said), path=path)[3] == found
    assert seen(x_headers(url_prefix="flower"), STRANGER, ("X-Forwarded-Prefix", said), path=path)[3] == path


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"xheaders": True}, "xheaders: .*must not be anybody's word: name the proxies in trusted_proxies"),
        ({"forwarded": True}, "forwarded: .*name the proxies in trusted_proxies"),
        ({"proxy_user_header": "X-User"}, "proxy_user_header: .*name the proxies in trusted_proxies"),
        ({"trusted_proxies": ("10.0.0.1",)}, "trusted_proxies: .*are believed nothing: say what by xheaders"),
        ({"xheaders": True, "trusted_proxies": ("10.0.0.1/8",)}, "trusted_proxies: .*networks.*has host bits set"),
        ({"xheaders": True, "trusted_proxies": ("proxy.example",)}, "trusted_proxies: .*must be addresses, networks"),
        ({"xheaders": True, "trusted_proxies": ("*",)}, "trusted_proxies: .*must be addresses, networks"),
        ({"xheaders": True, "forwarded": True, "trusted_proxies": TRUSTED}, "forwarded: .*must not stand beside"),
        ({"xheaders": True, "trusted_proxies": TRUSTED, "proxy_email_header": "X-E"}, "proxy_email_header: .*no use"),
        ({"proxy_user_header": "X User", "trusted_proxies": TRUSTED}, "proxy_user_header: .*name of a header"),
        ({"proxy_user_header": "Cookie", "trusted_proxies": TRUSTED}, "proxy_user_header: .*name of a header"),
    ],
)
def test_settings_that_would_open_a_door_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        ApiSettings(**given)


@pytest.fixture
def here(store: StoreSettings) -> Iterator[httpx.Client]:
    """An API behind a proxy on this machine, which is this test."""
    written.into(store, "default", [])
    settings = ApiSettings(port=0, basic_auth=USERS, xheaders=True, trusted_proxies=("127.0.0.1",))
    with serving.client(store, settings) as client:
        yield client


@pytest.fixture
def elsewhere(store: StoreSettings) -> Iterator[httpx.Client]:
    """One that trusts another proxy."""
    written.into(store, "default", [])
    settings = ApiSettings(port=0, basic_auth=USERS, xheaders=True, trusted_proxies=("192.0.2.1",))
    with serving.client(store, settings) as client:
        yield client


def guess(client: httpx.Client, *, of: str) -> int:
    return client.get("/api/tasks", auth=("alice", "wrong"), headers={"X-Forwarded-For": of}).status_code


def origins(store: StoreSettings) -> list[str]:
    with psycopg.connect(store.database_url) as connection:
        found = connection.execute("SELECT DISTINCT split_part(origin, ', request', 1) FROM command ORDER BY 1")
        return [row[0] for row in found]


def test_guesses_are_counted_and_logged_by_the_client_that_the_proxy_names(
    here: httpx.Client, store: StoreSettings
) -> None:
    one = [guess(here, of="203.0.113.9") for _ in range(11)]
    other = guess(here, of="203.0.113.10")

    assert (one, other) == ([401] * 10 + [429], 401)
    assert origins(store) == ["203.0.113.10 through 127.0.0.1", "203.0.113.9 through 127.0.0.1"]


def test_a_client_that_forges_the_header_is_counted_and_logged_as_itself(
    elsewhere: httpx.Client, store: StoreSettings
) -> None:
    answers = [guess(elsewhere, of=f"203.0.113.{number}") for number in range(11)]

    assert answers == [401] * 10 + [429]
    assert all(
        one.startswith("127.0.0.1, for 203.0.113.") and one.endswith("by its own word") for one in origins(store)
    )


def test_what_a_client_wrote_before_the_proxy_added_its_own_is_no_way_round_the_limits(here: httpx.Client) -> None:
    answers = [guess(here, of=f"198.51.100.{number}, 203.0.113.9") for number in range(11)]

    assert answers == [401] * 10 + [429]


def test_a_named_proxy_is_no_client_of_this_machine(store: StoreSettings) -> None:
    settings = ApiSettings(port=0, xheaders=True, trusted_proxies=("127.0.0.1",))

    with serving.client(store, settings) as client:
        assert client.get("/api/tasks", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401


def test_the_origin_of_a_write_is_held_against_the_host_that_the_proxy_names(here: httpx.Client) -> None:
    written_at = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "flower.example.com"}
    wanted = {"name": "t", "role": "viewer"}

    own = here.post(
        "/api/v1/tokens",
        json=wanted,
        auth=("alice", "wonder"),
        headers={"Origin": "https://flower.example.com", **written_at},
    )
    others = here.post(
        "/api/v1/tokens",
        json=wanted,
        auth=("alice", "wonder"),
        headers={"Origin": "https://evil.example", **written_at},
    )

    assert (own.status_code, others.status_code) == (201, 403)
