"""The services that tests ask for by fixture name; each file of tests/services says what it gives.

A test that asks for one of them is no unit test and is marked `service`; `./run check` leaves it to `./run test`.
"""

import pytest

pytest_plugins = (
    "tests.services.chromium",
    "tests.services.postgres",
    "tests.services.rabbitmq",
    "tests.services.redis",
    "tests.services.workers",
)

SERVICES = frozenset({"browser", "postgres_url", "rabbitmq", "redis_session_url", "start_worker"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and SERVICES.intersection(item.fixturenames):
            item.add_marker(pytest.mark.service)
