"""OPTIONS tells every method of an address, and only those."""

import httpx
import pytest


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/views", "GET, OPTIONS, PUT"),
        ("/api/v1/tokens", "GET, OPTIONS, POST"),
        ("/api/v1/clusters/default/commands", "GET, OPTIONS, POST"),
        ("/api/v1/clusters", "GET, OPTIONS"),
    ],
)
def test_options_tells_every_method(standing_api: httpx.Client, path: str, methods: str) -> None:
    answer = standing_api.options(path)

    assert (answer.status_code, answer.headers["allow"]) == (204, methods)
