"""What would be right is said, where a value is none of a few, a field is unknown, or a text has another form."""

import httpx
import pytest

HERE = "/api/v1/clusters/default"


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        ("GET", "/export?format=xml", None, "format: Invalid enum value 'xml': must be one of csv, ndjson"),
        ("GET", "/series?by=foo", None, "by: Invalid enum value 'foo': must be one of name, worker"),
        (
            "PATCH",
            "/errors/1",
            '{"status": "x"}',
            "status: Invalid enum value 'x': must be one of ignored, open, resolved",
        ),
        (
            "PATCH",
            "/errors/1",
            '{"state": "open"}',
            "data: Object contains unknown field `state`: may have reason, status",
        ),
        ("POST", "/commands", '{"kind": "stop"}', "kind: Invalid value 'stop': must be one of revoke, rate_limit, "),
        (
            "POST",
            "/commands",
            '{"kind": "rate_limit", "name": "n", "rate_limit": "10 per minute"}',
            "rate_limit: must be a number, alone or with /s, /m or /h: 10/m",
        ),
    ],
)
def test_what_would_be_right_is_said(
    standing_api: httpx.Client, method: str, path: str, body: str | None, detail: str
) -> None:
    answer = standing_api.request(method, HERE + path, content=body)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        ("PUT", "/api/v1/views", '{"name": "n", "query": "", "shared": 0}', "shared: Expected `bool`, got `int`"),
        (
            "POST",
            f"{HERE}/commands",
            '{"kind": "pool_grow", "worker": "w", "n": "2"}',
            "n: Expected `int`, got `str`",
        ),
        ("POST", f"{HERE}/commands", '{"kind": "revoke", "tasks": [1]}', "tasks: Expected `str`, got `int`"),
        ("PATCH", f"{HERE}/errors/1", '{"status": 5}', "status: Expected `str`, got `int`"),
        ("POST", f"{HERE}/commands", "[]", "data: Expected `object`, got `array`"),
    ],
)
def test_a_document_has_the_types_that_the_reference_says(
    standing_api: httpx.Client, method: str, path: str, body: str, detail: str
) -> None:
    answer = standing_api.request(method, path, content=body)

    assert (answer.status_code, answer.json()["detail"]) == (400, detail)
