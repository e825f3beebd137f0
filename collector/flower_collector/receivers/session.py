"""One opening of an AMQP channel: delivery tags and receipts mean something in it alone."""


class Session:
    """Counts receipts for its channel's owner to acknowledge; the origin (`message.Origin`) of its messages.

    Receipts come in the order of the messages (`handover.py`), so everything up to a receipt's tag is committed, and
    one acknowledgement covers it. Receipts that come after the channel's end are of no use: its
    messages are the broker's again, and a tag of it would acknowledge another message on the next channel.
    """

    def __init__(self) -> None:
        self._open = True
        self._committed = 0
        self._acknowledged = 0

    @property
    def waits(self) -> bool:
        """Whether its messages are still ours."""
        return self._open

    def done(self, tag: int) -> None:
        """Everything up to this tag is committed."""
        self._committed = max(self._committed, tag)

    def close(self) -> None:
        """The channel is gone, or about to be."""
        self._open = False

    def due(self) -> int | None:
        """The tag up to which to acknowledge now; None when there is nothing new."""
        committed = self._committed
        if not self._open or committed == self._acknowledged:
            return None
        self._acknowledged = committed
        return committed
