"""RabbitMQ's management API (its HTTP API reference, "GET /api/queues/vhost").

Answers are bounded in time, pages and bytes, and read as types; TLS is verified. No proxy is used and no redirect
followed, so that a password goes nowhere else.
"""

import base64
import http.client
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote, urlencode

import msgspec

from flower_collector.broker_address import Address
from flower_store.queue_samples import QueueSample

PATIENCE = 5.0
"""Seconds for one connection and for each piece of an answer."""

PAGE = 500
"""Queues a page, the most that RabbitMQ gives; by pages, since all at once is slow with thousands (Flower's #567)."""

MOST_PAGES = 40

LARGEST = 16 * 1024**2
"""Bytes of one page; 500 queues with these columns are 150 kB."""

_COLUMNS = (
    "name", "messages", "messages_ready", "messages_unacknowledged", "consumers", "head_message_timestamp", "exclusive",
    "auto_delete",
)  # fmt: skip

_LARGEST_TIME = 2**36


class Failed(Exception):
    """It did not answer, or not with queues. Its text holds no password."""


class Queue(msgspec.Struct, frozen=True):
    """One queue of a page. A queue that was just declared has no counts yet."""

    name: str
    messages: int | None = None
    messages_ready: int | None = None
    messages_unacknowledged: int | None = None
    consumers: int | None = None
    head_message_timestamp: int | str | None = None
    exclusive: bool = False
    auto_delete: bool = False

    @property
    def sample(self) -> QueueSample:
        """What it says, in our words."""
        return QueueSample(
            name=self.name,
            messages=self.messages,
            ready=self.messages_ready,
            unacked=self.messages_unacknowledged,
            consumers=self.consumers,
            oldest_at=_time(self.head_message_timestamp),
        )


class _Page(msgspec.Struct, frozen=True):
    items: list[Queue]
    page_count: int = 1


def queues(address: Address, vhost: str, *, login: tuple[str, str], context: ssl.SSLContext | None) -> list[Queue]:
    """Every queue of the virtual host; raises Failed. `context` is for TLS."""
    connection = _connection(address, context)
    try:
        return [queue for page in _pages(connection, address, vhost, headers=_headers(*login)) for queue in page.items]
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"{address}: {type(error).__name__}: {error}") from error
    finally:
        connection.close()


def _pages(
    connection: http.client.HTTPConnection, address: Address, vhost: str, *, headers: Mapping[str, str]
) -> Iterator[_Page]:
    for number in range(1, MOST_PAGES + 1):
        page = _page(connection, address, vhost, number=number, headers=headers)
        yield page
        if number >= page.page_count:
            return


def _connection(address: Address, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if address.secure:
        return http.client.HTTPSConnection(address.host, address.port, timeout=PATIENCE, context=context)
    return http.client.HTTPConnection(address.host, address.port, timeout=PATIENCE)


def _headers(user: str, password: str) -> Mapping[str, str]:
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {login}", "Accept": "application/json"}


def _page(
    connection: http.client.HTTPConnection, address: Address, vhost: str, *, number: int, headers: Mapping[str, str]
) -> _Page:
    query = urlencode({"page": number, "page_size": PAGE, "columns": ",".join(_COLUMNS)})
    connection.request("GET", f"{address.path}/queues/{quote(vhost, safe='')}?{query}", headers=dict(headers))
    response = connection.getresponse()
    body = response.read(LARGEST + 1)
    if response.status != HTTPStatus.OK:
        raise Failed(f"{address}: {response.status} {response.reason}{_HINTS.get(response.status, '')}")
    if len(body) > LARGEST:
        raise Failed(f"{address}: a page of more than {LARGEST} bytes")
    try:
        return msgspec.json.decode(body, type=_Page)
    except msgspec.MsgspecError as error:
        raise Failed(f"{address}: no page of queues: {error}") from error


_HINTS: Mapping[int, str] = {
    401: ": the user or the password is wrong, or the user has no tag such as `monitoring`",
    404: ": no such virtual host, or no management API",
}


def _time(told: int | str | None) -> datetime | None:
    """A text where the first message bears no time, as Celery's do."""
    if not isinstance(told, int) or not 0 < told < _LARGEST_TIME:
        return None
    return datetime.fromtimestamp(told, UTC)
