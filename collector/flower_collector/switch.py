"""The thread that keeps the workers' task events switched on.

Apart from the inspections, whose answers are waited for: meanwhile the tasks of a new worker would go unseen.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from flower_collector import app, driver
from flower_collector.arrivals import Arrivals
from flower_collector.backoff import Backoff
from flower_collector.conversation import Conversation
from flower_collector.periodic import Periodic

PACE = timedelta(milliseconds=200)
"""Between looks for new workers: however many arrive, and however often each is told, five broadcasts a second."""

MOST_NAMED = 100
"""Workers named in one broadcast. To switch on what is on does nothing, so more are told by telling all."""


class Switch(Conversation):
    """Tells everybody every so often, and a new worker as soon as it can hear it."""

    def __init__(
        self,
        cluster: app.App,
        *,
        every: timedelta,
        arrivals: Arrivals,
        leads: Callable[[], bool],
        backoff: Backoff,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(cluster, name="flower-switch", every=PACE, leads=leads, backoff=backoff)
        self._arrivals = arrivals
        self._telling_all = Periodic(every, clock=clock)

    def _round(self, connection: driver.Connection) -> None:
        arrived = self._arrivals.untold()
        if self._telling_all.due() or len(arrived) > MOST_NAMED:
            self._tell(connection, None)
        elif arrived:
            self._tell(connection, arrived)

    def _tell(self, connection: driver.Connection, destination: list[str] | None) -> None:
        try:
            self._app.control.enable_events(destination=destination, connection=connection)
        except Exception:
            self._telling_all.expire()  # who was missed is told with the others
            raise
        self._worked()
