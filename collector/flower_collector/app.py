"""The Celery application whose cluster is collected: the user's (`-A`), or a bare one made from a broker's URL.

Of the user's, only the configuration is read. Its task modules are not imported.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from celery import Celery
from celery.app.utils import find_app
from kombu import compression

from flower_collector import broker, driver, mailbox, secrets
from flower_collector.settings import CollectorSettings
from flower_store.settings import SettingError

HEARTBEAT = 30
"""Seconds between AMQP heartbeats: a dead line is noticed after two. Celery's own 120 would take four minutes."""

DISABLED = "disabled"
"""Celery's word for no result backend."""

BACKEND = "flower_result_backend"
"""Where the configuration keeps the application's own backend."""

DEFAULT_PREFIX = "celeryev"
"""Celery's event_queue_prefix where nobody chose one."""


class Conf(Protocol):
    """What we read of an application's configuration (Celery's manual, "Configuration and defaults")."""

    event_exchange: str
    event_queue_prefix: str
    event_serializer: str
    control_exchange: str
    broker_read_url: str | Sequence[str] | None
    broker_write_url: str | Sequence[str] | None
    broker_transport_options: dict[str, object]
    accept_content: Sequence[str]
    task_compression: str | None

    def get(self, key: str) -> object:
        """A key that Celery itself may not know; None where it is not set."""
        ...


class App(Protocol):
    """What we use of `celery.Celery`, which ships no types."""

    conf: Conf
    control: "Control"

    def connection_for_read(self, *, heartbeat: int) -> driver.Connection:
        """A connection, not yet open."""
        ...

    def connection_for_write(self, *, heartbeat: int) -> driver.Connection:
        """A connection, not yet open."""
        ...


class Mailbox(Protocol):
    """`kombu.pidbox.Mailbox`."""

    producer_pool: object


class Control(Protocol):
    """`celery.app.control.Control`."""

    mailbox: Mailbox

    def enable_events(self, destination: Sequence[str] | None, *, connection: driver.Connection) -> None:
        """Broadcast; no answer is waited for."""

    def broadcast(
        self,
        command: str,
        *,
        destination: Sequence[str] | None,
        connection: driver.Connection,
        channel: object,
        reply: bool,
        timeout: float,
    ) -> Sequence[object] | None:
        """Broadcast and wait for answers."""


def cluster_app(settings: CollectorSettings) -> App:
    """The application, with what the settings say in the place of what it says; raises SettingError."""
    _refuse_compression()
    app = _named(settings.app) if settings.app else _bare(settings)
    conf = app.conf
    if settings.broker:
        # Both of these, because the environment's CELERY_BROKER_URL would win over broker_url.
        conf.broker_read_url = conf.broker_write_url = settings.broker
    if settings.broker_transport_options:
        conf.broker_transport_options = json.loads(settings.broker_transport_options)
    conf.event_exchange = settings.event_exchange or conf.event_exchange
    conf.event_queue_prefix = settings.event_queue_prefix or conf.event_queue_prefix
    conf.control_exchange = settings.control_exchange or conf.control_exchange
    # Replies of workers are read as JSON alone: unpickling one would run what its sender likes.
    conf.accept_content = ["json"]
    # What we cannot unpack we cannot pack (below), and a task that we send needs neither.
    conf.task_compression = None
    _keep_backend_out(app)
    # Control messages then take the connection that they are given, not one of a pool that outlives its breaking.
    app.control.mailbox.producer_pool = None
    mailbox.bind(app.control)
    broker.check(lambda: app.connection_for_read(heartbeat=HEARTBEAT))
    return app


def queue_name(settings: CollectorSettings, app: App) -> str:
    """The name of the queue for events. A prefix of the user's own may be what the broker's permissions ask for."""
    if settings.queue_name:
        return settings.queue_name
    prefix = app.conf.event_queue_prefix
    own = "" if prefix == DEFAULT_PREFIX else f"{prefix}."
    return f"{own}flower.{settings.cluster}"


def stream_key(settings: CollectorSettings, app: App) -> str:
    """The stream to which `flower_worker` appends (`flower_worker.stream.default_key`), without global_keyprefix."""
    return settings.redis_stream or str(app.conf.get("flower_stream") or f"flower.{app.conf.event_exchange}")


def _bare(settings: CollectorSettings) -> App:
    if not settings.broker:
        raise SettingError("broker", "", "is needed, unless --app names an application that has one")
    return cast("App", Celery("flower", set_as_current=False))


def _named(name: str) -> App:
    try:
        app: object = find_app(name)
    except (Exception, SystemExit) as error:  # the user's code runs here, and may raise whatever it likes
        # Whatever it says may hold the URL that it failed at.
        rule = f"cannot be loaded: {type(error).__name__}: {secrets.masked(' '.join(str(error).split()))}"
        raise SettingError("app", name, rule) from error
    if not isinstance(app, Celery):
        raise SettingError("app", name, f"is no Celery application but {type(app).__name__}")
    return cast("App", app)


def _keep_backend_out(app: App) -> None:
    """Let Celery send tasks without listening for their results, as its backends do; ours is made apart."""
    celery = cast("Any", app)
    if celery.backend_cls != DISABLED:
        celery.conf[BACKEND] = celery.backend_cls
    celery.backend_cls = DISABLED


def _refuse_compression() -> None:
    """Make kombu refuse to unpack anything in this process: a 370-byte bz2 reply would take a gigabyte."""
    known = cast("Callable[[], list[str]]", compression.encoders)
    register = cast("Callable[[object, object, str], None]", compression.register)
    for content_type in known():
        register(_refuse, _refuse, content_type)


def _refuse(body: bytes) -> bytes:
    raise ValueError(f"{len(body)} compressed bytes are not unpacked here")
