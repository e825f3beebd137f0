"""How long a task takes and whether it fails: decided by its own argument, so that equal input behaves equally
and the producer's seed alone decides what the demo shows.
"""

import time
from random import Random


def work(subject: int, *, shortest: float, longest: float) -> float:
    """Wait, as tasks wait for disks and partners, without using the processor; gives the seconds back."""
    seconds = Random(subject).uniform(shortest, longest)  # noqa: S311 - nothing secret depends on it
    time.sleep(seconds)
    return round(seconds, 3)


def strikes(subject: int, *, one_in: int, salt: int = 0) -> bool:
    """Whether this subject is the unlucky one; another `salt` makes another choice."""
    return (subject * 7919 + salt) % one_in == 0
