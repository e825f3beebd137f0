"""What we use of kombu, py-amqp and redis-py, with types: the first two ship none."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol


class Connection(Protocol):
    """`kombu.Connection`, of any transport."""

    connection_errors: tuple[type[Exception], ...]
    channel_errors: tuple[type[Exception], ...]
    default_channel: object
    alt: Sequence[str]

    def ensure_connection(
        self, *, max_retries: int, interval_start: float, interval_step: float, reraise_as_library_errors: bool
    ) -> object:
        """Open it, trying its alternatives in turn; raises one of `connection_errors`."""

    def release(self) -> None:
        """Close it."""

    def channel(self) -> "AmqpChannel":
        """A further channel; of the AMQP kind only where the transport is."""
        ...

    def drain_events(self, *, timeout: float) -> None:
        """Handle one thing that arrives; raises TimeoutError when nothing does."""

    def heartbeat_check(self) -> None:
        """Send a heartbeat where one is due; raises when the broker's are missing."""


class AmqpTransport(Protocol):
    """`amqp.transport.TCPTransport` or `SSLTransport`."""

    def read_frame(self) -> tuple[int, int, bytes]:
        """Wait for a whole frame."""
        ...


class AmqpConnection(Protocol):
    """`amqp.Connection`."""

    transport: AmqpTransport
    bytes_recv: int
    on_inbound_frame: Callable[[tuple[int, int, bytes]], object]


class AmqpChannel(AbstractContextManager["AmqpChannel"], Protocol):
    """`amqp.Channel`. Its methods are AMQP's own; kombu's transports imitate them."""

    auto_decode: bool
    channel_id: int
    connection: AmqpConnection

    # fmt: off
    def exchange_declare(  # noqa: D102
        self, *, exchange: str, type: str, durable: bool, auto_delete: bool, passive: bool = False,  # noqa: A002
    ) -> object: ...
    def queue_declare(  # noqa: D102
        self, *, queue: str, passive: bool = False, durable: bool = False, exclusive: bool = False,
        auto_delete: bool = True, arguments: Mapping[str, object] | None = None,
    ) -> object: ...
    def queue_bind(self, *, queue: str, exchange: str, routing_key: str) -> object: ...  # noqa: D102
    def basic_qos(self, prefetch_size: int, prefetch_count: int, a_global: bool) -> object: ...  # noqa: D102
    def basic_consume(self, queue: str, *, callback: Callable[["Delivery"], None]) -> str: ...  # noqa: D102
    def basic_cancel(self, consumer_tag: str) -> object: ...  # noqa: D102
    def basic_ack(self, delivery_tag: int, *, multiple: bool) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102
    # fmt: on


class Delivery(Protocol):
    """`amqp.Message`. Its properties are a stranger's; an empty body is text."""

    body: bytes | str
    properties: Mapping[str, object]
    delivery_info: Mapping[str, object]
    delivery_tag: int


class ReplyChannel(Protocol):
    """What `kombu.pidbox` uses of any channel."""

    def after_reply_message_received(self, queue: str) -> None:
        """Clean up behind a question."""


class VirtualChannel(Protocol):
    """`kombu.transport.virtual.Channel`, which plays AMQP on brokers that do not speak it."""

    Message: type

    # fmt: off
    def exchange_declare(self, *, exchange: str, type: str, durable: bool, auto_delete: bool) -> object: ...  # noqa: A002, D102
    def queue_declare(self, *, queue: str) -> object: ...  # noqa: D102
    def queue_bind(self, *, queue: str, exchange: str, routing_key: str) -> object: ...  # noqa: D102
    def queue_delete(self, queue: str) -> object: ...  # noqa: D102
    def basic_cancel(self, consumer_tag: str) -> object: ...  # noqa: D102
    def basic_consume(self, queue: str, *, no_ack: bool, callback: Callable[["Payload"], None], consumer_tag: str) -> object: ...  # noqa: D102, E501
    # fmt: on


class Payload:
    """An envelope as a virtual transport read it, in the place of kombu's class, which would unpack its body."""

    def __init__(self, payload: Mapping[str, object], channel: object = None) -> None:
        self.payload = payload
        self.channel = channel


class RedisChannel(Protocol):
    """`kombu.transport.redis.Channel`."""

    keyprefix_fanout: str
    global_keyprefix: str
    pool: "RedisPool"

    def conn_or_acquire(self) -> AbstractContextManager[object]:
        """A client on the pool of connections that are used for commands."""
        ...


class RedisPool(Protocol):
    """`redis.ConnectionPool`, or kombu's for sentinels."""

    connection_kwargs: dict[str, object]


class RedisClient(Protocol):
    """`redis.Redis`."""

    def pubsub(self) -> "Subscription": ...  # noqa: D102


class Subscription(Protocol):
    """`redis.client.PubSub`."""

    def psubscribe(self, *patterns: str) -> object: ...  # noqa: D102
    def punsubscribe(self) -> object: ...  # noqa: D102
    def ping(self) -> object: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102
    def get_message(self, *, timeout: float) -> Mapping[str, object] | None: ...  # noqa: D102
