"""What every response carries, and the prefix under which everything stands."""

import httpx
import pytest
from litestar import get
from tests.api import serving
from tests.api.written import a_run

from flower_api.settings import ApiSettings
from flower_store.settings import SettingError, StoreSettings
from flower_store.writes import Writer

ADDRESSES = ["/healthcheck", "/api/tasks", "/api/nowhere", "/nowhere", "/api/openapi.json", "/events/stream?cc=1"]


@get("/own", include_in_schema=True)
async def own() -> str:
    return "own " * 1000


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_response_is_cautious(standing_api: httpx.Client, address: str) -> None:
    headers = standing_api.get(address).headers

    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert len(headers["x-request-id"]) == 32
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("address", ADDRESSES)
def test_head_is_get_without_a_body(standing_api: httpx.Client, address: str) -> None:
    got, head = standing_api.get(address), standing_api.head(address)

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers["content-length"] == got.headers["content-length"]


def test_a_harmless_request_id_is_kept(standing_api: httpx.Client) -> None:
    answers = [
        standing_api.get("/healthz", headers={"X-Request-ID": given}) for given in ("trace-1.2", "x" * 65, "a b")
    ]

    assert answers[0].headers["x-request-id"] == "trace-1.2"
    assert all(len(answer.headers["x-request-id"]) == 32 for answer in answers[1:])


def test_another_site_may_not_read(standing_api: httpx.Client) -> None:
    answer = standing_api.get("/api/tasks", headers={"Origin": "https://evil.example"})

    assert "access-control-allow-origin" not in answer.headers


def test_large_answers_are_compressed_and_small_ones_are_not(api: httpx.Client, writer: Writer) -> None:
    writer.write([event for number in range(20) for event in a_run(f"t{number}", "n")])

    large, small = api.get("/api/tasks"), api.get("/healthz")

    assert large.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in small.headers


@pytest.mark.parametrize("prefix", ["flower", "/flower", "/flower/"])
def test_everything_stands_under_the_prefix(store: StoreSettings, prefix: str) -> None:
    settings = ApiSettings(port=0, url_prefix=prefix)
    with serving.client(store, settings, extra_handlers=(own,)) as client:
        assert client.base_url.path == "/flower/"
        codes = [client.get(path).status_code for path in ("/healthz", "/readyz", "/api/tasks", "/api/openapi.json")]
        outside = httpx.get(f"http://127.0.0.1:{client.base_url.port}/healthz")
        refused = client.get("/api/nowhere")

        assert codes == [200, 200, 200, 200]
        assert client.get("/own").status_code == 200
        assert outside.status_code == 404
        assert refused.headers["content-type"] == "text/plain; charset=UTF-8"


@pytest.mark.parametrize("prefix", ["a b", "//", "/a//b", "/a?b", "<x>", "/{id:str}"])
def test_a_prefix_that_is_no_path_is_refused(prefix: str) -> None:
    if not prefix.strip("/"):
        assert ApiSettings(url_prefix=prefix).root == ""
        return
    with pytest.raises(SettingError, match=r"url_prefix: .*must be a path"):
        ApiSettings(url_prefix=prefix)
