"""The shop's customers: `python -m flower_cli.demo.producer` sends tasks until it is told to stop.

RATE is the number of tasks a second (20), SEED the story that is told (7). It ends at once on SIGTERM and
SIGINT, in the middle of a send, too: nothing of its own is lost by that.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from random import Random

from kombu.exceptions import OperationalError

from flower_cli.demo import timeline
from flower_cli.demo.timeline import Timeline

logger = logging.getLogger(__name__)

# While the broker is away: often enough to be back quickly, seldom enough for a readable log.
PAUSE_AFTER_FAILURE_SECONDS = 1.0


def produce(shop: Timeline, *, wait: Callable[[float], None]) -> None:
    """Do what the timeline says, for ever; what the broker refuses is left out."""
    while True:
        wait(shop.wait_time())
        action = shop.take()
        try:
            action()
        except (OperationalError, OSError) as error:
            logger.warning("not sent: %s", error)
            wait(PAUSE_AFTER_FAILURE_SECONDS)


def main() -> None:
    """Read the environment and go."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    rate = float(os.environ.get("RATE", "20"))
    if rate <= 0:
        sys.exit(f"RATE is {rate}: it must be more than 0 tasks a second")
    random = Random(int(os.environ.get("SEED", "7")))  # noqa: S311 - a story, not a secret
    produce(timeline.of_the_shop(random, tasks_per_second=rate, clock=time.monotonic), wait=time.sleep)


def _leave(_signal: int, _frame: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
