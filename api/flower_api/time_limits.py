"""Time limits of tasks, as both surfaces take them."""

NOT_IN_ORDER = "must not be more than hard: a worker would refuse every task of the name"


def in_order(soft: float | None, hard: float | None) -> bool:
    """Whether a worker can keep both limits; 0 and None are none."""
    return not soft or not hard or soft <= hard
