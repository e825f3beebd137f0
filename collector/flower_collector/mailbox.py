"""Celery's mailbox for answers to questions (`kombu.pidbox`), bounded: whoever may publish may answer, at any length.

kombu unpacks whatever comes, keeps answers to earlier questions for ever, and listens for as long as something comes.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import structlog
from kombu.messaging import Consumer as KombuConsumer
from kombu.pidbox import Mailbox as KombuMailbox

from flower_collector import driver

log = structlog.get_logger()

ANSWERS_LEFT_OUT = "answers of workers left out: too large, too many or not JSON"

MOST_BYTES = 16 * 1024**2
"""Bytes of all answers to one question, still packed: 1,000 workers with 10 kB of configuration make 10 MB."""

LARGEST = 8 * 1024**2
"""Bytes of one answer in its envelope; `replies.MAX_REPLY` bounds what is in it."""

LONGER = 5.0
"""Times its timeout for which a question listens at most; each answer makes it wait for the next that long."""

_Mailbox: Any = KombuMailbox  # kombu ships no types
_consumer = cast("Callable[..., Any]", KombuConsumer)


class Answer(Protocol):
    """`kombu.Message`, not yet unpacked."""

    @property
    def body(self) -> bytes | str:
        """As long as its sender likes."""
        ...

    @property
    def headers(self) -> Mapping[str, object]:
        """Of the sender, too."""
        ...

    def decode(self) -> object:
        """Raises what its serializer raises, and ContentDisallowed."""
        ...


class Answers:
    """The answers to the question with this ticket; `left_out` is the number of those that were not kept."""

    def __init__(self, ticket: str) -> None:
        self._ticket = ticket
        self._room = MOST_BYTES
        self.kept: list[object] = []
        self.left_out = 0

    def take(self, answer: Answer) -> None:
        """Unpack and keep it, if it belongs here and there is room for it."""
        if answer.headers.get("ticket", self._ticket) != self._ticket:
            return
        size = len(answer.body)
        if size > min(LARGEST, self._room):
            self.left_out += 1
            return
        self._room -= size
        try:
            self.kept.append(answer.decode())
        except Exception:  # noqa: BLE001 - a stranger's bytes; whatever unpacking them raises
            self.left_out += 1


class Mailbox(_Mailbox):  # type: ignore[misc]  # as above
    """kombu's own, with another way to collect."""

    connection: driver.Connection
    reply_queue: Any

    def _collect(
        self,
        ticket: str,
        *,
        limit: int | None = None,
        timeout: float = 1,
        callback: object = None,  # noqa: ARG002 - kombu's form
        channel: driver.ReplyChannel | None = None,
        accept: object = None,  # noqa: ARG002 - as above
    ) -> Sequence[object]:
        """As kombu calls it, whose channel is the connection's own where none is given."""
        channel = channel or cast("driver.ReplyChannel", self.connection.default_channel)
        answers = Answers(ticket)
        consumer = _consumer(channel, [self.reply_queue], accept=["json"], no_ack=True, on_message=answers.take)
        until = time.monotonic() + timeout * LONGER
        try:
            with consumer:
                while (limit is None or len(answers.kept) < limit) and time.monotonic() < until:
                    try:
                        self.connection.drain_events(timeout=timeout)
                    except TimeoutError:
                        break
        finally:
            channel.after_reply_message_received(self.reply_queue.name)
        if answers.left_out:
            log.warning(ANSWERS_LEFT_OUT, answers=answers.left_out)
        return answers.kept


def bind(control: object) -> None:
    """Make an application's questions use it. The mailbox is copied for each connection, class and all."""
    cast("Any", control).mailbox.__class__ = Mailbox
