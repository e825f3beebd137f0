"""The services that tests ask for by fixture name; each file of tests/services says what it gives.

A test that asks for one of them is no unit test and is marked `service`; `./run check` leaves it to `./run test`.
Tests marked `faults` take minutes and lie in tests/faults; only `--faults` (`./run test-faults`) runs them.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.services import celery_app

# On a machine that others use too, no example is too slow.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

pytest_plugins = (
    "tests.services.chromium",
    "tests.services.postgres",
    "tests.services.rabbitmq",
    "tests.services.redis",
    "tests.services.redis_servers",
    "tests.services.workers",
    "tests.services.flower2",
)

SERVICES = frozenset({"browser", "postgres_url", "rabbitmq", "redis_session_url", "start_redis", "start_worker"})


A_SLOW_TEST = 20
"""Tests that take as long as one that is marked `slow`, roughly."""

FAULTS = Path(__file__).with_name("faults")


@pytest.fixture(autouse=True)
def close_celery_clients() -> Iterator[None]:
    """Their connections would else be found unclosed by the collector of garbage, in another test."""
    yield
    celery_app.close_clients()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=200, help="faults of a long soak (8000 are about twelve hours)")
    parser.addoption("--faults", action="store_true", help="also run the long tests of tests/faults")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and SERVICES.intersection(item.fixturenames):
            item.add_marker(pytest.mark.service)
        if item.get_closest_marker("faults") and FAULTS not in item.path.parents:
            raise pytest.UsageError(f"{item.nodeid} is marked `faults`: ./run test-faults looks in tests/faults alone")
    if not config.getoption("--faults"):
        _leave_out_long_ones(config, items)
    _begin_with_long_files(items)


def _leave_out_long_ones(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Here and not by `-m` in pyproject.toml, which an `-m` of the command line would replace."""
    long = [item for item in items if item.get_closest_marker("faults")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def _begin_with_long_files(items: list[pytest.Item]) -> None:
    """A file is run by one process: a long one that comes last would keep the others waiting."""
    weights: Counter[Path] = Counter()
    for item in items:
        weights[item.path] += A_SLOW_TEST if item.get_closest_marker("slow") else 1
    items.sort(key=lambda item: -weights[item.path])
